"""What `GET /stats` adds up, as sums over facts: `count` says what one fact adds, `recount` adds up a log.

The write path adds each fact's deltas to the table `counters` in the fact's own transaction; `recount` of the whole log
gives the same numbers, which a test holds it to. A counter that is zero is the same as none.

| dimension | key | counts |
| --- | --- | --- |
| `total` | empty | leads there are |
| `status` | stage | leads in it now; those that are won or lost are the sums over stages of that kind |
| `source` | source | leads from it |
| `assignee` | user id | leads that are theirs |
| `month` | `2026-11`, UTC | leads created in it that are still there |
| `day` | `2026-11-23`, UTC | leads created on it that are still there |
| `entered` | stage | leads that are there and have ever been in it: what a funnel shows |
| `transition` | `from>to` | moves between stages, whatever became of the lead: each time counts |
| `stay` | `stage:bucket` | stays in a stage that ended with a move, by how long they were |

Buckets of stays grow by a tenth, see `bucket` and `seconds`: a median read from them is exact within 5 %.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Final, TypeAlias

from contracts.events import LeadEvent, LeadSummary
from leads.domain.lead import Lead, evolve

Key: TypeAlias = tuple[str, str]
"""A dimension and a key in it."""

TOTAL: Final = "total"
STATUS: Final = "status"
SOURCE: Final = "source"
ASSIGNEE: Final = "assignee"
MONTH: Final = "month"
DAY: Final = "day"
ENTERED: Final = "entered"
TRANSITION: Final = "transition"
STAY: Final = "stay"

GROWTH: Final = 1.1
"""Each bucket reaches so many times as far as the one before it."""
_LONGEST: Final = 250  # buckets: 1.1 ** 250 seconds are centuries
_BOUNDS: Final = tuple(GROWTH**exponent for exponent in range(_LONGEST))


def count(before: Lead | None, fact: LeadEvent) -> dict[Key, int]:
    """Return what a fact adds to each counter, given the lead before it; no zeros."""
    return difference(before, evolve(before, fact))


def difference(before: Lead | None, lead: Lead) -> dict[Key, int]:
    """Return the same, given the lead before and after a fact."""
    if before is not None and _stays(before, lead):
        return {}
    deltas = Counter(_held(lead))
    deltas.subtract(_held(before))
    if before is not None and before.summary.status != lead.summary.status:
        old, new = before.summary, lead.summary
        deltas[TRANSITION, f"{old.status}>{new.status}"] += 1
        deltas[STAY, f"{old.status}:{bucket(_since(new) - _since(old))}"] += 1
    return {key: delta for key, delta in deltas.items() if delta}


def recount(log: Iterable[LeadEvent]) -> dict[Key, int]:
    """Return all counters after a log of facts about any leads, in feed order; no zeros."""
    leads: dict[str, Lead] = {}
    counters: Counter[Key] = Counter()
    for fact in log:
        before = leads.get(fact.lead.id)
        counters.update(count(before, fact))
        leads[fact.lead.id] = evolve(before, fact)
    return {key: number for key, number in counters.items() if number}


def bucket(stay: timedelta) -> int:
    """Return the bucket of a stay: 0 below a second, n from 1.1 ** (n - 1) seconds to below 1.1 ** n."""
    return bisect_right(_BOUNDS, stay.total_seconds())


def seconds(number: int) -> float:
    """Return the length that stands for a bucket: no stay of a second or more in it is 5 % longer or shorter."""
    return 0.0 if number == 0 else _BOUNDS[number - 1] * sqrt(GROWTH)


def median_stay(stays: Mapping[int, int]) -> float | None:
    """Return the median length in seconds of stays counted by bucket; None without any."""
    middle = (sum(stays.values()) + 1) // 2
    passed = 0
    for number in sorted(stays):
        passed += stays[number]
        if passed >= middle > 0:
            return seconds(number)
    return None


def _stays(before: Lead, lead: Lead) -> bool:
    """Whether nothing that is counted has changed: so it is with most facts."""
    old, new = before.summary, lead.summary
    return (
        before.deleted == lead.deleted
        and old.status == new.status
        and old.source == new.source
        and old.assigned_to == new.assigned_to
        and old.created_at == new.created_at
    )


def _held(lead: Lead | None) -> list[Key]:
    """Return the counters that a lead is in for as long as it stays as it is."""
    if lead is None or lead.deleted:
        return []
    summary = lead.summary
    created = summary.created_at.astimezone(UTC).date().isoformat()
    held: list[Key] = [(TOTAL, ""), (STATUS, summary.status), (MONTH, created[:-3]), (DAY, created)]
    if summary.source is not None:
        held.append((SOURCE, summary.source))
    if summary.assigned_to is not None:
        held.append((ASSIGNEE, summary.assigned_to))
    return held + [(ENTERED, stage) for stage in lead.reached]


def _since(summary: LeadSummary) -> datetime:
    return summary.status_since or summary.created_at
