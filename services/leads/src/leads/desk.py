"""What requests do with jobs: order one, stop it, have it taken back; upload a file, and say what its columns are."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from leads import access
from leads.access import NotAllowed
from leads.command import Feed, IdempotencyKeyReused, Origin
from leads.domain import jobs as rules
from leads.domain.company import Company
from leads.domain.importing import Import, require_mapping
from leads.domain.jobs import (
    MOST_UPLOADED,
    Bulk,
    ImportIsStarted,
    ImportNotFound,
    Job,
    JobIsOver,
    JobNotFound,
    JobNotUndoable,
    Task,
    TooManyJobs,
    Undo,
)
from leads.domain.lead import UNDATED
from leads.store import feed, jobs
from leads.store.database import Database, RawConnection
from leads.store.directory import Directory
from leads.store.jobs import DELETE, FINGERPRINT, OPEN, SAME_FILE, SET_FINGERPRINT, UNDO_BATCHES


class Desk:
    """Orders of one company at a time.

    Raises:
        DatabaseAway: from every method.
        AccessRefused: from every method: the author may not do this, or not any more.
    """

    def __init__(self, database: Database, directory: Directory) -> None:
        self._database = database
        self._directory = directory

    async def order(
        self, origin: Origin, job_id: UUID, task: Bulk, *, fingerprint: str, leads: Sequence[str] | int
    ) -> tuple[Job, Feed]:
        """Put a bulk change into the queue, and return it with the feed as it then is; the same again is the same job.

        Args:
            origin: who orders it.
            job_id: the job's id.
            task: what is to be done.
            fingerprint: digest of the request, by which another request with the same id is noticed.
            leads: the ids of the leads, or how many the filter means now.

        Raises:
            TooManyJobs: there is no room.
            CountChanged: the filter means more leads than expected.
            IdempotencyKeyReused: the job's id belongs to another request.
        """
        ids = None if isinstance(leads, int) else leads
        async with self._deciding(origin) as (connection, now, _company):
            job = _new(origin, job_id, task, total=None if ids is None else len(ids), at=now.at)
            known = await jobs.found(await jobs.hold(connection, origin.company_id, job_id))
            if known is not None:
                asked = {"company_id": origin.company_id, "id": job_id}
                (theirs,) = await (await connection.execute(FINGERPRINT, asked)).fetchone() or (None,)
                if theirs != fingerprint:
                    raise IdempotencyKeyReused
                return known, now
            if isinstance(leads, int):
                rules.require_count(task, leads)
            await self._require_room(connection, origin)
            await jobs.insert(connection, origin.company_id, job, fingerprint)
            await jobs.add_batches(connection, origin.company_id, job_id, ids or ())
            return job, now

    async def cancel(self, origin: Origin, job_id: UUID) -> tuple[Job, Feed]:
        """Let no further step of a job begin; the same again changes nothing.

        Raises:
            JobNotFound, JobIsOver: see there.
        """
        async with self._deciding(origin) as (connection, now, company):
            job = await self._held(connection, origin, job_id, company)
            if job.state == "cancelled":
                return job, now
            if job.state not in rules.OPEN:
                raise JobIsOver
            over, told = rules.tell(rules.ended(job, "cancelled", now.at), now.at)
            teller = replace(origin, id=uuid5(job_id, "cancelled"), job_id=job_id, socket_id=None)
            after = await feed.feed_of(await feed.advance(connection, teller, facts=len(told)))
            await jobs.save(connection, origin.company_id, over)
            await feed.append(connection, teller, told, position=after.position, at=after.at)
            return over, after

    async def undo(self, origin: Origin, job_id: UUID) -> tuple[Job, Feed]:
        """Put into the queue what takes a job back; the same again is the same job.

        Raises:
            JobNotFound, JobNotFinished, JobNotUndoable, TooManyJobs: see there.
        """
        async with self._deciding(origin) as (connection, now, company):
            job = await self._held(connection, origin, job_id, company)
            undo_id = uuid5(job_id, "undo")
            known = await jobs.found(await jobs.hold(connection, origin.company_id, undo_id))
            if known is not None:
                return known, now
            rules.require_undoable(job)
            await self._require_room(connection, origin)
            undoing = replace(
                _new(origin, undo_id, Undo(of=job.id, of_import=job.kind == "import"), total=job.changed, at=now.at),
                undoes=job.id,
            )
            await jobs.insert(connection, origin.company_id, undoing, None)
            copied = {"company_id": origin.company_id, "job_id": job_id, "undo_id": undo_id}
            if not (await connection.execute(UNDO_BATCHES, copied)).rowcount:
                raise JobNotUndoable
            await jobs.save(connection, origin.company_id, replace(job, undone_by=undoing.id))
            return undoing, now

    async def upload(self, origin: Origin, job_id: UUID, name: str) -> None:
        """Begin an import, invisible until `uploaded`.

        Raises:
            TooManyJobs: so many wait to be started.
        """
        async with self._deciding(origin) as (connection, now, _company):
            _open, _own, uploaded = await self._counts(connection, origin)
            if uploaded >= MOST_UPLOADED:
                raise TooManyJobs
            job = replace(_new(origin, job_id, Import(name=name), total=None, at=now.at), state="uploading")
            await jobs.insert(connection, origin.company_id, job, None)

    async def add_rows(self, company_id: UUID, job_id: UUID, rows: Sequence[Sequence[str]], *, number: int) -> int:
        """Keep some rows of a file, and return the number of the next batch."""
        async with self._database.writing(company_id) as connection:
            first = number * rules.BATCH + 1
            return await jobs.add_batches(connection, company_id, job_id, rows, number=number, first=first)

    async def uploaded(self, origin: Origin, job_id: UUID, task: Import, *, rows: int) -> tuple[Job, Feed]:
        """Show an import whose rows are all there."""
        job = replace(_new(origin, job_id, task, total=rows, at=UNDATED), state="uploaded")
        async with self._database.writing(origin.company_id) as connection:
            await jobs.save(connection, origin.company_id, job)
            saved = await jobs.hold(connection, origin.company_id, job_id)
            now = await feed.feed_of(await feed.look(connection, origin))
            kept = await jobs.found(saved)
            if kept is None:
                raise ImportNotFound
        return kept, now

    async def discard(self, origin: Origin, job_id: UUID) -> None:
        """Forget an import that was not started, or whose upload failed."""
        async with self._database.writing(origin.company_id) as connection:
            await connection.execute(DELETE, {"company_id": origin.company_id, "id": job_id})

    async def forget(self, origin: Origin, job_id: UUID) -> None:
        """Forget an import at somebody's request.

        Raises:
            ImportNotFound, ImportIsStarted: see there.
        """
        async with self._deciding(origin) as (connection, _now, _company):
            job = await self._imported(connection, origin, job_id)
            if job.state != "uploaded":
                raise ImportIsStarted
            await connection.execute(DELETE, {"company_id": origin.company_id, "id": job_id})

    async def map(self, origin: Origin, job_id: UUID, changes: dict[str, Any]) -> tuple[Job, Feed]:
        """Say what the columns of an import are.

        Raises:
            ImportNotFound, ImportIsStarted, InvalidMapping: see there.
        """
        async with self._deciding(origin) as (connection, now, company):
            job = await self._imported(connection, origin, job_id)
            if job.state != "uploaded":
                raise ImportIsStarted
            assert isinstance(job.task, Import)
            mapped = replace(job, task=replace(job.task, **changes))
            assert isinstance(mapped.task, Import)
            require_mapping(mapped.task, company, now.at)
            await jobs.save(connection, origin.company_id, mapped)
            return mapped, now

    async def start(self, origin: Origin, job_id: UUID) -> tuple[Job, Feed]:
        """Put an import into the queue; the same again changes nothing.

        Raises:
            ImportNotFound, InvalidMapping, TooManyJobs: see there.
        """
        async with self._deciding(origin) as (connection, now, company):
            job = await self._imported(connection, origin, job_id)
            if job.state != "uploaded":
                return job, now
            assert isinstance(job.task, Import)
            require_mapping(job.task, company, now.at)
            await self._require_room(connection, origin)
            fingerprint = job.task.fingerprint
            asked = {"company_id": origin.company_id, "id": job_id, "fingerprint": fingerprint}
            taken_back, there = await (await connection.execute(SAME_FILE, asked)).fetchone() or (0, 0)
            task = replace(job.task, generation=taken_back, is_repeated=there > 0)
            started = replace(job, state="queued", author=str(origin.actor), task=task)
            await jobs.save(connection, origin.company_id, started)
            await connection.execute(SET_FINGERPRINT, asked)
            return started, now

    @asynccontextmanager
    async def _deciding(self, origin: Origin) -> AsyncIterator[tuple[RawConnection, Feed, Company]]:
        """Open a transaction under the company's lock, by the settings of this moment or slightly older ones."""
        assert origin.permit is not None
        known = await self._directory.feed(origin.company_id)
        company = await self._directory.company(origin.company_id, at_least=known.settings_version)
        access.check(company, origin.permit)
        async with self._database.writing(origin.company_id) as connection:
            advanced = await feed.advance(connection, origin, facts=0)  # for its lock
            yield connection, await feed.feed_of(advanced), company

    async def _held(self, connection: RawConnection, origin: Origin, job_id: UUID, company: Company) -> Job:
        """Return a job that the author may decide about: it is theirs, or they are a manager."""
        job = await jobs.found(await jobs.hold(connection, origin.company_id, job_id))
        if job is None or job.state == "uploaded":
            raise JobNotFound
        role = company.users[str(origin.actor)].role
        is_theirs = job.author == str(origin.actor)
        if not access.may(role, job.operation) or not (is_theirs or access.may(role, "manage_jobs")):
            raise NotAllowed
        return job

    async def _imported(self, connection: RawConnection, origin: Origin, job_id: UUID) -> Job:
        job = await jobs.found(await jobs.hold(connection, origin.company_id, job_id))
        if job is None or job.kind != "import":
            raise ImportNotFound
        return job

    async def _counts(self, connection: RawConnection, origin: Origin) -> tuple[int, int, int]:
        asked = {"company_id": origin.company_id, "author": origin.actor}
        row = await (await connection.execute(OPEN, asked)).fetchone()
        assert row is not None  # an aggregate
        return row[0], row[1], row[2]

    async def _require_room(self, connection: RawConnection, origin: Origin) -> None:
        company_open, own_open, _uploaded = await self._counts(connection, origin)
        rules.require_room(company_open, own_open)


def _new(origin: Origin, job_id: UUID, task: Task, *, total: int | None, at: datetime) -> Job:
    return Job(
        id=str(job_id),
        kind=task.kind,
        state="queued",
        author=str(origin.actor),
        task=task,
        total=total,
        correlation_id=origin.correlation_id,
        created_at=at,
    )
