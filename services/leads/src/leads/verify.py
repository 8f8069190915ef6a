"""Compare what must agree: the log with itself, the read models with the log, and the stream with the log.

Each company is looked at in one snapshot, while everything goes on. The read models are derived once more into
temporary tables, by the code that wrote the real ones, and compared by PostgreSQL.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from nats.aio.client import Client
from nats.js import JetStreamContext
from psycopg.sql import SQL, Identifier
from pydantic import ValidationError

from contracts import streams
from contracts.events import UnknownEvent
from leads.store import derive
from leads.store.database import RawConnection
from runtime import direct

COMPANIES: Final = """
SELECT company_id, position FROM feeds
WHERE company_id = coalesce(%(company_id)s, company_id)
    AND NOT EXISTS (SELECT FROM verified_companies AS v WHERE v.company_id = feeds.company_id)
ORDER BY company_id
"""
DONE: Final = "INSERT INTO verified_companies (company_id) VALUES (%(company_id)s) ON CONFLICT DO NOTHING"
FORGET: Final = "DELETE FROM verified_companies"
LEFT: Final = "SELECT count(*) FROM verified_companies"

# Each finds the first thing that is wrong, in words.
LOG: Final = {
    "positions": """
        SELECT format('position %%s follows %%s', feed_position, before) FROM (
            SELECT feed_position, lag(feed_position, 1, 0::bigint) OVER (ORDER BY feed_position) AS before
            FROM events WHERE company_id = %(company_id)s
        ) AS placed WHERE feed_position <> before + 1 ORDER BY feed_position LIMIT 1
    """,
    "feed": """
        SELECT format('the feed is at %%s, the log at %%s', f.position, e.last) FROM feeds AS f, (
            SELECT coalesce(max(feed_position), 0) AS last FROM events WHERE company_id = %(company_id)s
        ) AS e WHERE f.company_id = %(company_id)s AND f.position <> e.last
    """,
    "versions": """
        SELECT format('version %%s of %%s follows %%s', stream_version, stream_id, before) FROM (
            SELECT stream_id, stream_version, feed_position,
                lag(stream_version, 1, 0) OVER (PARTITION BY stream_id ORDER BY feed_position) AS before
            FROM events WHERE company_id = %(company_id)s
        ) AS placed WHERE stream_version <> before + 1 ORDER BY feed_position LIMIT 1
    """,
    "outbox": """
        SELECT format('position %%s waits after %%s', feed_position, before) FROM (
            SELECT feed_position, lag(feed_position) OVER (ORDER BY id) AS before,
                lead(feed_position, 1, (SELECT position + 1 FROM feeds WHERE company_id = %(company_id)s))
                    OVER (ORDER BY id) AS after
            FROM outbox WHERE company_id = %(company_id)s
        ) AS waiting WHERE feed_position <> before + 1 OR after <> feed_position + 1 ORDER BY feed_position LIMIT 1
    """,
}
VIEWS: Final = {
    "leads": ("company_id", "id"),
    "deleted_leads": ("company_id", "id"),
    "lead_messages": ("company_id", "id"),
    "merged_leads": ("company_id", "survivor_id", "merged_id"),
    "counters": ("company_id", "dimension", "key"),
}
"""Read model → its key."""
EXPECT: Final = SQL(
    "CREATE TEMPORARY TABLE {table} (LIKE public.{table} INCLUDING DEFAULTS, PRIMARY KEY ({key})) ON COMMIT DELETE ROWS"
)
COUNTED: Final = " AND coalesce(there.count, 0) <> coalesce(expected.count, 0)"
DIFFERENT: Final = SQL("""
SELECT {key}, there IS NULL, expected IS NULL, (
    SELECT string_agg(a.key, ', ' ORDER BY a.key)
    FROM jsonb_each(to_jsonb(there)) AS a JOIN jsonb_each(to_jsonb(expected)) AS b USING (key) WHERE a.value <> b.value
)
FROM (SELECT * FROM public.{table} WHERE company_id = {company}) AS there
FULL JOIN pg_temp.{table} AS expected USING ({key})
WHERE there IS DISTINCT FROM expected{more} ORDER BY {key} LIMIT 1
""")
IN_THE_LOG: Final = """
SELECT asked.number, e.event_id FROM unnest(%(numbers)s::integer[], %(companies)s::uuid[], %(positions)s::bigint[])
    AS asked (number, company_id, position)
