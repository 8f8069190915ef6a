"""A company's figures, from its counters."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from contracts.events import Stage
from contracts.push import FunnelStage, Stats
from leads.domain import counters
from leads.domain.company import Company
from leads.domain.counters import Key

DAYS: Final = 30
"""How many days `new_per_day` has, the current one included."""


def months(now: datetime) -> tuple[str, str]:
    """Return the keys of the current month and of the one before it, UTC."""
    first = now.astimezone(UTC).replace(day=1)
    return f"{first:%Y-%m}", f"{first - timedelta(days=1):%Y-%m}"


def days(now: datetime) -> list[str]:
    """Return the keys of the last days, UTC, oldest first."""
    today = now.astimezone(UTC)
    return [f"{today - timedelta(days=back):%Y-%m-%d}" for back in reversed(range(DAYS))]


def figures(found: Mapping[Key, int], company: Company, now: datetime) -> Stats:
    """Return what the counters say.

    Args:
        found: the company's counters; those of other months and days than `months` and `days` may be missing.
        company: whose stages make the funnel.
        now: says which month is the current one.
    """
    this_month, last_month = months(now)
    total = found.get((counters.TOTAL, ""), 0)
    in_stage = _keyed(found, counters.STATUS)
    of_kind = {kind: _sum_of_kind(company, in_stage, kind) for kind in ("won", "lost")}
    return Stats(
        total=total,
        new_this_month=found.get((counters.MONTH, this_month), 0),
        new_last_month=found.get((counters.MONTH, last_month), 0),
        new_per_day={day: found.get((counters.DAY, day), 0) for day in days(now)},
        by_status={stage.key: 0 for stage in company.pipeline.stages} | in_stage,
        by_source=_keyed(found, counters.SOURCE),
        by_assignee=_keyed(found, counters.ASSIGNEE),
        conversion=of_kind["won"] / total if total else 0.0,
        won=of_kind["won"],
        lost=of_kind["lost"],
        funnel=tuple(_funnel(found, company)),
    )


def _funnel(found: Mapping[Key, int], company: Company) -> Iterable[FunnelStage]:
    """Return the stages in their order; each that is not lost is compared with the one before it that is not."""
    entered = _keyed(found, counters.ENTERED)
    on_the_way = [stage for stage in company.pipeline.stages if stage.kind != "lost"]
    before = {stage.key: earlier.key for earlier, stage in pairwise(on_the_way)}
    for stage in company.pipeline.stages:
        came, came_before = entered.get(stage.key, 0), entered.get(before.get(stage.key, ""), 0)
        yield FunnelStage(
            stage=stage.key,
            entered=came,
            rate=came / came_before if came_before else None,
            median_seconds=counters.median_stay(_stays(found, stage)),
        )


def _stays(found: Mapping[Key, int], stage: Stage) -> dict[int, int]:
    prefix = f"{stage.key}:"
    stays = _keyed(found, counters.STAY)
    return {int(key.removeprefix(prefix)): count for key, count in stays.items() if key.rpartition(":")[0] == stage.key}


def _keyed(found: Mapping[Key, int], wanted: str) -> dict[str, int]:
    return {key: count for (dimension, key), count in found.items() if dimension == wanted and count}


def _sum_of_kind(company: Company, in_stage: Mapping[str, int], kind: str) -> int:
    return sum(in_stage.get(stage.key, 0) for stage in company.pipeline.stages if stage.kind == kind)
