"""Rows of a file that become leads, or change those that are there."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor

from contracts import envelope
from contracts.events import Duplicate, LeadEvent
from leads.domain.company import Company
from leads.domain.duplicates import Contact, is_same_person
from leads.domain.importing import Import, Reader, Row, dated_row, merge_row
from leads.domain.jobs import Job, Portion, Refused
from leads.domain.lead import UNDATED, Lead, evolve, replay
from leads.domain.refusals import Candidate, LeadRefusal
from leads.domain.search import fold
from leads.steps.portions import Setting, refused
from leads.store import duplicates
from leads.store.database import RawConnection
from leads.store.jobs import HISTORY, KNOWN, MATCH, Batch


async def prepare(job: Job, company_id: UUID, company: Company, batch: Batch) -> list[Row]:
    """Return what the rows of a batch would be; in a thread, so that the database works meanwhile."""
    return await asyncio.to_thread(_read, job, company_id, company, batch)


def _read(job: Job, company_id: UUID, company: Company, batch: Batch) -> list[Row]:
    assert isinstance(job.task, Import)
    reader = Reader(job.task, company)
    lead_id = job.task.ids(company_id)
    return [
        reader.row(number, cells, str(lead_id(number)), UNDATED)
        for number, cells in enumerate(batch.items or (), batch.first_item)
    ]


@dataclass(slots=True)
class RowsWork:
    """What comes of some rows, given the leads that are there."""

    setting: Setting
    rows: Sequence[Row]
    before: Mapping[str, Lead] = field(default_factory=dict)
    _known: AsyncCursor[Any] | None = None
    _matched: AsyncCursor[Any] | None = None
    _contacts: list[Contact] = field(default_factory=list)

    async def ask(self, connection: RawConnection) -> None:
        task = self._task
        company_id = self.setting.origin.company_id
        valid = [row.fact.lead for row in self.rows if row.fact is not None]
        if task.is_repeated:
            asked = {"company_id": company_id, "ids": [lead.id for lead in valid]}
            self._known = await connection.execute(KNOWN, asked)
        self._contacts = [
            Contact(lead_id=lead.id, email=lead.email, phone=lead.phone) for lead in valid if lead.email or lead.phone
        ]
        if task.duplicates == "create":
            self._matched = await duplicates.ask(connection, self.setting.origin, self._contacts)
        elif self._contacts:
            reachable = [row for row in self.rows if row.fact and (row.fact.lead.email or row.fact.lead.phone)]
            asked = {
                "company_id": company_id,
                "numbers": [row.number for row in reachable],
                "emails": [contact.email for contact in self._contacts],
                "phones": [contact.phone for contact in self._contacts],
                "names": [fold(row.fact.lead.name) for row in reachable if row.fact],
            }
            self._matched = await connection.execute(MATCH, asked)

    async def decide(self, connection: RawConnection, at: datetime) -> Portion:
        known = {row[0] for row in await self._known.fetchall()} if self._known else set()
        others: Mapping[str, Sequence[Candidate]] = {}
        matches: dict[int, _Match] = {}
        if self._task.duplicates == "create":
            others = await duplicates.found(self._matched, self._contacts)
        elif self._matched is not None:
            matches = _matches(await self._matched.fetchall())
        leads = await self._leads(connection, matches) if self._task.duplicates == "update" else {}
        self.before = dict(leads)
        portion = Portion(len(self.rows))
        seen = _Seen()
        for row in (dated_row(row, at) for row in self.rows):
            if row.fact is None:
                errors = [asdict(error) for error in row.errors]
                code = row.errors[0].code
                portion.refused.append(Refused(item=row.number, lead_id=None, code=code, errors=errors))
                continue
            if row.fact.lead.id in known:
                portion.counts["duplicated"] += 1
                continue
            match = seen.match(row, matches.get(row.number, _Match()))
            if self._task.duplicates == "create":
                self._create(portion, row, seen, [*others.get(row.fact.lead.id, ()), *seen.candidates(row)])
            elif not match.is_any:
                self._create(portion, row, seen, ())
            elif self._task.duplicates == "skip":
                portion.counts["duplicated"] += 1
            else:
                self._update(portion, row, match, leads, seen, at)
        return portion

    @property
    def _task(self) -> Import:
        task = self.setting.job.task
        assert isinstance(task, Import)
        return task

    async def _leads(self, connection: RawConnection, matches: Mapping[int, "_Match"]) -> dict[str, Lead]:
        ids = sorted({lead_id for match in matches.values() for lead_id in match.ids})
        if not ids:
            return {}
        asked = {"company_id": self.setting.origin.company_id, "ids": ids}
        facts: dict[str, list[Any]] = {lead_id: [] for lead_id in ids}
        for lead_id, name, _position, _job_id, data in await (await connection.execute(HISTORY, asked)).fetchall():
            if data is not None:
                facts[lead_id].append(envelope.decode(name, data))
        leads = {lead_id: replay(known) for lead_id, known in facts.items()}
        return {lead_id: lead for lead_id, lead in leads.items() if lead is not None}

    def _create(self, portion: Portion, row: Row, seen: "_Seen", others: Sequence[Candidate]) -> None:
        assert row.fact is not None
        told = tuple(Duplicate(id=other.id, assigned_to=other.assigned_to) for other in others)
        portion.facts.append(replace(row.fact, duplicates=told) if told else row.fact)
        portion.counts["created"] += 1
        seen.add(row.fact)

    def _update(
        self, portion: Portion, row: Row, match: "_Match", leads: dict[str, Lead], seen: "_Seen", at: datetime
    ) -> None:
        lead_id = match.lead_id
        lead = leads.get(lead_id) or seen.leads.get(lead_id)
        try:
            facts = merge_row(lead, row, self._task.defaults, self.setting.company, at)
        except LeadRefusal as refusal:
            portion.refused.append(refused(row.number, lead_id, refusal))
            return
        for fact in facts:
            lead = evolve(lead, fact)
            seen.add(fact)
        if facts:
            assert lead is not None
            leads[lead_id] = lead
        portion.facts += facts
        portion.counts["updated" if facts else "duplicated"] += 1


@dataclass(frozen=True, slots=True)
class _Match:
    """The oldest lead with a row's address, and the oldest one with its number that is the same person."""

    by_email: tuple[datetime, str] | None = None
    by_phone: tuple[datetime, str] | None = None

    @property
    def is_any(self) -> bool:
        return self.by_email is not None or self.by_phone is not None

    @property
    def ids(self) -> set[str]:
        return {match[1] for match in (self.by_email, self.by_phone) if match is not None}

    @property
    def lead_id(self) -> str:
        """The lead that the row is about: an address says so with more certainty than a number."""
        found = self.by_email or self.by_phone
        assert found is not None
        return found[1]


