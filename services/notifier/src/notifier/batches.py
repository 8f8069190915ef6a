"""Doing what follows from a batch of facts, company by company in the order of its feed."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import psycopg
import structlog
from nats.aio.msg import Msg
from nats.errors import Error

from contracts.dead import DeadLetter
from contracts.push import TRACE_HEADER
from notifier import metrics
from notifier.cursors import Cursor
from notifier.effects import Effects, Work
from notifier.feed import Entry, Unreadable, dense, read
from notifier.jobs import JobSignals
from notifier.leads_client import LeadsClient, LeadsUnavailable, UnknownCompany
from notifier.letters import Letter, Plan, Verdict, by_company, dead_letters, shut_out, waiting
from notifier.memory import Memory
from notifier.spans import traced
from notifier.stats import StatsPusher
from notifier.store import Store
from notifier.truth import ANOTHER, BEYOND, NO_COMPANY, Applied, Truth, contested, raises_doubt, unanimous
from notifier.waiting import Backoff, pause
from runtime import tracing
from runtime.broker import PublishFailed
from runtime.windows import acknowledge

LONGEST_RUN: Final = 2000  # facts of one company that one batch fetches; the next batch goes on from there
SHORTEST_DELAY: Final = 0.05  # seconds until a message that waits for others is delivered again
REMEMBERED: Final = 100_000  # companies whose cursors are not read again
NOWHERE: Final = -1  # how far the log goes for a company that it does not have

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
        truth: Truth,
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
        self._truth = truth
        self._passed_over: set[str] = set()
        self._cursors: dict[str, Cursor] = {}
        """Nobody else moves them while we have the lock."""
        self._applied = Applied()
        self._reused: dict[str, set[str | None]] = {}
        """Company → event ids under which something untrue was pushed."""
        self._turn = asyncio.Lock()
        self.unconfirmed: dict[str, None] = {}
        """Companies that something was applied for since the log was asked about them, the longest ago first."""

    def stop(self) -> None:
        """Let the batch in hand end now if it only waits for something."""
        self._stopping.set()

    async def handle(self, messages: Sequence[Msg]) -> None:
        """Apply a batch; keep at it while NATS or the database is away, for what comes later must not overtake it.

        Returns without acknowledging when told to stop meanwhile: whoever is active next applies it.
        """
        letters = [Letter(message, self._read(message)) for message in messages]
        while not self._stopping.is_set():
            try:
                async with self._turn:
                    await self._apply(letters)
            except (PublishFailed, Error, TimeoutError, psycopg.Error) as error:
                _log.warning("batch interrupted", error=type(error).__name__, cause=str(error.__cause__ or ""))
                self._interrupted()
                self._backoff.failed(_BATCH)
                await pause(self._stopping, self._backoff.remaining(_BATCH))
            else:
                self._backoff.succeeded(_BATCH)
                return

    async def cursor(self, company_id: str) -> Cursor:
        """Return how far a company is applied.

        Raises:
            psycopg.OperationalError: the database is lost.
        """
        return (await self._positions([company_id]))[company_id]

    async def reconcile(self, company_id: str) -> None:
        """Take back what was applied for a company and is not in the log, if there is anything.

        Raises:
            LeadsUnavailable: see there.
            Exception: as `Effects.do`.
        """
        async with self._turn:
            try:
                await self._reconciled(company_id)
            except (PublishFailed, Error, TimeoutError, psycopg.Error):
                self._interrupted()
                raise

    async def _reconciled(self, company_id: str) -> Cursor:
        cursor = await self.cursor(company_id)
        if cursor.position:
            before, applied = cursor.position, self._applied.of(company_id)
            cursor = await self._truth.reconciled(company_id, cursor, applied=applied)
            untrue = [applied(position) for position in range(cursor.position + 1, before + 1)]
            self._reused[company_id] = {entry.event_id for entry in untrue if entry is not None}
            self._cursors[company_id] = cursor
            self._outlets.stats.mark(company_id)
        return cursor

    def _read(self, message: Msg) -> Entry | Unreadable:
        return read(message.data, self._app_id, _trace_of(message), subject=message.subject)

    def _interrupted(self) -> None:
        self._cursors.clear()
        self._outlets.effects.interrupted()

    async def _apply(self, letters: Sequence[Letter]) -> None:
        entries = by_company(letters)
        await self._positions(entries)
        verdicts = await asyncio.gather(*(self._judge(company_id, run) for company_id, run in entries.items()))
        planned = [verdict.plan for verdict in verdicts]
        dead = dead_letters(letters, verdicts)
        ends = {plan.company_id: plan.cursor for plan in planned}
        repeats = sum(entry.position <= ends[entry.company_id] for run in entries.values() for entry in run)
        with traced(planned) as continued:
            plans = await self._done(dead, continued)
        metrics.REPEATS.inc(repeats)
        self._cursors.update((plan.company_id, plan.after) for plan in plans)
        self._record(plans)
        _report(verdicts)
        await self._tell_again(plans)
        await self._acknowledge(letters, verdicts, plans)

    async def _tell_again(self, plans: Iterable[Plan]) -> None:
        """Let screens load again where `PUSH` drops a fact, since something untrue was pushed under its id."""
        for plan in plans:
            company_id, applied = plan.company_id, {entry.event_id for entry in plan.run}
            reused = self._reused.get(company_id, set())
            if not reused & applied:
                continue
            self._reused[company_id] = reused - applied
            told = self._truth.told(company_id, plan.end, plan.after.epoch, "correction")
            await self._outlets.effects.do(Work(pushes=[told]))

    async def _positions(self, companies: Iterable[str]) -> Mapping[str, Cursor]:
        if len(self._cursors) > REMEMBERED:
            self._cursors.clear()
        if unknown := [company_id for company_id in companies if company_id not in self._cursors]:
            self._cursors.update(await self._outlets.store.cursors(unknown))
        return self._cursors

    async def _judge(self, company_id: str, entries: Sequence[Entry]) -> Verdict:
        """Return what of a company's entries is to be applied, and what is no fact; take back what was untrue first."""
        cursor = self._cursors[company_id]
        ended: frozenset[str] = frozenset()
        if doubtful := [entry for entry in entries if raises_doubt(cursor, entry)]:
            undecided = Verdict(Plan(company_id, cursor, []), undecided=frozenset(map(id, doubtful)))
            if self._backoff.remaining(company_id):
                return undecided
            try:
                cursor = await self._reconciled(company_id)
                ended = await self._truth.ended_epochs(company_id, cursor)
            except LeadsUnavailable as error:
                self._backoff.failed(company_id)
                _log.warning("the log cannot be asked", company_id=company_id, error=str(error))
                return undecided
        foreign = await self._contradicted(company_id, cursor, entries)
        abandoned = frozenset(id(entry) for entry in entries if entry.epoch in ended)
        present = [entry for entry in entries if id(entry) not in abandoned and id(entry) not in foreign]
        plan = await self._plan(company_id, cursor, present)
        contradicted = _contradicted(plan, present)
        undecided_claims = frozenset(id(entry) for entry in contested(present) if entry.position > plan.end)
        return Verdict(plan, foreign | contradicted, abandoned, undecided_claims - contradicted.keys())

    async def _contradicted(self, company_id: str, cursor: Cursor, entries: Sequence[Entry]) -> dict[int, str]:
        """Return the old repeats that the log contradicts; without an answer none: they change nothing anyway."""
        if self._backoff.remaining(company_id):
            return {}
        try:
            return await self._truth.contradicted(company_id, cursor, entries)
        except LeadsUnavailable:
            return {}

    async def _done(self, dead: Sequence[DeadLetter], plans: Sequence[Plan]) -> Sequence[Plan]:
        """Do what follows from plans, and return them as they were done."""
        try:
            await self._outlets.effects.do(_work(dead, plans))
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            _log.warning("the database refuses something of a batch", error=type(error).__name__)
            self._interrupted()
            return [await self._done_singly(dead, plan) for plan in plans]
        return plans

    async def _done_singly(self, dead: Sequence[DeadLetter], plan: Plan) -> Plan:
        """Do what follows fact by fact; what the database refuses becomes a dead letter."""
        await self._outlets.effects.do(Work(dead=dead))
        done: list[Entry] = []
        for entry in plan.run:
            one = Plan(plan.company_id, Plan(plan.company_id, plan.start, done).after, [entry])
            try:
                await self._outlets.effects.do(_work((), [one]))
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                self._outlets.effects.interrupted()
                one = Plan(one.company_id, one.start, [entry.failed(error)])
                await self._outlets.effects.do(_work(dead_letters([], [Verdict(one)]), [one]))
            done.extend(one.run)
        return Plan(plan.company_id, plan.start, done, plan.head)

    async def _plan(self, company_id: str, cursor: Cursor, entries: Sequence[Entry]) -> Plan:
        """Return the dense run after the cursor, with the facts that are missing or in doubt fetched.

        It ends early when they cannot be fetched, and where the log ends.
        """
        believed = unanimous(cursor, entries)
        run = dense(believed, after=cursor.position)
        wanted = max((entry.position for entry in entries), default=cursor.position)
        head: int | None = None
        try:
            while (reached := cursor.position + len(run)) < wanted and len(run) < LONGEST_RUN:
                if self._backoff.remaining(company_id):
                    break
                fetched, head = await self._fetch(company_id, after=reached, present=believed)
                run += fetched
                if head <= reached:
                    break
        except LeadsUnavailable as error:
            self._backoff.failed(company_id)
            _log.warning("facts missing", company_id=company_id, after=cursor.position + len(run), error=str(error))
        else:
            self._backoff.succeeded(company_id)
        return Plan(company_id, cursor, run, head)

    async def _fetch(self, company_id: str, *, after: int, present: Iterable[Entry]) -> tuple[list[Entry], int]:
        """Return what follows a position, and how far the log goes; -1 when it has no such company."""
        try:
            answer = await self._leads.changes(company_id, after=after)
        except UnknownCompany:
            return [], NOWHERE
        contents = [read(body, self._app_id) for body in answer.facts]
        fetched = [entry for entry in contents if isinstance(entry, Entry) and entry.company_id == company_id]
        if answer.feed.position <= after:
            return [], answer.feed.position
        run = dense([*present, *fetched], after=after)
        if not run:
            raise LeadsUnavailable(f"the answer does not hold position {after + 1}")
        metrics.FACTS_FETCHED.inc(len(fetched))
        return run, answer.feed.position

    def _record(self, plans: Iterable[Plan]) -> None:
        for plan in plans:
            for event, count in Counter(entry.event for entry in plan.run).items():
                metrics.FACTS_APPLIED.labels(event).inc(count)
            if plan.run and (recorded_at := plan.run[-1].recorded_at) is not None:
                metrics.DELAY.observe(max(0.0, time.time() - recorded_at.timestamp()))
            self._outlets.memory.note(entry.event_id for entry in plan.run)
            self._applied.note(plan.run)
            if plan.run:
                self.unconfirmed[plan.company_id] = None
            _log_applied(plan)
            for event in {entry.event for entry in plan.run if not entry.is_known} - self._passed_over:
                self._passed_over.add(event)
                _log.warning("facts of this name are passed over: it is not of this release", name=event)
            if plan.advance.stats_due:
                self._outlets.stats.mark(plan.company_id)
            if plan.jobs:
                self._outlets.jobs.mark(plan.company_id)

    async def _acknowledge(self, letters: Sequence[Letter], verdicts: Sequence[Verdict], plans: Sequence[Plan]) -> None:
        kept = waiting(letters, [replace(each, plan=plan) for each, plan in zip(verdicts, plans, strict=True)])
        # Of a company's waiting facts the last is enough to come back: the others will be fetched before it. Were they
        # all kept, one company could fill what the server hands out, and stop every other.
        coming_back = {id(letter) for some in kept.values() for letter in some}
        done = [letter.message for letter in letters if id(letter) not in coming_back]
        if done:
            await acknowledge(done[0]._client, done)  # noqa: SLF001 - the connection that brought them
        for company_id, some in kept.items():
            for letter in some:
                await letter.message.nak(delay=max(self._backoff.remaining(company_id), SHORTEST_DELAY))
        if len(coming_back) < len(letters):
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


