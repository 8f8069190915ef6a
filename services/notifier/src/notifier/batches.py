"""Doing what follows from a batch of facts, company by company in the order of its feed."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog
from nats.aio.msg import Msg
from nats.errors import Error

from contracts.push import TRACE_HEADER
from notifier import metrics
from notifier.effects import Effects, Work
from notifier.feed import Entry, dense, read
from notifier.jobs import JobSignals
from notifier.leads_client import LeadsClient, LeadsUnavailable
from notifier.letters import Letter, Plan, by_company, dead_letters, shut_out, waiting
from notifier.memory import Memory
from notifier.spans import traced
from notifier.stats import StatsPusher
from notifier.store import Store
from notifier.waiting import Backoff, pause
from runtime import tracing
from runtime.broker import PublishFailed
from runtime.windows import acknowledge

LONGEST_RUN: Final = 2000  # facts of one company that one batch fetches; the next batch goes on from there
SHORTEST_DELAY: Final = 0.05  # seconds until a message that waits for others is delivered again
REMEMBERED: Final = 100_000  # companies whose cursors are not read again

_BATCH: Final = "batch"  # beside the companies, a key of the backoff
_log = structlog.stdlib.get_logger("notifier.batches")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """Where effects go."""

    effects: Effects
    store: Store
    stats: StatsPusher
    jobs: JobSignals
    memory: Memory


class BatchHandler:
    """Applies batches, one at a time, while its process is the active one."""

    def __init__(
        self,
        outlets: Outlets,
        leads: LeadsClient,
        *,
        app_id: str,
        backoff: Backoff,
        on_progress: Callable[[], None],
    ) -> None:
        self._outlets = outlets
        self._leads = leads
        self._app_id = app_id
        self._backoff = backoff
        self._on_progress = on_progress
        self._stopping = asyncio.Event()
        self._passed_over: set[str] = set()
        self._cursors: dict[str, int] = {}
        """Nobody else moves them while we have the lock."""

    def stop(self) -> None:
        """Let the batch in hand end now if it only waits for something."""
        self._stopping.set()

    async def handle(self, messages: Sequence[Msg]) -> None:
        """Apply a batch; keep at it while NATS or the database is away, for what comes later must not overtake it.

        Returns without acknowledging when told to stop meanwhile: whoever is active next applies it.
        """
        letters = [Letter(message, read(message.data, self._app_id, _trace_of(message))) for message in messages]
        while not self._stopping.is_set():
            try:
                await self._apply(letters)
            except (PublishFailed, Error, TimeoutError, psycopg.Error) as error:
                _log.warning("batch interrupted", error=type(error).__name__, cause=str(error.__cause__ or ""))
                self._interrupted()
                self._backoff.failed(_BATCH)
                await pause(self._stopping, self._backoff.remaining(_BATCH))
            else:
                self._backoff.succeeded(_BATCH)
                return

    def _interrupted(self) -> None:
        self._cursors.clear()
        self._outlets.effects.interrupted()

    async def _apply(self, letters: Sequence[Letter]) -> None:
        entries = by_company(letters)
        cursors = await self._positions(entries)
        planned = await asyncio.gather(
            *(self._plan(company_id, cursors[company_id], entries[company_id]) for company_id in entries)
        )
        repeats = sum(entry.position <= cursors[entry.company_id] for run in entries.values() for entry in run)
        with traced(planned) as continued:
            plans = await self._done(letters, continued)
        metrics.REPEATS.inc(repeats)
        self._cursors.update((plan.company_id, plan.end) for plan in plans)
        self._record(plans)
        await self._acknowledge(letters, plans)

    async def _positions(self, companies: Iterable[str]) -> Mapping[str, int]:
        if len(self._cursors) > REMEMBERED:
            self._cursors.clear()
        if unknown := [company_id for company_id in companies if company_id not in self._cursors]:
            self._cursors.update(await self._outlets.store.positions(unknown))
        return self._cursors

    async def _done(self, letters: Sequence[Letter], plans: Sequence[Plan]) -> Sequence[Plan]:
        """Do what follows from plans, and return them as they were done."""
        try:
            await self._outlets.effects.do(_work(letters, plans))
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            _log.warning("the database refuses something of a batch", error=type(error).__name__)
            self._interrupted()
            return [await self._done_singly(letters, plan) for plan in plans]
        return plans

    async def _done_singly(self, letters: Sequence[Letter], plan: Plan) -> Plan:
        """Do what follows fact by fact; what the database refuses becomes a dead letter."""
        done: list[Entry] = []
        for entry in plan.run:
            one = Plan(plan.company_id, plan.cursor + len(done), [entry])
            try:
                await self._outlets.effects.do(_work(letters, [one]))
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                self._outlets.effects.interrupted()
                one = Plan(one.company_id, one.cursor, [entry.failed(error)])
                await self._outlets.effects.do(_work(letters, [one]))
            done.extend(one.run)
        return Plan(plan.company_id, plan.cursor, done)

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

    def _record(self, plans: Iterable[Plan]) -> None:
        for plan in plans:
            for event, count in Counter(entry.event for entry in plan.run).items():
                metrics.FACTS_APPLIED.labels(event).inc(count)
            if plan.run and (recorded_at := plan.run[-1].recorded_at) is not None:
                metrics.DELAY.observe(max(0.0, time.time() - recorded_at.timestamp()))
            self._outlets.memory.note(entry.event_id for entry in plan.run)
            _log_applied(plan)
            for event in {entry.event for entry in plan.run if not entry.is_known} - self._passed_over:
                self._passed_over.add(event)
                _log.warning("facts of this name are passed over: it is not of this release", name=event)
            if plan.advance.stats_due:
                self._outlets.stats.mark(plan.company_id)
            if plan.jobs:
                self._outlets.jobs.mark(plan.company_id)

    async def _acknowledge(self, letters: Sequence[Letter], plans: Iterable[Plan]) -> None:
        kept = waiting(letters, plans)
        # Of a company's waiting facts the last is enough to come back: the others will be fetched before it. Were they
        # all kept, one company could fill what the server hands out, and stop every other.
        coming_back = {id(letter) for letter in kept.values()}
        done = [letter.message for letter in letters if id(letter) not in coming_back]
        if done:
            await acknowledge(done[0]._client, done)  # noqa: SLF001 - the connection that brought them
        for company_id, letter in kept.items():
            await letter.message.nak(delay=max(self._backoff.remaining(company_id), SHORTEST_DELAY))
        if len(kept) < len(letters):
            self._on_progress()


def _trace_of(message: Msg) -> str | None:
    return (message.headers or {}).get(TRACE_HEADER) if tracing.is_on() else None


def _log_applied(plan: Plan) -> None:
    """Write one line a fact where facts come one by one, and one for all of a company's where they come in masses."""
    match plan.run:
        case []:
            return
        case [entry]:
            _log.info(
                "fact applied",
                correlation_id=entry.correlation_id,
                event_name=entry.event,
                event_id=entry.event_id,
                company_id=entry.company_id,
                position=entry.position,
                pushes=len(entry.reaction.pushes),
                notifications=len(entry.reaction.notifications),
            )
        case run:
            _log.info(
                "facts applied",
                company_id=plan.company_id,
                position=plan.end,
                facts=[(entry.position, entry.event_id, entry.correlation_id) for entry in run],
                pushes=sum(len(entry.reaction.pushes) for entry in run),
                notifications=sum(len(entry.reaction.notifications) for entry in run),
            )


def _work(letters: Sequence[Letter], plans: Sequence[Plan]) -> Work:
    return Work(
        dead=dead_letters(letters, plans),
        pushes=[push for plan in plans for push in plan.pushes],
        advances=[plan.advance for plan in plans if plan.run],
        tellings=[telling for plan in plans for telling in plan.tellings],
        jobs=[job for plan in plans for job in plan.jobs],
        shut_out=shut_out(entry for plan in plans for entry in plan.run),
    )