LEFT JOIN events AS e ON (e.company_id, e.feed_position) = (asked.company_id, asked.position)
WHERE e.event_id IS DISTINCT FROM (%(events)s::uuid[])[asked.number] ORDER BY asked.number LIMIT 1
"""
# What is published, and should be on the stream: what was recorded since some time.
EXPECTED: Final = """
SELECT f.company_id, first.position, coalesce(o.first - 1, f.position)
FROM feeds AS f
LEFT JOIN (SELECT company_id, min(feed_position) AS first FROM outbox GROUP BY company_id) AS o USING (company_id)
CROSS JOIN LATERAL (
    SELECT coalesce((
        SELECT e.feed_position FROM events AS e
        WHERE e.company_id = f.company_id AND e.recorded_at < %(since)s ORDER BY e.feed_position DESC LIMIT 1
    ), 0) + 1 AS position
) AS first
WHERE f.company_id = coalesce(%(company_id)s, f.company_id)
"""
FETCH: Final = 500
FULL: Final = 0.9  # of a stream's bytes; from then on it may have dropped what is young enough
MARGIN: Final = timedelta(minutes=10)  # what is about to be too old may be gone already

Report = Callable[[str], None]
Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing of a kind that is wrong."""

    kind: str
    company_id: UUID
    what: str


@dataclass(slots=True)
class Run:
    """The last unbroken run of a company's positions on the stream, as a consumer sees it that forgets repeats."""

    first: int
    last: int

    def take(self, position: int) -> None:
        """Take the next message's position."""
        if position < self.first or position > self.last + 1:
            self.first = self.last = position
        elif position == self.last + 1:
            self.last = position


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[RawConnection]:
    """Connect so that temporary tables are found before the real ones."""
    options = "-c TimeZone=UTC -c search_path=pg_temp,public -c default_transaction_isolation=repeatable\\ read"
    async with await psycopg.AsyncConnection.connect(
        database_url, options=options, application_name="leads-verify"
    ) as connection:
        yield connection


async def verify_database(
    connection: RawConnection, *, company_id: UUID | None, anew: bool, report: Report, show: Show
) -> list[Difference]:
    """Compare the log with itself and the read models with it; return what is wrong, the first of each kind.

    Args:
        connection: of `connected`, as leads_owner.
        company_id: only this one; None: all, without those that an interrupted run was done with.
        anew: look at those as well.
        report: takes what happens.
        show: takes how many facts are done, of how many.
    """
    for table, key in VIEWS.items():
        columns = SQL(", ").join(map(Identifier, key))
        await connection.execute(EXPECT.format(table=Identifier(table), key=columns))
    if anew:
        await connection.execute(FORGET)
    elif company_id is None and (done := (await _one(connection, LEFT))[0]):
        report(f"going on where an interrupted one was: {done:,} companies are done")
    asked = await connection.execute(COMPANIES, {"company_id": company_id})
    companies = await asked.fetchall()
    await connection.commit()
    total, done = sum(position for _, position in companies), 0
    first: dict[str, Difference] = {}
    for each, position in companies:
        show(done, total)
        found = [difference async for difference in _of_company(connection, each)]
        for difference in found:
            first.setdefault(difference.kind, difference)
        await connection.rollback()
        if not found and company_id is None:
            await connection.execute(DONE, {"company_id": each})
            await connection.commit()
        done += position
    show(total, total)
    if company_id is None:
        await connection.execute(FORGET)
        await connection.commit()
    return list(first.values())


async def _of_company(connection: RawConnection, company_id: UUID) -> AsyncIterator[Difference]:
    await connection.execute("SET TRANSACTION READ ONLY")  # but for temporary tables
    await derive.enter(connection, company_id)
    values = {"company_id": company_id}
    broken = False
    for kind, query in LOG.items():
        row = await (await connection.execute(query, values)).fetchone()
        if row is not None:
            broken = broken or kind != "outbox"
            yield Difference(kind, company_id, row[0])
    if broken:
        return  # what the read models should be, nobody can say
    (head,) = await _one(connection, "SELECT position FROM feeds WHERE company_id = %(company_id)s", **values)
    try:
        await derive.derive(connection, company_id, head)
    except (UnknownEvent, ValidationError, psycopg.DataError) as error:
        yield Difference("facts", company_id, f"some cannot be read: {type(error).__name__}")
        return
    for table, key in VIEWS.items():
        statement = DIFFERENT.format(
            key=SQL(", ").join(map(Identifier, key)),
            table=Identifier(table),
            company=company_id,
            more=SQL(COUNTED if table == "counters" else ""),
        )
        row = await (await connection.execute(statement)).fetchone()
        if row is not None:
            yield Difference(table, company_id, _in_words(row, key))


