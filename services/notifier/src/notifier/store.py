"""What follows from the feeds: one PostgreSQL session, whose advisory lock makes this process the active one.

Everything is written through that very session, so that a process which lost its lock cannot write any more. Its role
is not under row-level security: it writes for every company.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import AsyncConnection
from pydantic import TypeAdapter

from contracts.push import Notification
from notifier.cursors import Cursor
from notifier.reaction import ShutOut, Told
from runtime.postgres import closing, connect, server_options, sever

LOCK: Final = 0x6E6F746966696572
"""The key of the advisory lock: "notifier" in ASCII. Locks are per database."""

_STATEMENT_TIMEOUT: Final = 5.0  # seconds

_PATIENCE: Final = 6.0  # seconds for any answer
_SERVER_OPTIONS: Final = server_options(
    # A cursor that a crash of PostgreSQL takes back is made up for: the facts after it are fetched again, and what they
    # had pushed is found in PUSH. So nobody waits for the disk, except for notifications: `KEEP`.
    synchronous_commit="off",
    # A session whose process is frozen or unreachable ends within seconds, and its lock with it.
    idle_session_timeout="5s",
    idle_in_transaction_session_timeout="5s",
    statement_timeout="5s",
)

_TRY_LOCK = "SELECT pg_try_advisory_lock(%(key)s)"
_POSITIONS = "SELECT company_id::text, position FROM cursors WHERE company_id = ANY(%(companies)s::uuid[])"
_CURSORS = """
SELECT company_id::text, position, epoch, digests FROM cursors WHERE company_id = ANY(%(companies)s::uuid[])
"""
_CURSORS_AFTER = """
SELECT company_id::text FROM cursors WHERE company_id > %(company)s ORDER BY company_id LIMIT %(limit)s
"""
_OF_OTHER_EPOCHS = """
SELECT company_id::text FROM cursors WHERE epoch IS DISTINCT FROM %(epoch)s ORDER BY company_id LIMIT %(limit)s
"""
_ADVANCE = """
INSERT INTO cursors AS cursor (company_id, position, stats_due, push_sequence, epoch, digests)
SELECT * FROM unnest(%(companies)s::uuid[], %(positions)s::bigint[], %(stats_due)s::bigint[], %(sequences)s::bigint[],
                     %(epochs)s::text[], %(digests)s::bytea[])
ON CONFLICT (company_id) DO UPDATE
SET position = excluded.position,
    stats_due = greatest(cursor.stats_due, excluded.stats_due),
    push_sequence = excluded.push_sequence,
    epoch = excluded.epoch,
    digests = excluded.digests
WHERE cursor.position < excluded.position
"""
# Taking back what followed from positions beyond the last one that the log agrees with. What follows from the log's own
# facts there comes again; a notification of one of them that was told already stays as it is.
_SET_BACK = """
UPDATE cursors SET position = %(position)s, epoch = %(epoch)s, digests = %(digests)s, push_sequence = %(sequence)s,
    stats_due = greatest(%(position)s, 1), stats_pushed = 0
WHERE company_id = %(company)s
"""
_ADOPT = "UPDATE cursors SET epoch = %(epoch)s WHERE company_id = %(company)s AND epoch IS NULL"
_FORGET_CURSOR = "DELETE FROM cursors WHERE company_id = %(company)s"
_TAKE_BACK_PASSED_OVER = "DELETE FROM passed_over WHERE company_id = %(company)s AND position > %(position)s"
_TAKE_BACK_JOBS = "DELETE FROM jobs WHERE company_id = %(company)s AND position > %(position)s"
_TAKE_BACK_TOKENS = """
WITH kept AS (
    UPDATE ended_tokens SET since = before, position = 0, before = NULL
    WHERE company_id = %(company)s AND position > %(position)s AND before IS NOT NULL RETURNING user_id
)
DELETE FROM ended_tokens WHERE company_id = %(company)s AND position > %(position)s AND before IS NULL
"""
_LOCK_INBOXES = """
SELECT FROM inboxes WHERE company_id = %(company)s ORDER BY company_id, user_id FOR UPDATE
"""
_TAKE_BACK_NOTIFICATIONS = """
DELETE FROM notifications WHERE company_id = %(company)s AND (body->>'position')::bigint > %(position)s
    AND body->>'event_id' <> ALL(%(true_events)s::text[])
