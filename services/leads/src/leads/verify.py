"""Compare what must agree: the log with itself, the read models with the log, and the stream with the log.

Each company is looked at in one snapshot, while everything goes on. The read models are derived once more into
temporary tables, by the code that wrote the real ones, and compared by PostgreSQL.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from nats.aio.client import Client
from nats.aio.msg import Msg
from psycopg.sql import SQL, Identifier
from pydantic import ValidationError

from contracts import envelope, streams, subjects
from contracts.envelope import Envelope
from contracts.events import UnknownEvent
from leads.store import derive
from leads.store.database import RawConnection
from leads.store.facts import COLUMNS, Recorded
from runtime import direct, postgres

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
IN_THE_LOG: Final = f"""
SELECT {COLUMNS} FROM unnest(%(companies)s::uuid[], %(positions)s::bigint[]) AS asked (company_id, position)
JOIN events AS e ON (e.company_id, e.feed_position) = (asked.company_id, asked.position)
"""  # noqa: S608 - constants
EPOCHS: Final = "SELECT id FROM epochs"
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
NAMED: Final = 20  # differences of one kind between the stream and the log; the others are counted
SHOWN: Final = 120  # characters of a subject
# Attributes that say how a fact travelled: a fact that is published again has others.
_OF_THE_WAY: Final = {"feedepoch", "traceparent"}

Report = Callable[[str], None]
Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is wrong."""

    kind: str
    company_id: UUID | None
    """None: of no company that can be told."""
    what: str


class Found:
    """Differences as they are found: a bounded number of each kind, and how many more there are."""

    def __init__(self) -> None:
        self._named: list[Difference] = []
        self._counts: Counter[str] = Counter()

    def add(self, difference: Difference) -> None:
        """Take note of one."""
        self._counts[difference.kind] += 1
        if self._counts[difference.kind] <= NAMED:
            self._named.append(difference)

    def all(self) -> list[Difference]:
        """Return those that are named, and for each kind with more of them their number."""
        more = {kind: count - NAMED for kind, count in self._counts.items() if count > NAMED}
        return self._named + [Difference(kind, None, f"{count} more") for kind, count in more.items()]


@dataclass(slots=True)
class Run:
    """The last unbroken run of a company's positions on the stream, as a consumer sees it that forgets repeats."""

    first: int
    last: int
    _later: tuple[int, int] | None = None
    """The run that was the last one when positions before it were published again."""

    def take(self, position: int) -> None:
        """Take the next message's position."""
        if self._later is not None and self._later[0] <= position <= self._later[1] + 1:
            first, last = self._later
            self.first = self.first if self.first <= first <= self.last + 1 else first
            self.last, self._later = last, None
        if position < self.first:
            self._later = self._later or (self.first, self.last)
            self.first = self.last = position
        elif position > self.last + 1:
            self.first = self.last = position
            self._later = None
        else:
            self.last = max(self.last, position)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A message of the stream."""

    sequence: int
    subject: str
    body: bytes
    fact: Envelope | None
    """None: the body is no fact in an envelope."""

    @classmethod
    def of(cls, message: Msg) -> "_Stored":
        """Return what a message says. Never raises."""
        fact: Envelope | None
        try:
            fact = envelope.parse(message.data)
        except (ValidationError, ValueError, RecursionError):
            fact = None
        return cls(direct.sequence(message), direct.subject(message), message.data, fact)

    @property
    def place(self) -> tuple[UUID, int] | None:
        """The company and the position that it claims; None: no such company can exist."""
        if self.fact is None:
            return None
        try:
            return UUID(self.fact.companyid), self.fact.feedposition
        except ValueError:
            return None

    def compare(self, recorded: Recorded | None, epochs: Collection[str]) -> Difference | None:
        """Return what is wrong with it, given the log's row at its place and the epochs that the log has had."""
        where = f"message {self.sequence} on {_shown(self.subject)}"
        if self.fact is None:
            return Difference("unreadable", None, f"{where} is no fact")
        if self.place is None:
            return Difference("stranger", None, f"{where} names no company that can exist")
        company_id, position = self.place
        if recorded is None or recorded.event_id != self.fact.id:
            there = None if recorded is None else recorded.event_id
            said = f"the stream has {_shown(self.fact.id)} at {position}, the log has {there} ({where})"
            return Difference("stranger", company_id, said)
        wrong = _wrong(self, self.fact, recorded, epochs)
        return None if wrong is None else Difference(wrong[0], company_id, f"{where}, position {position}, {wrong[1]}")