def _in_words(row: Sequence[Any], key: Sequence[str]) -> str:
    *values, is_missing, is_too_many, fields = row
    which = " ".join(map(str, values[1 : len(key)]))
    if is_missing:
        return f"{which} is missing"
    return f"{which} should not be there" if is_too_many else f"{which} differs in {fields}"


async def verify_stream(
    connection: RawConnection, client: Client, *, company_id: UUID | None, show: Show
) -> list[Difference]:
    """Compare the stream `CRM` with the log; return what is wrong, the first of each kind.

    Args:
        connection: see `verify_database`.
        client: of a user who may read the stream.
        company_id: only this one; None: all.
        show: takes how many messages are done, of how many.

    Raises:
        nats.errors.Error, TimeoutError: NATS is away, or the stream is not there.
    """
    js = client.jetstream()
    values = {"company_id": company_id, "since": await _kept_since(js, connection)}
    expected = await (await connection.execute(EXPECTED, values)).fetchall()
    await connection.commit()
    until = (await js.stream_info(streams.CRM)).state.last_seq
    runs: dict[UUID, Run] = {}
    first: dict[str, Difference] = {}
    async for messages, sequence in _messages(client, company_id, until):
        facts = [_place(body) for body in messages]
        for place, position, _ in facts:
            runs.setdefault(place, Run(position, position)).take(position)
        for difference in await _strangers(connection, facts):
            first.setdefault(difference.kind, difference)
        show(sequence, until)
    for each, begin, head in expected:
        run = runs.get(each)
        if begin <= head and (run is None or run.first > begin or run.last < head):
            there = "nothing" if run is None else f"{run.first} to {run.last}"
            lacking = Difference("stream", each, f"should hold {begin} to {head} in order, and holds {there}")
            first.setdefault("stream", lacking)
    return list(first.values())


async def _kept_since(js: JetStreamContext, connection: RawConnection) -> datetime:
    """Return from when on facts must be on the stream; older ones are not missed."""
    info = await js.stream_info(streams.CRM)
    limit = info.config.max_bytes or 0
    if 0 < limit * FULL < info.state.bytes:
        oldest = (await js.get_msg(streams.CRM, info.state.first_seq, direct=True)).time
        assert oldest is not None
        return oldest + MARGIN
    kept = timedelta(seconds=streams.FACTS_KEPT) - MARGIN
    row = await (await connection.execute("SELECT clock_timestamp() - %s", [kept])).fetchone()
    assert row is not None
    since: datetime = row[0]  # by the clock that the facts bear
    return since


async def _messages(client: Client, company_id: UUID | None, until: int) -> AsyncIterator[tuple[list[bytes], int]]:
    """Yield what the stream holds, in its order, with the sequence of the last of each portion."""
    pattern = f"crm.{company_id or '*'}.>"
    portion: list[bytes] = []
    sequence = 0
    async with aclosing(direct.read(client, streams.CRM, pattern, until=until)) as messages:
        async for message in messages:
            portion.append(message.data)
            sequence = direct.sequence(message)
            if len(portion) == FETCH:
                yield portion, sequence
                portion = []
    if portion:
        yield portion, sequence


def _place(body: bytes) -> tuple[UUID, int, UUID]:
    fact = json.loads(body)
    return UUID(fact["companyid"]), fact["feedposition"], UUID(fact["id"])


async def _strangers(connection: RawConnection, facts: Sequence[tuple[UUID, int, UUID]]) -> Sequence[Difference]:
    values = {
        "numbers": list(range(1, len(facts) + 1)),
        "companies": [company_id for company_id, _, _ in facts],
        "positions": [position for _, position, _ in facts],
        "events": [event_id for _, _, event_id in facts],
    }
    row = await (await connection.execute(IN_THE_LOG, values)).fetchone()
    await connection.commit()
    if row is None:
        return ()
    company_id, position, event_id = facts[row[0] - 1]
    return [Difference("stranger", company_id, f"the stream has {event_id} at {position}, the log has {row[1]}")]


async def _one(connection: RawConnection, statement: str, **values: object) -> Sequence[Any]:
    row = await (await connection.execute(statement.encode(), values)).fetchone()
    assert row is not None
    return row
