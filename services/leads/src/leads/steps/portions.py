"""What one batch of a job comes to: what is asked under the feed's lock, and what is decided by the answers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast
from uuid import UUID

from psycopg import AsyncCursor

from contracts import envelope
from contracts.events import LeadEvent
from leads.command import Origin
from leads.domain.assignment import IN_ROTATION
from leads.domain.company import Company
from leads.domain.duplicates import new_contacts
from leads.domain.jobs import Assign, Bulk, Job, Portion, Refused, Undo, decide
from leads.domain.lead import Lead, replay
from leads.domain.refusals import DuplicateLead, InvalidValue, LeadRefusal, NobodyToAssign
from leads.domain.undoing import ChangedSince, Part, undo
from leads.store import duplicates
from leads.store.database import RawConnection
from leads.store.jobs import HISTORY, SET_TURN, TOUCHED, TURN, Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a batch is decided by."""

    origin: Origin
    job: Job
    company: Company
    batch: Batch


class Work(Protocol):
    """The work on one batch."""

    before: Mapping[str, Lead]
    """The leads that its facts are about, as they were; those that are new are missing."""

    async def ask(self, connection: RawConnection) -> None:
        """Ask what is to be known, in the pipeline that takes the feed's lock."""

    async def decide(self, connection: RawConnection, at: datetime) -> Portion:
        """Return what comes of it at the time that the feed's lock tells."""


@dataclass(frozen=True, slots=True)
class _Past:
    """A lead's facts: their positions, and what job each belongs to. What was said in its chat is left out."""

    parts: Sequence[tuple[int, Part]] = ()

    def lead(self) -> Lead | None:
        return replay(part.fact for _, part in self.parts if part.fact is not None)


@dataclass(slots=True)
class BulkWork:
    """The same change of some leads."""

    setting: Setting
    before: Mapping[str, Lead] = field(default_factory=dict)
    _history: AsyncCursor[Any] | None = None
    _turn: AsyncCursor[Any] | None = None

    async def ask(self, connection: RawConnection) -> None:
        company_id = self.setting.origin.company_id
        asked = {"company_id": company_id, "ids": self.setting.batch.items}
        self._history = await connection.execute(HISTORY, asked)
        if _is_by_turn(self.setting.job):
            self._turn = await connection.execute(TURN, {"company_id": company_id})

    async def decide(self, connection: RawConnection, at: datetime) -> Portion:
        setting = self.setting
        assert isinstance(setting.job.task, Bulk)
        assert self._history is not None
        ids: list[str] = setting.batch.items or []
        pasts = _by_lead(await self._history.fetchall())
        turns = await self._turns()
        portion = Portion(len(ids))
        before: dict[str, Lead] = {}
        for number, lead_id in enumerate(ids, setting.job.done + 1):
            lead = pasts.get(lead_id, _Past()).lead()
            wanted = Assign(assigned_to=turns.now) if turns else setting.job.task.change
            try:
                facts = decide(wanted, lead, setting.company, at)
            except LeadRefusal as refusal:
                portion.refused.append(refused(number, lead_id, refusal))
                continue
            if turns:
                turns.next()
            portion.counts["changed" if facts else "unchanged"] += 1
            if facts:
                assert lead is not None
                before[lead_id] = lead
                portion.facts += facts
        self.before = before
        if turns and turns.drawn:
            row = {"company_id": setting.origin.company_id, "last_user": turns.drawn}
            await connection.execute(SET_TURN, row)
        return portion

    async def _turns(self) -> "_Turns | None":
        if self._turn is None:
            return None
        row = await self._turn.fetchone()
        return _Turns(self.setting.company, row[0] if row else None)


class _Turns:
    """Users who get leads one after the other."""

    def __init__(self, company: Company, last: str | None) -> None:
        self._users = sorted(user.id for user in company.users.values() if user.active and user.role in IN_ROTATION)
        self._index = next((index for index, user in enumerate(self._users) if last is None or user > last), 0)
        self.drawn: str | None = None

    @property
    def now(self) -> str:
        if not self._users:
            raise NobodyToAssign
        return self._users[self._index]

    def next(self) -> None:
        self.drawn = self.now
        self._index = (self._index + 1) % len(self._users)