"""
_TAKE_BACK_OUTBOX = """
DELETE FROM outbox WHERE company_id = %(company)s AND event = 'notification.created'
    AND NOT EXISTS (SELECT FROM notifications WHERE notifications.id::text = outbox.key)
"""
# A revision above every one that a client may have heard, also from a state of this database that is gone: below one a
# second, no inbox gets to the Unix time by itself. The gap makes clients load their inbox again.
_RENEW_INBOXES = """
WITH renewed AS (
    UPDATE inboxes AS inbox SET
        revision = greatest(revision + 1, extract(epoch FROM clock_timestamp())::bigint),
        unread = (SELECT count(*) FROM notifications AS n
                  WHERE (n.company_id, n.user_id) = (inbox.company_id, inbox.user_id) AND n.read_at IS NULL)
    WHERE company_id = %(company)s RETURNING company_id, user_id, unread, revision
)
INSERT INTO outbox (company_id, user_id, key, event, data)
SELECT company_id, user_id, 'inbox:' || revision, 'notification.read',
       jsonb_build_object('ids', '[]'::jsonb, 'read', true, 'unread', unread, 'revision', revision)
FROM renewed
"""
# What is pushed to a user must never be taken back by a crash of PostgreSQL: the fact might not come again for long.
_KEEP = "SET LOCAL synchronous_commit TO on"
_TELL = """
WITH told AS (
    SELECT *
    FROM ROWS FROM (
        unnest(%(ids)s::uuid[], %(companies)s::uuid[], %(users)s::uuid[], %(kinds)s::text[], %(correlations)s::text[]),
        jsonb_array_elements(%(bodies)s::jsonb)  -- an array of texts would have to be escaped once more
    ) WITH ORDINALITY AS told (id, company_id, user_id, kind, correlation_id, body, place)
    WHERE NOT EXISTS (SELECT FROM notifications WHERE notifications.id = told.id)
      AND NOT EXISTS (SELECT FROM muted
                      WHERE (muted.company_id, muted.user_id, muted.kind) = (told.company_id, told.user_id, told.kind))
), inbox AS (
    -- In one order everywhere: two writers must not wait for each other.
    INSERT INTO inboxes AS inbox (company_id, user_id, number, unread, revision)
    SELECT company_id, user_id, count(*), count(*), count(*) FROM told GROUP BY company_id, user_id
    ORDER BY company_id, user_id
    ON CONFLICT (company_id, user_id) DO UPDATE
    SET number = inbox.number + excluded.number,
        unread = inbox.unread + excluded.unread,
        revision = inbox.revision + excluded.revision
    RETURNING company_id, user_id, number, unread, revision
), numbered AS (
    SELECT ordered.*, inbox.number - later AS number, inbox.unread - later AS unread, inbox.revision - later AS revision
    FROM (SELECT id, company_id, user_id, body, correlation_id, place,
                 count(*) OVER (PARTITION BY company_id, user_id ORDER BY place DESC) - 1 AS later
          FROM told) AS ordered
    JOIN inbox USING (company_id, user_id)
), kept AS (
    INSERT INTO notifications (id, company_id, user_id, number, body)
    SELECT id, company_id, user_id, number, body FROM numbered
)
INSERT INTO outbox (company_id, user_id, key, event, data, correlation_id)
SELECT company_id, user_id, id::text, 'notification.created',
       body || jsonb_build_object('number', number, 'unread', unread, 'revision', revision), correlation_id
