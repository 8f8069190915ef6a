"""The read models of a company, derived from its log: lead by lead from the beginning, or from where they are.

Both write to the tables that the connection's search path finds first.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

from contracts import envelope
from contracts.events import NAMES, LeadAssigned, LeadEvent, LeadTagged, LeadUpdated
from leads.domain import counters
from leads.domain.lead import Lead, replay
from leads.store import projections
from leads.store.database import RawConnection
from leads.store.facts import OF_LEADS
from leads.store.projections import Placed

BATCH: Final = 2000  # facts

_COLUMNS: Final = "e.feed_position, e.type, e.data::text, e.recorded_at, e.metadata ->> 'actor', e.stream_id::text"
# What comes of a lead does not depend on any other: a part of all leads can be done by itself.
BY_LEAD: Final = f"""
SELECT {_COLUMNS} FROM events AS e
WHERE e.company_id = %(company_id)s AND e.stream_id BETWEEN %(first)s AND %(last)s AND e.feed_position <= %(until)s
    AND {OF_LEADS}
ORDER BY e.stream_id, e.stream_version
"""  # noqa: S608 - a constant
IN_ORDER: Final = f"""
SELECT {_COLUMNS} FROM events AS e
WHERE e.company_id = %(company_id)s AND e.feed_position > %(after)s AND e.feed_position <= %(until)s
    AND {OF_LEADS}
ORDER BY e.feed_position
"""  # noqa: S608 - a constant
BEFORE: Final = f"""
SELECT e.stream_id::text, e.type, e.data::text FROM events AS e
WHERE e.company_id = %(company_id)s AND e.stream_id = ANY(%(ids)s::uuid[]) AND e.feed_position <= %(after)s
    AND {OF_LEADS}
ORDER BY e.stream_id, e.stream_version
"""  # noqa: S608 - a constant
_REPLACED: Final = frozenset(NAMES[kind] for kind in (LeadUpdated, LeadAssigned, LeadTagged))
"""Facts of which nothing is left to read once another one of the lead follows: it holds all that they say."""
ENTER: Final = "SELECT set_config('app.company', %(company_id)s, true)"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a company's leads: those whose ids are in a range, as they are at a position of the feed."""

    company_id: UUID
    until: int
    number: int = 0
    of: int = 1

    @property
    def first(self) -> UUID:
        return UUID(int=(self.number << 128) // self.of)

    @property
    def last(self) -> UUID:
        return UUID(int=((self.number + 1 << 128) // self.of) - 1)


@dataclass(slots=True)
class Rest:
    """What all parts of a company have in common, and so is written once they are done."""

    counted: Counter[counters.Key] = field(default_factory=Counter)
    merges: list[tuple[int, str, str]] = field(default_factory=list)
    facts: int = 0

    def add(self, other: "Rest") -> None:
        self.counted.update(other.counted)
        self.merges.extend(other.merges)
        self.facts += other.facts


async def enter(connection: RawConnection, company_id: UUID) -> None:
    """Let the transaction see one company."""
    await connection.execute(ENTER, {"company_id": str(company_id)})


async def derive(connection: RawConnection, company_id: UUID, until: int) -> None:
    """Write a company's read models as they are at a position; there are none yet."""
    rest = await derive_part(connection, Part(company_id, until))
    await finish(connection, company_id, rest)


async def derive_part(connection: RawConnection, part: Part) -> Rest:
    """Write the rows of some leads, and return what is left to write."""
    rest = Rest()
    async for facts in _whole_leads(connection, part):
        outcome = projections.follow(facts, {})
        await projections.write(connection, part.company_id, outcome)
        rest.add(Rest(Counter(outcome.counted), list(outcome.merges), len(facts)))
    return rest


async def finish(connection: RawConnection, company_id: UUID, rest: Rest) -> None:
    """Write what the parts of a company have left."""
    await projections.merge(connection, company_id, rest.merges)
    await projections.count(connection, company_id, {key: number for key, number in rest.counted.items() if number})


async def advance(connection: RawConnection, company_id: UUID, *, after: int, until: int) -> None:
    """Bring a company's read models from one position to a later one."""
    values = {"company_id": company_id, "after": after, "until": until}
    facts = [placed for placed, _ in map(_placed, await (await connection.execute(IN_ORDER, values)).fetchall())]
    outcome = projections.follow(facts, await _leads_before(connection, company_id, facts, after))
    await projections.write(connection, company_id, outcome)
    await projections.merge(connection, company_id, outcome.merges)
    await projections.count(connection, company_id, outcome.counted)


async def _leads_before(
    connection: RawConnection, company_id: UUID, facts: Sequence[Placed], after: int
) -> Mapping[str, Lead]:
    ids = list({placed.fact.lead.id for placed in facts})
    rows = await connection.execute(BEFORE, {"company_id": company_id, "ids": ids, "after": after})
    leads: dict[str, Lead] = {}
    for lead_id, name, data in await rows.fetchall():
        lead = replay([_lead_event(name, data)], leads.get(lead_id))
        assert lead is not None
        leads[lead_id] = lead
    return leads


async def _whole_leads(connection: RawConnection, part: Part) -> AsyncIterator[list[Placed]]:
    """Yield facts lead by lead, some leads at a time and none in two portions."""
    async with connection.cursor("log") as cursor:  # of the server: a log may be longer than memory
        values = {"company_id": part.company_id, "until": part.until, "first": part.first, "last": part.last}
        await cursor.execute(BY_LEAD, values)
        facts: list[Placed] = []
        current = ""
        while rows := await cursor.fetchmany(BATCH):
            for row, following in zip(rows, [*rows[1:], None], strict=True):
                if row[1] in _REPLACED and following is not None and following[-1] == row[-1]:
                    continue
                placed, lead_id = _placed(row)
                if len(facts) >= BATCH and lead_id != current:
                    yield facts
                    facts = []
                facts.append(placed)
                current = lead_id
        if facts:
            yield facts


def _placed(row: tuple[Any, ...]) -> tuple[Placed, str]:
    position, name, data, at, actor, stream_id = row
    return Placed(position, _lead_event(name, data), at, actor), stream_id


def _lead_event(name: str, data: str) -> LeadEvent:
    return cast("LeadEvent", envelope.decode_json(name, data))
