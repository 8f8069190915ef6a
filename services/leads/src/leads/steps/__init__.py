"""One step of a job: a batch is decided, appended and counted in one transaction, under the feed's lock.

So a job goes on exactly where it stood, whoever works on it and whatever is killed; and no other writer comes between
what a step reads and what it appends.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from contracts.events import Fact, ImportReverted, Outcome
from leads import access
from leads.access import AccessRefused, Permit
from leads.command import Feed, SettingsChanged
from leads.domain import jobs as rules
from leads.domain.company import Company
from leads.domain.importing import Import, Row
from leads.domain.jobs import (
    BATCH,
    MOST_ATTEMPTS,
    MOST_LEADS,
    PATIENCE,
    Bulk,
    CountChanged,
    Job,
    Portion,
    Undo,
)
from leads.domain.listing import InvalidQuery, from_json, parse
from leads.steps.portions import BulkWork, Setting, UndoWork, Work, new_origin
from leads.steps.rows import RowsWork, prepare
from leads.store import feed, jobs, projections
from leads.store.database import Database, QueryTooSlow, RawConnection
from leads.store.directory import Directory
from leads.store.jobs import BACK_OFF, BATCH_OF, PLACE_BATCH, RELEASE, RENEW, Batch
from leads.views import Mark, Views

COUNTED: Final = 20 * BATCH  # leads of a filter that one step notes down
ENDING_ATTEMPTS: Final = 5  # to end a job with a fact that failed too often
_RETRIES: Final = 5


class LostJob(Exception):
    """The job is another worker's by now, or is not to go on."""


@dataclass(slots=True)
class _Ahead:
    """The next batch, read and prepared while the database is busy with the one before."""

    number: int
    settings_version: int
    task: "asyncio.Task[tuple[Batch | None, list[Row]]]"