FROM numbered ORDER BY place
"""
_COUNT_JOBS = """
INSERT INTO jobs AS job (company_id, job_id, count, position)
SELECT * FROM unnest(%(companies)s::uuid[], %(jobs)s::text[], %(counts)s::bigint[], %(positions)s::bigint[])
ON CONFLICT (company_id, job_id) DO UPDATE
SET count = job.count + excluded.count, position = greatest(job.position, excluded.position)
"""
_LEAVE_OUT = """
INSERT INTO passed_over (company_id, position) SELECT * FROM unnest(%(companies)s::uuid[], %(positions)s::bigint[])
"""
_TAKE_UP = "DELETE FROM passed_over WHERE company_id = %(company)s AND position = %(position)s"
_IS_PASSED_OVER = "SELECT FROM passed_over WHERE company_id = %(company)s AND position = %(position)s"
_END_TOKENS = """
INSERT INTO ended_tokens AS ended (company_id, user_id, since, position)
SELECT * FROM unnest(%(companies)s::uuid[], %(users)s::uuid[], %(since)s::timestamptz[], %(positions)s::bigint[])
ON CONFLICT (company_id, user_id) DO UPDATE
SET since = excluded.since, position = excluded.position, before = ended.since WHERE excluded.since > ended.since
"""
_WAITING = """
SELECT id, company_id::text, user_id::text, key, event, data, except_socket, correlation_id
FROM outbox ORDER BY id LIMIT %(limit)s
"""
_SENT = "DELETE FROM outbox WHERE id = ANY(%(ids)s)"
_JOBS_OWED = "SELECT DISTINCT company_id::text FROM jobs WHERE signalled < position"
_JOB_OWED = """
SELECT job_id, count, position, (SELECT epoch FROM cursors WHERE cursors.company_id = jobs.company_id)
FROM jobs WHERE company_id = %(company)s AND signalled < position
ORDER BY signalled, job_id LIMIT 1
"""
_JOB_SIGNALLED = """
UPDATE jobs SET signalled = %(position)s
WHERE company_id = %(company)s AND job_id = %(job)s AND signalled < %(position)s
"""
_PUSH_SEQUENCE = "SELECT coalesce(max(push_sequence), 0) FROM cursors"
_STATS_OWED = "SELECT company_id::text FROM cursors WHERE stats_due > stats_pushed"
_STATS_PUSHED = """
UPDATE cursors SET stats_pushed = %(position)s WHERE company_id = %(company)s AND stats_pushed < %(position)s
"""
# Locks the inboxes first, in one order, as everybody does. What goes is told as read: it counts as unread no more.
_FORGET_NOTIFICATIONS = """
WITH full_inbox AS MATERIALIZED (
    SELECT company_id, user_id, number - %(kept)s AS last FROM inboxes AS inbox
    WHERE number > %(kept)s AND EXISTS (
        SELECT FROM notifications AS old
        WHERE (old.company_id, old.user_id) = (inbox.company_id, inbox.user_id)
          AND old.number <= inbox.number - %(kept)s
    )
    ORDER BY company_id, user_id LIMIT %(inboxes)s FOR UPDATE
), gone AS (
    DELETE FROM notifications USING (
        SELECT oldest.id
        FROM full_inbox AS inbox, LATERAL (
            SELECT id FROM notifications AS old
            WHERE (old.company_id, old.user_id) = (inbox.company_id, inbox.user_id) AND old.number <= inbox.last
            ORDER BY old.number LIMIT %(each)s
        ) AS oldest
    ) AS old
    WHERE notifications.id = old.id
    RETURNING notifications.company_id, notifications.user_id, notifications.number, notifications.read_at
), lost AS (
    SELECT company_id, user_id, max(number) AS last, count(*) FILTER (WHERE read_at IS NULL) AS unread
    FROM gone GROUP BY company_id, user_id
), changed AS (
    UPDATE inboxes AS inbox SET revision = inbox.revision + 1, unread = inbox.unread - lost.unread
    FROM lost WHERE (inbox.company_id, inbox.user_id) = (lost.company_id, lost.user_id) AND lost.unread > 0
    RETURNING inbox.company_id, inbox.user_id, inbox.unread, inbox.revision, lost.last
), told AS (
    INSERT INTO outbox (company_id, user_id, key, event, data)
    SELECT company_id, user_id, 'inbox:' || revision, 'notification.read',
           jsonb_build_object('all_before', last + 1, 'read', true, 'unread', unread, 'revision', revision)
    FROM changed
)
SELECT count(*) FROM gone
"""
# A job that goes on after so long is counted from nothing again: its signal says only that there is something new.
_FORGET_JOBS = """
WITH gone AS (
    DELETE FROM jobs WHERE signalled >= position AND since < now() - make_interval(days => %(days)s) RETURNING job_id
) SELECT count(*) FROM gone
"""
_FORGET_PASSED_OVER = """
WITH gone AS (
    DELETE FROM passed_over WHERE since < now() - make_interval(days => %(days)s) RETURNING position
) SELECT count(*) FROM gone
"""
JOB_DAYS: Final = 30
PASSED_OVER_DAYS: Final = 31
"""A day longer than a dead letter is kept: without its row it could not be applied."""
_INBOXES_AT_ONCE: Final = 20
_NOTIFICATIONS_AT_ONCE: Final = 200  # of each inbox: a step is short, since facts wait for it


_BODIES: Final = TypeAdapter(list[Notification])


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How far a batch brought one company."""

    company_id: str
    position: int
    stats_due: int = 0
    """The position of the last fact that may have changed the company's figures; 0 for none."""
    passed_over: Sequence[int] = ()
    """The positions that had no effect: they became dead letters."""
    epoch: str | None = None
    """The log's."""
    digests: bytes = b""
    """Of the last facts: see `notifier.cursors`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingBack:
    """What a company's cursor becomes when the log does not agree with what was applied."""

    company_id: str
    cursor: Cursor
    true_events: Sequence[str] = ()
    """The ids of the log's facts beyond it, as far as they were asked for: their notifications stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Somebody of a company is told something."""

    company_id: str
    told: Told
    correlation_id: str | None = None
    traceparent: str | None = None
    """Of the push; it is not stored: a push that a crash delays is no part of the trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPart:
    """What a batch holds of a bulk job."""

    company_id: str
    job_id: str
    count: int
    position: int
    """Of its last fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is committed at once."""

    push_sequence: int
    """The last sequence that was stored in `PUSH` before."""
    advances: Sequence[Advance] = ()
    tellings: Sequence[Telling] = ()
    jobs: Sequence[JobPart] = ()
    shut_out: Mapping[tuple[str, str], ShutOut] = field(default_factory=dict)
    """By company and user: each once."""
    taken_up: tuple[str, int] | None = None
    """The company and the position that was passed over and now has its effect; it moves no cursor."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A push in the outbox."""

    id: int
    company_id: str
    user_id: str
    key: str
    event: str
    data: Mapping[str, Any] = field(repr=False)
    except_socket: str | None
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a bulk job is."""

    job_id: str
    count: int
    position: int
    epoch: str | None = None


class Store:
    """Cursors, inboxes and jobs, written by the active process.

    Every method raises `psycopg.OperationalError` without a session.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        # One at a time: what another task executes meanwhile would become a part of our transaction.
        self._turn = asyncio.Lock()

    async def try_lock(self) -> bool:
        """Become the active process, unless another is."""
        [(is_ours,)] = await self._rows(_TRY_LOCK, {"key": LOCK})
        return bool(is_ours)

    async def check(self) -> bool:
        """Find out whether the session still exists; return whether it has just answered.

        Raises:
            psycopg.OperationalError: it does not.
            TimeoutError: the server does not answer.
        """
        if self._turn.locked():  # a statement is under way, with a timeout of its own
            return False
        await asyncio.wait_for(self._execute("SELECT 1"), _STATEMENT_TIMEOUT)
        return True

    def abandon(self) -> None:
        """End the session at once, and the lock with it; what is under way fails."""
        sever(self._connection)

    async def positions(self, companies: Iterable[str]) -> Mapping[str, int]:
        """Return each company's last applied position: 0 where there is none."""
        wanted = list(companies)
        return dict.fromkeys(wanted, 0) | dict(await self._rows(_POSITIONS, {"companies": wanted}))

    async def cursors(self, companies: Iterable[str]) -> dict[str, Cursor]:
        """Return how far each company is applied."""
        wanted = list(companies)
        rows = await self._rows(_CURSORS, {"companies": wanted})
        found = {
            company_id: Cursor(position=position, epoch=epoch, digests=bytes(digests))
            for company_id, position, epoch, digests in rows
        }
        return dict.fromkeys(wanted, Cursor()) | found

    async def companies_after(self, company_id: str, limit: int) -> list[str]:
        """Return the next companies that have a cursor, by id."""
        return [found for (found,) in await self._rows(_CURSORS_AFTER, {"company": company_id, "limit": limit})]

    async def companies_of_other_epochs(self, epoch: str, limit: int) -> list[str]:
        """Return companies whose cursor is not of an epoch of the log."""
        return [found for (found,) in await self._rows(_OF_OTHER_EPOCHS, {"epoch": epoch, "limit": limit})]

    async def adopt(self, company_id: str, epoch: str | None) -> None:
        """Write down of which epoch of the log a cursor is that does not say so."""
        await self._execute(_ADOPT, {"company": company_id, "epoch": epoch})

    async def set_back(self, setting: SettingBack, push_sequence: int) -> None:
        """Take back what followed from facts beyond a position, all or nothing."""
        cursor = setting.cursor
        values = {
            "company": setting.company_id,
            "position": cursor.position,
            "epoch": cursor.epoch,
            "digests": cursor.digests,
            "sequence": push_sequence,
            "true_events": list(setting.true_events),
        }
        statements = (
            _KEEP,
            _LOCK_INBOXES,
            _SET_BACK if cursor.position else _FORGET_CURSOR,
            _TAKE_BACK_PASSED_OVER,
            _TAKE_BACK_JOBS,
            _TAKE_BACK_TOKENS,
            _TAKE_BACK_NOTIFICATIONS,
            _TAKE_BACK_OUTBOX,
            _RENEW_INBOXES,
        )
        async with self._turn, self._connection.transaction():
            for statement in statements:
                await self._connection.execute(statement, values)

    async def commit(self, changes: Changes) -> None:
        """Remember what a batch did, all or nothing. A notification that is there already stays as it is.

        Raises:
            psycopg.DatabaseError: the database does not take it; nothing is changed.
        """
        statements = list(_statements(changes))
        if len(statements) == 1:
            await self._execute(*statements[0])
            return
        async with self._turn, self._connection.pipeline(), self._connection.transaction():
            for statement, values in statements:
                await self._connection.execute(statement, values)

    async def waiting(self, limit: int) -> list[Waiting]:
        """Return the first pushes in the outbox."""
        return [Waiting(*row) for row in await self._rows(_WAITING, {"limit": limit})]

    async def sent(self, ids: Sequence[int]) -> None:
        """Forget pushes that are stored."""
        await self._execute(_SENT, {"ids": list(ids)})

    async def is_passed_over(self, company_id: str, position: int) -> bool:
        """Whether a position below the cursor still has had no effect."""
        return bool(await self._rows(_IS_PASSED_OVER, {"company": company_id, "position": position}))

    async def companies_owed_signals(self) -> list[str]:
        """Return the companies that were not told the last of some bulk job."""
        return [company_id for (company_id,) in await self._rows(_JOBS_OWED)]

    async def job_owed(self, company_id: str) -> JobState | None:
        """Return the job of a company that was told of least lately and has something to tell."""
        rows = await self._rows(_JOB_OWED, {"company": company_id})
        return JobState(*rows[0]) if rows else None

    async def job_was_signalled(self, company_id: str, job: JobState) -> None:
        """Remember how far a company was told of a job."""
        values = {"company": company_id, "job": job.job_id, "position": job.position}
        await self._execute(_JOB_SIGNALLED, values)

    async def push_sequence(self) -> int:
        """Return the last sequence in `PUSH` of a batch that was finished; 0 before the first."""
        [(sequence,)] = await self._rows(_PUSH_SEQUENCE)
        return int(sequence)

    async def companies_owed_stats(self) -> list[str]:
        """Return the companies whose figures may have changed since the last push of them."""
        return [company_id for (company_id,) in await self._rows(_STATS_OWED)]

    async def stats_were_pushed(self, company_id: str, position: int) -> None:
        """Remember the position that the pushed figures reflect."""
        await self._execute(_STATS_PUSHED, {"company": company_id, "position": position})

    async def forget_notifications(self, *, kept: int) -> int:
        """Take a step towards inboxes of no more than `kept` notifications, oldest first; return how many went."""
        values = {"kept": kept, "inboxes": _INBOXES_AT_ONCE, "each": _NOTIFICATIONS_AT_ONCE}
        return await self._count(_FORGET_NOTIFICATIONS, values)

    async def forget_jobs(self) -> int:
        """Forget bulk jobs that were finished long ago; return how many."""
        return await self._count(_FORGET_JOBS, {"days": JOB_DAYS})

    async def forget_passed_over(self) -> int:
        """Forget positions whose dead letters are not kept any more; return how many."""
        return await self._count(_FORGET_PASSED_OVER, {"days": PASSED_OVER_DAYS})

    async def _count(self, statement: str, values: Mapping[str, Any]) -> int:
        [(count,)] = await self._rows(statement, values)
        return int(count)

    async def _execute(self, statement: str, values: Mapping[str, Any] | None = None) -> None:
        async with self._turn:
            await self._connection.execute(statement, values)

    async def _rows(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        async with self._turn:
            return await (await self._connection.execute(statement, values)).fetchall()


def _statements(changes: Changes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return what is executed in one transaction."""
    if changes.tellings:
        yield _KEEP, {}
    if advances := changes.advances:
        yield (
            _ADVANCE,
            {
                "companies": [advance.company_id for advance in advances],
                "positions": [advance.position for advance in advances],
                "stats_due": [advance.stats_due for advance in advances],
                "sequences": [changes.push_sequence] * len(advances),
                "epochs": [advance.epoch for advance in advances],
                "digests": [advance.digests for advance in advances],
            },
        )
        passed = [(advance.company_id, position) for advance in advances for position in advance.passed_over]
        if passed:
            yield _LEAVE_OUT, {"companies": [company for company, _ in passed], "positions": [at for _, at in passed]}
    if changes.taken_up is not None:
        company_id, position = changes.taken_up
        yield _TAKE_UP, {"company": company_id, "position": position}
    if tellings := changes.tellings:
        yield _TELL, _told(tellings)
    if shut_out := changes.shut_out:
        yield (
            _END_TOKENS,
            {
                "companies": [company_id for company_id, _ in shut_out],
                "users": [user_id for _, user_id in shut_out],
                "since": [ended.since for ended in shut_out.values()],
                "positions": [ended.position for ended in shut_out.values()],
            },
        )
    if jobs := changes.jobs:
        yield (
            _COUNT_JOBS,
            {
                "companies": [job.company_id for job in jobs],
                "jobs": [job.job_id for job in jobs],
                "counts": [job.count for job in jobs],
                "positions": [job.position for job in jobs],
            },
        )


def _told(tellings: Sequence[Telling]) -> dict[str, Any]:
    first: dict[str, Telling] = {}
    for telling in tellings:
        first.setdefault(telling.told.notification.id, telling)
    once = first.values()
    return {
        "ids": [telling.told.notification.id for telling in once],
        "companies": [telling.company_id for telling in once],
        "users": [telling.told.user_id for telling in once],
        "kinds": [telling.told.notification.kind for telling in once],
        "bodies": _BODIES.dump_json([telling.told.notification for telling in once]).decode(),
        "correlations": [telling.correlation_id for telling in once],
    }


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Store]:
    """Open one session.

    Raises:
        psycopg.OperationalError: no server, or it refuses.
    """
    connection = await connect(database_url, application_name="notifier", options=_SERVER_OPTIONS, patience=_PATIENCE)
    async with closing(connection):
        yield Store(connection)
