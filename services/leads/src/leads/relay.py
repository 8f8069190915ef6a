"""Publish the outbox, in order: one active process, others stand by.

State-based: a row exists = its event is not yet on the stream. There is no cursor, so nothing can be skipped: a reader
of "ids above the last one" would step over a row whose transaction commits late, or publish a company's next event
ahead of it. Only below the floor nobody looks: no transaction that could still commit a row there is running.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, time
from typing import Final, Literal, NoReturn, TypeAlias

import psycopg
import structlog
from prometheus_client import Counter, Gauge, Histogram

from contracts import streams, subjects
from contracts.push import CORRELATION_HEADER, MESSAGE_ID_HEADER, TRACE_HEADER
from leads.fence import FencedPublisher, is_overtaken
from leads.reseed import Connection, Reseed
from leads.setback import SetBackWatch
from leads.store.facts import COLUMNS, Recorded
from runtime import tracing
from runtime.broker import Outgoing, PublishFailed
from runtime.buckets import DELAYS
from runtime.live import LiveClient
from runtime.postgres import closing, connect, server_options
from runtime.tasks import together
from runtime.tracing import Span
from runtime.windows import WindowPublisher

WINDOW: Final = 1000  # messages between two barriers
IDLE: Final = 0.01  # seconds between two looks at an empty outbox: an index scan of nothing
STANDBY: Final = 0.25  # seconds between two tries for the lock
BACKOFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before each new try after a failure; the last one repeats
UPKEEP: Final = 1.0  # seconds between looks at the lag, and attempts to raise the floor
LAG_LIMIT: Final = 60.0  # seconds the oldest row may wait before the relay counts as stuck

# Polled, not waited for: a session that waits for a lock keeps a snapshot open, and vacuum off the outbox.
LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('leadwire.leads.relay'))"
UNPUBLISHED: Final = f"""
SELECT o.id, {COLUMNS}
FROM (SELECT * FROM outbox WHERE id > %(floor)s ORDER BY id LIMIT %(limit)s) AS o
JOIN events AS e USING (company_id, feed_position) ORDER BY o.id
"""  # noqa: S608 - a constant
# The past of a company that is published once more goes before what waits.
UNPUBLISHED_IN_A_RESEED: Final = f"""
SELECT o.id, {COLUMNS}
FROM (
    SELECT * FROM outbox WHERE id > %(floor)s AND NOT EXISTS (
        SELECT FROM reseed_companies AS r
        WHERE r.generation = %(generation)s AND r.company_id = outbox.company_id AND r.position < r.until_position
    )
    ORDER BY id LIMIT %(limit)s
) AS o
JOIN events AS e USING (company_id, feed_position) ORDER BY o.id
"""  # noqa: S608 - a constant
PUBLISHED: Final = "DELETE FROM outbox WHERE id = ANY(%(ids)s)"
LAG: Final = """
SELECT (SELECT count(*) FROM (SELECT FROM outbox WHERE id > %(floor)s ORDER BY id LIMIT 100000) AS counted),
       (SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8
        FROM (SELECT * FROM outbox WHERE id > %(floor)s ORDER BY id LIMIT 1) AS o
        JOIN events AS e USING (company_id, feed_position))
"""
# All of one snapshot: what finished before its xmin is visible in it, or never will be.
HORIZON: Final = """
SELECT pg_current_xact_id()::text::bigint, pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
       (SELECT min(id) FROM outbox WHERE id > %(floor)s)
