"""Doing what follows from a batch of facts, company by company in the order of its feed.

The order of effects: dead letters and pushes are stored, cursors are committed, messages are acknowledged. A crash in
between repeats some of it, under the same message ids.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from psycopg import OperationalError

from contracts.dead import DeadLetter
from notifier import metrics
from notifier.feed import Entry, dense, read
from notifier.leads_client import LeadsClient, LeadsUnavailable
from notifier.letters import Letter, Plan, by_company, dead_letters, waiting
from notifier.published import PushStream, windows
from notifier.stats import StatsPusher
from notifier.store import Advance, Store
from notifier.waiting import Backoff, pause
from runtime.broker import Outgoing, PublishFailed, publish_window

LONGEST_RUN: Final = 2000  # facts of one company that one batch fetches; the next batch goes on from there
RETRY: Final = 0.5  # seconds until an interrupted batch is tried again
SHORTEST_DELAY: Final = 0.05  # seconds until a message that waits for others is delivered again

_log = structlog.stdlib.get_logger("notifier.batches")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """Where effects go."""

    js: JetStreamContext
    pushes: PushStream
    store: Store
    stats: StatsPusher


class BatchHandler:
    """Applies batches, one at a time, while its process is the active one."""

    def __init__(
        self,
        outlets: Outlets,
        leads: LeadsClient,
        *,
        app_id: str,
        clock: Callable[[], float],
        on_progress: Callable[[], None],
    ) -> None:
        self._outlets = outlets
        self._leads = leads
        self._app_id = app_id
        self._backoff = Backoff(clock)
        self._on_progress = on_progress
        self._stopping = asyncio.Event()
        self._passed_over: set[str] = set()

    def stop(self) -> None:
        """Let the batch in hand end now if it only waits for something."""
        self._stopping.set()

    async def handle(self, messages: Sequence[Msg]) -> None:
        """Apply a batch; keep at it while NATS or the database is away, for what comes later must not overtake it.

        Returns without acknowledging when told to stop meanwhile: whoever is active next applies it.
        """
        letters = [Letter(message, read(message.data, self._app_id)) for message in messages]
        while not self._stopping.is_set():
            try:
                await self._apply(letters)
            except (PublishFailed, Error, TimeoutError, OperationalError) as error:
                _log.warning("batch interrupted", error=type(error).__name__, cause=str(error.__cause__ or ""))
                self._outlets.pushes.interrupted()
                await pause(self._stopping, RETRY)
            else:
                return

    async def _apply(self, letters: Sequence[Letter]) -> None:
        entries = by_company(letters)
        cursors = await self._outlets.store.positions(entries)
        plans = await asyncio.gather(
            *(self._plan(company_id, cursors[company_id], entries[company_id]) for company_id in entries)
        )
        await self._bury(dead_letters(letters, plans))
        sequence = await self._outlets.pushes.publish(
            [push for plan in plans for entry in plan.run for push in entry.reaction.pushes]
        )
        advances = [plan.advance for plan in plans if plan.run]
        if advances:
            await self._outlets.store.advance(advances, push_sequence=sequence)
        self._outlets.pushes.finish(sequence)
        self._record(plans, advances)
        await self._acknowledge(letters, plans)

    async def _plan(self, company_id: str, cursor: int, entries: Sequence[Entry]) -> Plan:
        """Return the dense run after the cursor, with the facts that are missing in between fetched.

        It ends early when they cannot be fetched; a fact that is broken is not worth fetching others for.
        """
        run = dense(entries, after=cursor)
        wanted = max((entry.position for entry in entries if entry.failure is None), default=cursor)
        try:
            while (reached := cursor + len(run)) < wanted and len(run) < LONGEST_RUN:
                if self._backoff.remaining(company_id):
                    break
                run += await self._fetch(company_id, after=reached, present=entries)
        except LeadsUnavailable as error:
            self._backoff.failed(company_id)
            _log.warning("facts missing", company_id=company_id, after=cursor + len(run), error=str(error))
        else:
            self._backoff.succeeded(company_id)
        return Plan(company_id, cursor, run)

    async def _fetch(self, company_id: str, *, after: int, present: Iterable[Entry]) -> list[Entry]:
        contents = [read(body, self._app_id) for body in await self._leads.changes(company_id, after=after)]
        fetched = [entry for entry in contents if isinstance(entry, Entry) and entry.company_id == company_id]
        run = dense([*present, *fetched], after=after)
        if not run:
            raise LeadsUnavailable(f"the answer does not hold position {after + 1}")
        metrics.FACTS_FETCHED.inc(len(fetched))
        return run

    async def _bury(self, dead: Sequence[DeadLetter]) -> None:
        for window in windows(dead):
            await publish_window(
                self._outlets.js, [Outgoing(letter.subject, letter.payload, letter.headers) for letter in window]
            )
        for letter in dead:
            metrics.DEAD_LETTERS.inc()
            _log.error("dead letter", subject=letter.source, sequence=letter.sequence, cause=letter.cause)

    def _record(self, plans: Iterable[Plan], advances: Iterable[Advance]) -> None:
        for plan in plans:
            for entry in plan.run:
                metrics.FACTS_APPLIED.labels(entry.event).inc()
                _log.info(
                    "fact applied",
                    correlation_id=entry.correlation_id,
                    event_name=entry.event,
                    event_id=entry.event_id,
                    company_id=entry.company_id,
                    position=entry.position,
                    pushes=len(entry.reaction.pushes),
                )
                if not entry.is_known and entry.event not in self._passed_over:
                    self._passed_over.add(entry.event)
                    _log.warning("facts of this name are passed over: it is not of this release", name=entry.event)
        for advance in advances:
            if advance.stats_due:
                self._outlets.stats.mark(advance.company_id)

    async def _acknowledge(self, letters: Sequence[Letter], plans: Iterable[Plan]) -> None:
        kept = waiting(letters, plans)
        # Of a company's waiting facts the last is enough to come back: the others will be fetched before it. Were they
        # all kept, one company could fill what the server hands out, and stop every other.
        coming_back = {id(letter) for letter in kept.values()}
        for letter in letters:
            if id(letter) not in coming_back:
                await letter.message.ack()
        for company_id, letter in kept.items():
            await letter.message.nak(delay=max(self._backoff.remaining(company_id), SHORTEST_DELAY))
        if len(kept) < len(letters):
            self._on_progress()