class Steps:
    """One worker's steps."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        views: Views,
        *,
        worker: UUID,
        lease: float,
    ) -> None:
        self._database = database
        self._directory = directory
        self._views = views
        self._worker = worker
        self._lease = lease
        self._ahead: dict[str, _Ahead] = {}

    async def job(self, company_id: UUID, job_id: UUID) -> Job:
        """Return a job that was claimed.

        Raises:
            LostJob: it is not this worker's any more.
        """
        async with self._database.writing(company_id) as connection:
            held = await jobs.found(await jobs.hold_leased(connection, company_id, job_id, self._worker))
        if held is None:
            raise LostJob
        return held

    async def take(self, company_id: UUID, job: Job) -> Job:
        """Take one step, and return the job after it.

        Raises:
            LostJob: nothing was done.
        """
        try:
            for _ in range(_RETRIES):
                try:
                    if job.total is None:
                        return await self._count(company_id, job)
                    return await self._work(company_id, job)
                except SettingsChanged as changed:
                    await self._directory.company(company_id, at_least=changed.settings_version)
        except AccessRefused:
            return await self.end(company_id, job, "failed", "forbidden")
        except QueryTooSlow:
            return await self.end(company_id, job, "failed", QueryTooSlow.code)
        except InvalidQuery:
            return await self.end(company_id, job, "failed", "invalid_filter")
        return job  # the settings keep changing: the next step tries again

    async def end(self, company_id: UUID, job: Job, outcome: Outcome, error: str | None = None) -> Job:
        """End a job early.

        Raises:
            LostJob: it is not this worker's any more.
        """
        self.forget(UUID(job.id))
        origin = new_origin(job, company_id, uuid5(UUID(job.id), f"end:{job.version}"))
        async with self._database.writing(company_id) as connection:
            advanced = await feed.advance(connection, origin, facts=1)
            held = await jobs.found(await jobs.hold_leased(connection, company_id, UUID(job.id), self._worker))
            if held is None:
                await connection.rollback()
                raise LostJob
            now = await feed.feed_of(advanced)
            over, told = rules.tell(rules.ended(held, outcome, now.at, error), now.at)
            await feed.append(connection, origin, told, position=now.position, at=now.at)
            await jobs.save(connection, company_id, over)
        return over

    async def release(self, company_id: UUID, job: Job) -> None:
        """Let others have a job."""
        row = {"company_id": company_id, "id": job.id, "lease": self._worker}
        async with self._database.writing(company_id) as connection:
            await connection.execute(RELEASE, row)

    async def back_off(self, company_id: UUID, job_id: UUID, *, reason: str, is_transient: bool) -> None:
        """Let a job wait after a failed attempt, the longer the more attempts have failed.

        A job that cannot even be ended is marked as failed here, without a fact.

        Args:
            company_id: whose job it is.
            job_id: the job.
            reason: what the attempt failed with; no values of leads.
            is_transient: whether the database was away. Such an attempt does not count for the first `PATIENCE`.
        """
        row = {
            "company_id": company_id,
            "id": job_id,
            "lease": self._worker,
            "most": MOST_ATTEMPTS + ENDING_ATTEMPTS,
            "reason": reason,
            "is_transient": is_transient,
            "patience": PATIENCE.total_seconds(),
        }
        async with self._database.writing(company_id) as connection:
            await connection.execute(BACK_OFF, row)

    def forget(self, job_id: UUID) -> None:
        """Let go of what was prepared for a job."""
        ahead = self._ahead.pop(str(job_id), None)
        if ahead is not None:
            ahead.task.cancel()

    async def _count(self, company_id: UUID, job: Job) -> Job:
        """Note down which leads a filter means: those that are there now, the newest first."""
        assert isinstance(job.task, Bulk)
        assert job.task.filter is not None
        company = await self._company(company_id, job)
        query = replace(
            parse(from_json(job.task.filter), company, caller=job.author), sort="newest", is_descending=True
        )
        mark = job.mark or {"count": 0, "batches": 0}
        after = Mark(datetime.fromisoformat(mark["at"]), UUID(mark["id"])) if "at" in mark else None
        found = await self._views.lead_ids(company_id, query, after=after, limit=COUNTED)
        count = mark["count"] + len(found)
        if count > MOST_LEADS:
            return await self.end(company_id, job, "failed", "too_many_leads")
        try:
            rules.require_count(job.task, count)
        except CountChanged:
            return await self.end(company_id, job, "failed", CountChanged.code)
        async with self._database.writing(company_id) as connection:
            held = await jobs.found(await jobs.hold_leased(connection, company_id, UUID(job.id), self._worker))
            if held is None or held.mark != job.mark:
                await connection.rollback()
                raise LostJob
            ids = [str(lead_id) for lead_id, _ in found]
            batches = await jobs.add_batches(
                connection, company_id, UUID(job.id), ids, number=mark["batches"], first=mark["count"] + 1
            )
            counted: Mapping[str, object] = {"count": count, "batches": batches}
            if len(found) == COUNTED:
                last_id, at = found[-1]
                counted = {**counted, "at": at.isoformat(), "id": str(last_id)}
                held = replace(held, mark=counted, attempts=0, reason=None)
            else:
                held = replace(held, mark=counted, total=count, attempts=0, reason=None)
            await jobs.save(connection, company_id, held)
            await self._renew(connection, company_id, job)
        return held

    async def _work(self, company_id: UUID, job: Job) -> Job:
        company = await self._company(company_id, job)
        batch, rows = await self._prepared(company_id, job, company)
        if batch is None:  # there was nothing to do at all
            return await self.end(company_id, job, "done")
        origin = new_origin(job, company_id, uuid5(UUID(job.id), f"batch:{job.batch}"))
        setting = Setting(origin=origin, job=job, company=company, batch=batch)
        work: Work
        if isinstance(job.task, Import):
            work = RowsWork(setting, rows)
        else:
            work = UndoWork(setting) if isinstance(job.task, Undo) else BulkWork(setting)
        async with self._database.writing(company_id) as connection:
            advanced = await feed.advance(connection, origin, facts=0)  # for its lock
            holding = await jobs.hold_leased(connection, company_id, UUID(job.id), self._worker)
            await work.ask(connection)
            held, locked = await jobs.found(holding), await feed.feed_of(advanced)
            if held is None or held.batch != job.batch:
                await connection.rollback()
                raise LostJob
            if locked.settings_version != company.settings_version:
                raise SettingsChanged(locked.settings_version)
            portion = await work.decide(connection, locked.at)
            self._prepare_next(company_id, job, company, batch)
            return await self._commit(connection, setting, work, portion, held, locked)

    async def _commit(
        self, connection: RawConnection, setting: Setting, work: Work, portion: Portion, held: Job, locked: Feed
    ) -> Job:
        origin, company_id = setting.origin, setting.origin.company_id
        position, at = locked.position, locked.at
        told: list[Fact] = []
        if held.version == 0:
            held, started = rules.tell(replace(held, state="running", started_at=at), at)
            told += started
        job = rules.after(held, portion)
        if setting.batch.is_last:
            job = rules.ended(job, "done", at)
        job, more = rules.tell(job, at)
        told += more
        if setting.batch.is_last and isinstance(job.task, Undo) and job.task.of_import:
            told += await self._reverted(connection, setting, job.task)
        facts = [*portion.facts, *told]
        if facts:
            await feed.advance(connection, origin, facts=len(facts))
        if portion.facts:
            first = position + 1
            await projections.project(
                connection, origin, list(enumerate(portion.facts, first)), dict(work.before), at=at
            )
            placed = {
                "company_id": company_id,
                "job_id": job.id,
                "number": setting.batch.number,
                "first": first,
                "last": position + len(portion.facts),
            }
            await connection.execute(PLACE_BATCH, placed)
        await jobs.refuse(connection, company_id, job.id, portion.refused)
        await jobs.save(connection, company_id, job)
        await self._renew(connection, company_id, job)
        if facts:
            await feed.append(connection, origin, facts, position=position + len(facts), at=at)
        return job

    async def _reverted(self, connection: RawConnection, setting: Setting, task: Undo) -> list[Fact]:
        company_id = setting.origin.company_id
        imported = await jobs.found(await jobs.hold(connection, company_id, UUID(task.of)))
        if imported is None:
            return []
        taken_back = replace(imported, version=imported.version + 1)
        await jobs.save(connection, company_id, taken_back)
        return [ImportReverted(imported=rules.import_summary(taken_back))]

    async def _company(self, company_id: UUID, job: Job) -> Company:
        """Return the settings by which the job's author still may do this.

        Raises:
            AccessRefused: they may not.
        """
        company = await self._directory.company(company_id)
        permit = Permit(job.author, None, job.operation)
        try:
            access.check(company, permit)
        except AccessRefused:
            known = await self._directory.feed(company_id)
            company = await self._directory.company(company_id, at_least=known.settings_version)
            access.check(company, permit)
        return company

    async def _prepared(self, company_id: UUID, job: Job, company: Company) -> tuple[Batch | None, list[Row]]:
        ahead = self._ahead.pop(job.id, None)
        if ahead is not None:
            if (ahead.number, ahead.settings_version) == (job.batch, company.settings_version):
                return await ahead.task
            ahead.task.cancel()
        return await self._prepare(company_id, job, company, job.batch)

    def _prepare_next(self, company_id: UUID, job: Job, company: Company, batch: Batch) -> None:
        if isinstance(job.task, Import) and not batch.is_last:
            task = asyncio.create_task(self._prepare(company_id, job, company, batch.number + 1))
            self._ahead[job.id] = _Ahead(batch.number + 1, company.settings_version, task)

    async def _prepare(
        self, company_id: UUID, job: Job, company: Company, number: int
    ) -> tuple[Batch | None, list[Row]]:
        row = {"company_id": company_id, "job_id": job.id, "number": number}
        async with self._database.writing(company_id) as connection:
            found = await (await connection.execute(BATCH_OF, row)).fetchone()
        batch = Batch(*found) if found else None
        if batch is None or not isinstance(job.task, Import):
            return batch, []
        return batch, await prepare(job, company_id, company, batch)

    async def _renew(self, connection: RawConnection, company_id: UUID, job: Job) -> None:
        row = {"company_id": company_id, "id": job.id, "lease": self._worker, "seconds": self._lease}
        await connection.execute(RENEW, row)