"""

# A relay that is frozen, cut off or stuck loses its session within seconds, and its lock with it.
SESSION: Final = server_options(
    idle_session_timeout="5s", idle_in_transaction_session_timeout="5s", statement_timeout="5s"
)
PATIENCE: Final = 6.0  # seconds for an answer of PostgreSQL
HEARTBEAT: Final = 1.0  # seconds between two statements that show the session is alive
FAILING: Final = 4.0  # seconds for which publishing may fail until another relay has its turn
UNABLE: Final = 2.0  # seconds for which the stream may be known not to answer, with nothing to publish
STUCK: Final = 8.0  # seconds that one window may take
REST: Final = 2.0  # seconds before a relay that gave up the lock tries for it again
PROGRESS_LIMIT: Final = 5.0  # seconds without a turn of the loop until an active relay is not ready

_log = structlog.stdlib.get_logger("leads.relay")
_published = Counter("relay_published_total", "Facts that the stream has stored")
_reseeded = Counter("relay_reseeded_total", "Facts that were published once more for a reseed")
_size = Gauge("relay_outbox_rows", "Facts that are not yet on the stream; counted up to 100,000")
_age = Gauge("relay_outbox_oldest_seconds", "For how long the oldest of them has waited")
_delay = Histogram(
    "relay_publish_delay_seconds",
    "From recording a fact to the stream's acknowledgement; of the oldest of each window",
    buckets=DELAYS,
)
_failures = Counter("relay_publish_failures_total", "Windows that the stream did not acknowledge as a whole")
_active = Gauge("relay_active", "1 in the process that publishes, 0 in a standby")

Role: TypeAlias = Literal["disconnected", "standby", "active"]


@dataclass(frozen=True, slots=True)
class Pending:
    """One row of the outbox, with its event."""

    id: int
    event: Recorded

    def message(self, spans: Mapping[str, Span]) -> Outgoing:
        return message(self.event, self.event.event_id, spans.get(self.event.metadata.get("traceparent", "")))


def message(event: Recorded, message_id: str, span: Span | None = None) -> Outgoing:
    """Return an event as it goes to the stream, perhaps as a part of a trace."""
    headers = {MESSAGE_ID_HEADER: message_id}
    if (correlation_id := event.metadata.get("correlation_id")) is not None:
        headers[CORRELATION_HEADER] = correlation_id
    if span is not None:
        headers[TRACE_HEADER] = span.traceparent
    return Outgoing(subjects.fact(event.company_id, event.stream_id, event.type), event.to_json(), headers)


class Outbox:
    """What is committed and not yet published."""

    def __init__(self, connection: Connection, watch: SetBackWatch | None = None) -> None:
        self._connection = connection
        self._watch = watch
        self.reseed = Reseed(connection)
        self._floor = 0
        self._deleted = 0  # the highest id
        self._mark: tuple[int, int] | None = None  # a floor to be, and the transactions that must have ended by then

    async def read(self, limit: int) -> Sequence[Pending]:
        """Return the first rows that exist, in order."""
        generation = self.reseed.generation
        statement = UNPUBLISHED if generation is None else UNPUBLISHED_IN_A_RESEED
        rows = await self._connection.execute(
            statement, {"floor": self._floor, "limit": limit, "generation": generation}
        )
        return [Pending(row[0], Recorded(*row[1:])) for row in await rows.fetchall()]

    async def delete(self, published: Sequence[Pending]) -> None:
        await self._connection.execute(PUBLISHED, {"ids": [row.id for row in published]})
        self._deleted = max([self._deleted, *(row.id for row in published)])

    def note(self, events: Sequence[Recorded], sequences: Sequence[int], *, again: bool = False) -> None:
        """Remember what the stream has stored, to notice when the log no longer has it."""
        if self._watch is not None:
            self._watch.published(events, sequences, again=again)

    async def look_at_log(self) -> None:
        """Find out whether the log was set back; then the ids of its outbox may begin again, too."""
        if self._watch is not None and await self._watch.look():
            self._floor, self._deleted, self._mark = 0, 0, None

    async def read_again(self, limit: int) -> Sequence[Recorded]:
        """Return what a reseed publishes next."""
        return await self.reseed.read(limit, self._floor)

    async def advance(self, published: Sequence[Recorded]) -> None:
        """Account for what a reseed has published."""
        await self.reseed.advance(published, self._floor)

    async def lag(self) -> tuple[int, float]:
        """Return how many rows wait, and for how many seconds the oldest does."""
        row = await (await self._connection.execute(LAG, {"floor": self._floor})).fetchone()
        assert row is not None  # two scalar subqueries
        return row[0], row[1] or 0.0

    async def raise_floor(self) -> None:
        """Leave dead rows behind that vacuum cannot remove yet: 100,000 of them make each look cost 16 ms.

        An id is drawn by a transaction that has its transaction id already. So once all transactions up to a present
        one have ended, no row can appear at or below an id that was deleted before.
        """
        row = await (await self._connection.execute(HORIZON, {"floor": self._floor})).fetchone()
        assert row is not None
        transaction, oldest_running, first_row = row
        if self._mark is not None:
            deleted, horizon = self._mark
            if oldest_running <= horizon:
                return
            self._floor = deleted if first_row is None else min(deleted, first_row - 1)
        self._mark = self._deleted, transaction


class GivenUp(Exception):
    """Publishing does not get on here: another relay shall try."""


class Relay:
    """One process' share of the work: publish while it holds the lock, else stand by.

    Losing the database connection is losing the lock: it starts over. The lock is for who gets on (docs/adr/0025): a
    relay that cannot publish gives it up, and one whose NATS is of no use does not try for it.
    """

    def __init__(self, database_url: str, *, is_able: Callable[[], bool] = lambda: True) -> None:
        """Connect nowhere yet.

        Args:
            database_url: of the role leads_relay.
            is_able: whether the stream can be published to from here, as far as is known.
        """
        self._database_url = database_url
        self._is_able = is_able
        self._turned_at = monotonic()  # the last time that all was published, or a window of it
        self._window_began: float | None = None
        self.role: Role = "disconnected"
        self.lag = 0.0
        """Seconds the oldest unpublished fact had waited when last measured."""
        self.between_windows = asyncio.Lock()
        """Whoever holds it may cancel `run` without leaving a window half accounted for."""

    @property
    def stood_for(self) -> float:
        """Seconds since the loop of an active relay last came round; 0 for any other."""
        return monotonic() - self._turned_at if self.role == "active" else 0.0

    async def run(self, nats: LiveClient) -> NoReturn:
        """Work until cancelled."""
        windows = WindowPublisher(nats)
        watch = SetBackWatch(nats)
        while True:
            pause = STANDBY
            try:
                async with closing(await self._connect()) as connection:
                    outbox = Outbox(connection, watch)
                    await self._wait_for_lock(connection, outbox)
                    watch.begin(connection)
                    await together(self._publish(outbox, FencedPublisher(windows)), self._keep(connection))
            except psycopg.Error as error:  # of whatever kind: on a broken connection cleaning up raises others
                _log.warning("database connection lost", error=type(error).__name__)
            except GivenUp as reason:
                _log.warning("lock given up", reason=str(reason))
                pause = REST
            finally:
                self._become("disconnected")
            await asyncio.sleep(pause)

    async def _connect(self) -> Connection:
        return await connect(self._database_url, application_name="leads-relay", options=SESSION, patience=PATIENCE)

    async def _wait_for_lock(self, connection: Connection, outbox: Outbox) -> None:
        measure_at = 0.0
        while not self._is_able() or await (await connection.execute(LOCK)).fetchone() != (True,):
            self._become("standby")
            if not self._is_able() and monotonic() >= measure_at:  # perhaps nobody is: somebody must tell what waits
                await self._measure(outbox)
                measure_at = monotonic() + UPKEEP
            await asyncio.sleep(STANDBY)
        self._turned_at = monotonic()
        self._become("active")

    async def _keep(self, connection: Connection) -> NoReturn:
        """Show the server that the session is alive, as long as windows come to an end and the stream answers."""
        able_at = monotonic()
        while True:
            if self._is_able():
                able_at = monotonic()
            elif monotonic() - able_at > UNABLE:
                raise GivenUp("the stream does not answer")
            if self._window_began is not None and monotonic() - self._window_began > STUCK:
                raise GivenUp("a window does not end")
            await connection.execute("SELECT 1")
            await asyncio.sleep(HEARTBEAT)

    async def _publish(self, outbox: Outbox, publisher: FencedPublisher) -> NoReturn:
        failures = 0
        upkeep = next_look = monotonic()
        while True:
            if monotonic() >= upkeep:
                await self._measure(outbox)
                await outbox.raise_floor()
                await outbox.look_at_log()
                await outbox.reseed.look()
                upkeep = monotonic() + UPKEEP
            try:
                async with self.between_windows:
                    with self._window():
                        count = 0
                        if outbox.reseed.generation is None or monotonic() >= next_look:
                            began = monotonic()
                            count = await publish_next(outbox, publisher)
                            # In a reseed it goes through all that waits for its company's turn, which may be very much.
                            next_look = monotonic() + 4 * (monotonic() - began)
                        if outbox.reseed.generation is not None:
                            count = max(count, await publish_again(outbox, publisher))
            except PublishFailed as failure:
                if monotonic() - self._turned_at > FAILING:
                    raise GivenUp(str(failure)) from failure
                if not is_overtaken(failure):
                    _failures.inc()
                    _log.warning("publishing failed", error=str(failure))
                    await asyncio.sleep(BACKOFF[min(failures, len(BACKOFF) - 1)])
                    failures += 1
                continue
            failures = 0
            self._turned_at = monotonic()
            if count < WINDOW:
                await asyncio.sleep(IDLE)

    @contextmanager
    def _window(self) -> Iterator[None]:
        self._window_began = monotonic()
        try:
            yield
        finally:
            self._window_began = None

    async def _measure(self, outbox: Outbox) -> None:
        rows, self.lag = await outbox.lag()
        _size.set(rows)
        _age.set(self.lag)

    def _become(self, role: Role) -> None:
        if role != self.role:
            _log.info("relay role", role=role)
        self.role = role
        _active.set(role == "active")
        if role == "disconnected" or (role == "standby" and self._is_able()):  # the outbox is another's business now
            self.lag = 0.0
            _size.set(0)
            _age.set(0)


async def publish_next(outbox: Outbox, publisher: FencedPublisher) -> int:
    """Publish one window and delete what the stream has stored; return how many that were.

    Raises:
        PublishFailed: some row was not acknowledged; it and all behind it stay in the outbox.
    """
    window = await outbox.read(WINDOW)
    if not window:
        return 0
    spans = tracing.begin_each(
        f"{streams.CRM} publish", "producer", (row.event.metadata.get("traceparent") for row in window)
    )
    failed: str | None = "not acknowledged as a whole"
    try:
        sequences = await publisher.publish([row.message(spans) for row in window])
        failed = None
    except PublishFailed as failure:
        await _account_for(outbox, window[: failure.acknowledged])
        raise
    finally:
        for span in spans.values():
            span.end(error=failed, messaging__system="nats", messaging__batch__message_count=len(window))
    outbox.note([row.event for row in window], sequences)
    await _account_for(outbox, window)
    return len(window)


async def publish_again(outbox: Outbox, publisher: FencedPublisher) -> int:
    """Publish one window of a reseed and write down what the stream has stored; return how many that were.

    Raises:
        PublishFailed: some were not acknowledged.
    """
    window = await outbox.read_again(WINDOW)
    if not window:
        _log.info("reseed ended", generation=outbox.reseed.generation)
        await outbox.reseed.end()
        return 0
    generation = outbox.reseed.generation
    try:
        sequences = await publisher.publish([message(event, f"{event.event_id}:r{generation}") for event in window])
    except PublishFailed as failure:
        await outbox.advance(window[: failure.acknowledged])
        raise
    outbox.note(window, sequences, again=True)
    await outbox.advance(window)
    _reseeded.inc(len(window))
    return len(window)


async def _account_for(outbox: Outbox, stored: Sequence[Pending]) -> None:
    await outbox.delete(stored)
    if stored:
        _published.inc(len(stored))
        _delay.observe(max(0.0, time() - stored[0].event.recorded_at.timestamp()))
