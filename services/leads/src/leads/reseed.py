"""Publish facts once more: what an operator asks for when the stream was purged or lost, and the active relay does.

The relay does it because it alone keeps a company's facts in order: while a company's past is published, its outbox
rows wait. Every message has an id of its own, `<event id>:r<generation>`: the stream would drop the plain one, which it
has seen. Consumers recognise repeats by position.

Where it is, is written after each window. Whoever becomes the active relay goes on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

import psycopg

from leads.store.facts import COLUMNS, Recorded

COMPANIES_AT_ONCE: Final = 200

# The facts younger than a time are those after the last older one: nothing but them is read.
REQUEST: Final = """
INSERT INTO reseed_companies (generation, company_id, begins_after, position)
SELECT %(generation)s, company_id, begin.position, begin.position FROM feeds AS f CROSS JOIN LATERAL (
    SELECT coalesce((
        SELECT e.feed_position FROM events AS e
        WHERE e.company_id = f.company_id AND e.recorded_at < %(since)s ORDER BY e.feed_position DESC LIMIT 1
    ), 0) AS position
) AS begin
WHERE f.company_id = coalesce(%(company_id)s, f.company_id)
"""
OPEN: Final = "INSERT INTO reseeds DEFAULT VALUES RETURNING generation"
SUPERSEDE: Final = """
WITH ended AS (UPDATE reseeds SET ended_at = now() WHERE ended_at IS NULL RETURNING generation)
DELETE FROM reseed_companies USING ended WHERE reseed_companies.generation = ended.generation
"""
UNDER_WAY: Final = "SELECT generation FROM reseeds WHERE ended_at IS NULL"
LOOK: Final = """
SELECT r.begun_at IS NOT NULL, r.ended_at IS NOT NULL, r.facts,
    coalesce(sum(c.position - c.begins_after), 0)::bigint,
    coalesce(sum(c.until_position - c.begins_after), 0)::bigint,
    count(*) FILTER (WHERE c.position < c.until_position)
FROM reseeds AS r LEFT JOIN reseed_companies AS c USING (generation)
WHERE r.generation = %(generation)s GROUP BY r.generation
"""

# What the relay asks. It publishes nothing else meanwhile, so that whatever is committed by now and not among these
# rows is in the outbox, and stays there until the company's turn is over.
BEGIN: Final = """
WITH begun AS (
    UPDATE reseeds SET begun_at = now() WHERE generation = %(generation)s AND begun_at IS NULL RETURNING generation
)
UPDATE reseed_companies AS c SET
    until_position = f.position,
    begins_after = least(c.begins_after, waiting.first - 1),
    position = least(c.position, waiting.first - 1)
FROM begun, feeds AS f
LEFT JOIN (SELECT company_id, min(feed_position) AS first FROM outbox GROUP BY company_id) AS waiting USING (company_id)
WHERE c.generation = begun.generation AND f.company_id = c.company_id
"""
# Companies for which something waits go first.
NEXT: Final = f"""
SELECT {COLUMNS} FROM (
    SELECT company_id, position, until_position FROM reseed_companies AS r
    WHERE generation = %(generation)s AND position < until_position
    ORDER BY company_id IN (SELECT company_id FROM outbox WHERE id > %(floor)s ORDER BY id LIMIT 1000) DESC, company_id
    LIMIT {COMPANIES_AT_ONCE}
) AS r CROSS JOIN LATERAL (
    SELECT * FROM events
    WHERE company_id = r.company_id AND feed_position > r.position AND feed_position <= r.until_position
    ORDER BY feed_position LIMIT %(limit)s
) AS e LIMIT %(limit)s
"""  # noqa: S608 - constants
ADVANCE: Final = """
UPDATE reseed_companies AS r SET position = n.position
FROM unnest(%(companies)s::uuid[], %(positions)s::bigint[]) AS n (company_id, position)
WHERE r.generation = %(generation)s AND r.company_id = n.company_id
RETURNING r.company_id, r.position, r.until_position
"""
# What was published this way need not be published the other way. However much waits, it is looked through once a
# company, when that is through.
COVERED: Final = """
DELETE FROM outbox AS o USING unnest(%(companies)s::uuid[], %(positions)s::bigint[]) AS n (company_id, position)
WHERE o.id > %(floor)s AND o.company_id = n.company_id AND o.feed_position <= n.position
"""
END: Final = """
WITH done AS (DELETE FROM reseed_companies WHERE generation = %(generation)s RETURNING position - begins_after AS facts)
UPDATE reseeds SET ended_at = now(), facts = (SELECT coalesce(sum(facts), 0) FROM done)
WHERE generation = %(generation)s AND ended_at IS NULL
"""

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request is."""

    begun: bool
    ended: bool
    published: int
    wanted: int
    companies: int
    """That are not done."""
    superseded: bool = False