class _Seen:
    """What earlier rows of the batch have brought: the database will show it to the next batch."""

    def __init__(self) -> None:
        self.leads: dict[str, Lead] = {}
        self._emails: dict[str, LeadEvent] = {}
        self._phones: dict[str, dict[str, LeadEvent]] = defaultdict(dict)

    def add(self, fact: LeadEvent) -> None:
        self.leads[fact.lead.id] = evolve(self.leads.get(fact.lead.id), fact)
        if fact.lead.email is not None:
            self._emails.setdefault(fact.lead.email, fact)
        if fact.lead.phone is not None:
            self._phones[fact.lead.phone][fact.lead.id] = fact

    def match(self, row: Row, match: _Match) -> _Match:
        """Return a row's match, in the database or else among earlier rows."""
        assert row.fact is not None
        by_email = self._emails.get(row.fact.lead.email or "")
        by_phone = next(
            (fact for fact in self._with_phone(row) if is_same_person(row.fact.lead, self.leads[fact.lead.id].summary)),
            None,
        )
        known = match.by_phone
        if known is not None and known[1] in self.leads:  # an earlier row may have given it another address
            known = known if is_same_person(row.fact.lead, self.leads[known[1]].summary) else None
        return _Match(match.by_email or _place(by_email), known or _place(by_phone))

    def candidates(self, row: Row) -> list[Candidate]:
        """Return the leads of earlier rows that a row duplicates."""
        assert row.fact is not None
        by_email = self._emails.get(row.fact.lead.email or "")
        earlier = [*([by_email] if by_email else []), *self._with_phone(row)]
        found = {fact.lead.id: fact.lead for fact in earlier}
        return [
            Candidate(id=lead.id, name=lead.name, matched=(), assigned_to=lead.assigned_to)
            for lead in islice(found.values(), duplicates.MOST)
        ]

    def _with_phone(self, row: Row) -> Iterable[LeadEvent]:
        assert row.fact is not None
        return self._phones.get(row.fact.lead.phone or "", {}).values()


def _place(fact: LeadEvent | None) -> tuple[datetime, str] | None:
    return None if fact is None else (fact.lead.created_at, fact.lead.id)


def _matches(rows: Sequence[tuple[int, str, datetime, bool]]) -> dict[int, _Match]:
    matches: dict[int, _Match] = {}
    for number, lead_id, created_at, is_email in rows:
        known = matches.get(number, _Match())
        found = (created_at, lead_id)
        matches[number] = replace(known, by_email=found) if is_email else replace(known, by_phone=found)
    return matches