def _contradicted(plan: Plan, entries: Iterable[Entry]) -> dict[int, str]:
    """Return the entries that are not what was applied at their position, and those beyond the log, each with why."""
    run = {entry.position: entry.digest for entry in plan.run}
    found: dict[int, str] = {}
    for entry in entries:
        known = run.get(entry.position, plan.start.digest_at(entry.position))
        if known is not None and known != entry.digest:
            found[id(entry)] = ANOTHER
        elif plan.head is not None and entry.position > max(plan.head, plan.end):
            found[id(entry)] = NO_COMPANY if plan.head == NOWHERE else BEYOND
    return found


def _report(verdicts: Iterable[Verdict]) -> None:
    for verdict in verdicts:
        if verdict.foreign:
            metrics.FOREIGN.inc(len(verdict.foreign))
            causes = sorted(set(verdict.foreign.values()))
            _log.error("no facts", company_id=verdict.plan.company_id, count=len(verdict.foreign), causes=causes)
        if verdict.abandoned:
            metrics.ABANDONED.inc(len(verdict.abandoned))
            _log.warning(
                "facts of an epoch that has ended", company_id=verdict.plan.company_id, count=len(verdict.abandoned)
            )


def _work(dead: Sequence[DeadLetter], plans: Sequence[Plan]) -> Work:
    return Work(
        dead=dead,
        pushes=[push for plan in plans for push in plan.pushes],
        advances=[plan.advance for plan in plans if plan.run],
        tellings=[telling for plan in plans for telling in plan.tellings],
        jobs=[job for plan in plans for job in plan.jobs],
        shut_out=shut_out(entry for plan in plans for entry in plan.run),
    )