class UnknownCompany(Exception):
    """There is no such company."""


def request(
    connection: psycopg.Connection, *, since: datetime | timedelta | None, company_id: UUID | None, anew: bool
) -> int:
    """Ask for facts to be published once more, and return the generation; one that is under way is joined.

    Args:
        connection: of the role leads_relay.
        since: only facts recorded from then on; a duration is that long ago, by the clock that the facts bear.
        company_id: only of this company.
        anew: begin from the start, should one be under way.

    Raises:
        UnknownCompany: see there.
        psycopg.Error: the database refuses, or is away; nothing was changed.
    """
    with connection.transaction():
        connection.execute("LOCK TABLE reseeds IN SHARE ROW EXCLUSIVE MODE")  # two that ask at once
        if anew:
            connection.execute(SUPERSEDE)
        elif (row := connection.execute(UNDER_WAY).fetchone()) is not None:
            return int(row[0])
        row = connection.execute(OPEN).fetchone()
        assert row is not None
        values = {"generation": row[0], "since": _moment(connection, since), "company_id": company_id}
        if not connection.execute(REQUEST, values).rowcount and company_id is not None:
            raise UnknownCompany
        return int(row[0])


def _moment(connection: psycopg.Connection, since: datetime | timedelta | None) -> datetime | None:
    if not isinstance(since, timedelta):
        return since
    row = connection.execute("SELECT clock_timestamp() - %s", [since]).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def look(connection: psycopg.Connection, generation: int) -> Progress:
    """Return how far a request is."""
    row = connection.execute(LOOK, {"generation": generation}).fetchone()
    assert row is not None  # requests are never deleted
    begun, ended, facts, published, wanted, companies = row
    if ended:
        return Progress(begun, ended, facts or 0, facts or 0, 0, superseded=facts is None)
    return Progress(begun, ended, published, wanted, companies)


class Reseed:
    """The relay's part. Nobody else may publish meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.generation: int | None = None
        """Of what is under way, as of the last look: its companies' outbox rows wait."""

    async def look(self) -> None:
        """Take up what was asked for."""
        row = await (await self._connection.execute(UNDER_WAY)).fetchone()
        found = None if row is None else int(row[0])
        if found is not None and found != self.generation:
            await self._connection.execute(BEGIN, {"generation": found})
        self.generation = found

    async def read(self, limit: int, floor: int) -> Sequence[Recorded]:
        """Return what is to be published next, each company's in order."""
        rows = await self._connection.execute(NEXT, {"generation": self.generation, "limit": limit, "floor": floor})
        found = [Recorded(*row) for row in await rows.fetchall()]
        return sorted(found, key=lambda event: (event.company_id, event.feed_position))

    async def advance(self, published: Sequence[Recorded], floor: int) -> None:
        """Write down what the stream has stored; the outbox rows of a company that is through go with it."""
        positions = {event.company_id: event.feed_position for event in published}
        values = {"generation": self.generation, "companies": list(positions), "positions": list(positions.values())}
        async with self._connection.transaction():
            advanced = await (await self._connection.execute(ADVANCE, values)).fetchall()
            through = [(company_id, position) for company_id, position, until in advanced if position == until]
            if through:
                companies, last = zip(*through, strict=True)
                covered = {"companies": list(companies), "positions": list(last), "floor": floor}
                await self._connection.execute(COVERED, covered)

    async def end(self) -> None:
        """Write down that all is done."""
        await self._connection.execute(END, {"generation": self.generation})
        self.generation = None