def _wrong(message: _Stored, fact: Envelope, recorded: Recorded, epochs: Collection[str]) -> tuple[str, str] | None:
    """Return the kind and the words for what is wrong with a message that has the id of the log's fact."""
    expected = subjects.fact(recorded.company_id, recorded.stream_id, recorded.type)
    if message.subject != expected:
        return "subject", f"belongs on {expected}"
    if fields := _different(fact, message.body, recorded):
        return "contents", f"differs in {fields}"
    if fact.feedepoch is not None and fact.feedepoch not in epochs:
        return "epoch", "is of an epoch that the log does not know"
    return None


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[RawConnection]:
    """Connect so that temporary tables are found before the real ones."""
    connecting = postgres.connect(
        database_url,
        application_name="leads-verify",
        options=postgres.server_options(
            search_path="pg_temp,public", default_transaction_isolation="repeatable\\ read"
        ),
        patience=None,  # a log may be large
        autocommit=False,
    )
    async with await connecting as connection:
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
    """Compare the stream `CRM` with the log; return what is wrong, `NAMED` of each kind and the number of others.

    Whatever stands on the stream is compared, not trusted: a message that is no fact of the log is named, and does not
    count for the rest.

    Args:
        connection: see `verify_database`.
        client: of a user who may read the stream.
        company_id: only this one; None: all.
        show: takes how many messages are done, of how many.

    Raises:
        nats.errors.Error, TimeoutError: NATS is away, or the stream is not there.
    """
    values = {"company_id": company_id, "since": await _kept_since(client, connection)}
    expected = await (await connection.execute(EXPECTED, values)).fetchall()
    await connection.commit()
    until = (await client.jetstream().stream_info(streams.CRM)).state.last_seq
    runs: dict[UUID, Run] = {}
    found = Found()
    async for messages in _messages(client, company_id, until):
        log, epochs = await _in_the_log(connection, messages)
        for message in messages:
            place = message.place
            difference = message.compare(None if place is None else log.get(place), epochs)
            if difference is not None:
                found.add(difference)
            elif place is not None:
                runs.setdefault(place[0], Run(place[1], place[1])).take(place[1])
        show(messages[-1].sequence, until)
    for each, begin, head in expected:
        run = runs.get(each)
        if begin <= head and (run is None or run.first > begin or run.last < head):
            there = "nothing" if run is None else f"{run.first} to {run.last}"
            found.add(Difference("stream", each, f"should hold {begin} to {head} in order, and holds {there}"))
    return found.all()


async def _kept_since(client: Client, connection: RawConnection) -> datetime:
    """Return from when on facts must be on the stream; older ones are not missed."""
    info = await client.jetstream().stream_info(streams.CRM)
    limit = info.config.max_bytes or 0
    if 0 < limit * FULL < info.state.bytes:
        oldest = await direct.get(client, streams.CRM, after=info.state.first_seq - 1)
        if oldest is not None:
            return direct.stored_at(oldest) + MARGIN
    kept = timedelta(seconds=streams.FACTS_KEPT) - MARGIN
    row = await (await connection.execute("SELECT clock_timestamp() - %s", [kept])).fetchone()
    assert row is not None
    since: datetime = row[0]  # by the clock that the facts bear
    return since


async def _messages(client: Client, company_id: UUID | None, until: int) -> AsyncIterator[list[_Stored]]:
    """Yield what the stream holds, in its order, in portions."""
    pattern = subjects.FACTS if company_id is None else f"crm.{subjects.token(str(company_id))}.>"
    portion: list[_Stored] = []
    async with aclosing(direct.read(client, streams.CRM, pattern, until=until)) as messages:
        async for message in messages:
            portion.append(_Stored.of(message))
            if len(portion) == FETCH:
                yield portion
                portion = []
    if portion:
        yield portion


async def _in_the_log(
    connection: RawConnection, messages: Sequence[_Stored]
) -> tuple[Mapping[tuple[UUID, int], Recorded], Collection[str]]:
    """Return what the log has at the places that messages claim, and its epochs."""
    places = [place for message in messages if (place := message.place) is not None]
    values = {"companies": [company for company, _ in places], "positions": [position for _, position in places]}
    rows = await (await connection.execute(IN_THE_LOG.encode(), values)).fetchall()
    epochs = await (await connection.execute(EPOCHS)).fetchall()
    await connection.commit()
    log = [Recorded(*row) for row in rows]
    return {(UUID(one.company_id), one.feed_position): one for one in log}, {epoch for (epoch,) in epochs}


def _different(fact: Envelope, body: bytes, recorded: Recorded) -> str:
    """Return the attributes in which a message is not what the log says; empty when it is."""
    if body == recorded.to_json():
        return ""
    said, true = (_said(one) for one in (fact, recorded.envelope()))
    return ", ".join(name for name in Envelope.model_fields if said.get(name) != true.get(name))


def _said(fact: Envelope) -> Mapping[str, str]:
    """Return attribute → canonical JSON text."""
    values = fact.model_dump(mode="json", exclude=_OF_THE_WAY, exclude_none=True)
    return {name: json.dumps(value, sort_keys=True) for name, value in values.items()}


def _shown(text: str) -> str:
    """Return text from outside so that a terminal can show it: in ASCII, and not too much of it."""
    return ascii(text[:SHOWN])[1:-1] + ("…" if len(text) > SHOWN else "")


async def _one(connection: RawConnection, statement: str, **values: object) -> Sequence[Any]:
    row = await (await connection.execute(statement.encode(), values)).fetchone()
    assert row is not None
    return row