@dataclass(slots=True)
class UndoWork:
    """Taking back what a job did at some positions."""

    setting: Setting
    before: Mapping[str, Lead] = field(default_factory=dict)
    _touched: AsyncCursor[Any] | None = None

    async def ask(self, connection: RawConnection) -> None:
        first, last = self._positions()
        asked = {"company_id": self.setting.origin.company_id, "first": first, "last": last}
        self._touched = await connection.execute(TOUCHED, asked)

    async def decide(self, connection: RawConnection, at: datetime) -> Portion:
        setting, task = self.setting, self.setting.job.task
        assert isinstance(task, Undo)
        assert self._touched is not None
        ids = [row[0] for row in await self._touched.fetchall()]
        asked = {"company_id": setting.origin.company_id, "ids": ids}
        history = await connection.execute(HISTORY, asked)
        first, last = self._positions()
        portion = Portion(0)
        before: dict[str, Lead] = {}
        numbers: dict[str, int] = {}
        for lead_id, past in _by_lead(await history.fetchall()).items():
            begins = next(position for position, part in past.parts if part.job_id == task.of)
            if not first <= begins <= last:
                continue  # the batch in which the job first touched the lead takes all of it back
            portion.items += 1
            numbers[lead_id] = number = setting.job.done + portion.items
            parts = [part for _, part in past.parts]
            try:
                facts = undo(parts, task.of, setting.job.id, setting.company, at)
            except (ChangedSince, LeadRefusal) as refusal:
                portion.refused.append(refused(number, lead_id, refusal))
                continue
            portion.counts["changed" if facts else "unchanged"] += 1
            lead = past.lead()
            if facts and lead is not None:
                before[lead_id] = lead
                portion.facts += facts
        self.before = before
        await self._leave_out_duplicates(connection, portion, numbers)
        return portion

    async def _leave_out_duplicates(
        self, connection: RawConnection, portion: Portion, numbers: Mapping[str, int]
    ) -> None:
        """Leave a lead as it is whose address another one has got meanwhile; numbers are shared by different people."""
        contacts = new_contacts(portion.facts)
        found = await duplicates.found(await duplicates.ask(connection, self.setting.origin, contacts), contacts)
        for lead_id, candidates in found.items():
            if not any("email" in candidate.matched for candidate in candidates):
                continue
            portion.facts = [fact for fact in portion.facts if fact.lead.id != lead_id]
            portion.counts["changed"] -= 1
            portion.refused.append(refused(numbers[lead_id], lead_id, DuplicateLead(candidates)))

    def _positions(self) -> tuple[int, int]:
        first, last = self.setting.batch.items or (0, 0)
        return first, last


def refused(number: int, lead_id: str | None, refusal: LeadRefusal | ChangedSince) -> Refused:
    """Return what is kept of a refusal."""
    errors = []
    if isinstance(refusal, InvalidValue):
        errors.append({"pointer": refusal.pointer, "message": refusal.message})
    return Refused(item=number, lead_id=lead_id, code=refusal.code, errors=errors)


def _is_by_turn(job: Job) -> bool:
    return isinstance(job.task, Bulk) and isinstance(job.task.change, Assign) and job.task.change.by_turn


def _by_lead(rows: Iterable[tuple[str, str, int, str | None, dict[str, Any] | None]]) -> dict[str, _Past]:
    parts: dict[str, list[tuple[int, Part]]] = defaultdict(list)
    for lead_id, name, position, job_id, data in rows:
        fact = None if data is None else cast("LeadEvent", envelope.decode(name, data))
        parts[lead_id].append((position, Part(fact, job_id)))
    return {lead_id: _Past(known) for lead_id, known in parts.items()}


def new_origin(job: Job, company_id: UUID, origin_id: UUID) -> Origin:
    """Return who does what a job does: its author, as a part of the job."""
    return Origin(
        id=origin_id,
        company_id=company_id,
        actor=UUID(job.author),
        correlation_id=job.correlation_id,
        job_id=UUID(job.id),
    )
