"""The worker: takes jobs in turn, of one company after the other, and goes on with each for a moment.

Any number may run. A job belongs to whoever holds its lease; that of a worker that was killed runs out, and the next
one goes on from the last step that was committed.
"""

import asyncio
from time import monotonic
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from leads.domain.jobs import ENDED, MOST_ATTEMPTS, Job
from leads.steps import LostJob, Steps
from leads.store.database import Database, DatabaseAway
from runtime.stacks import frames

IDLE: Final = 0.2  # seconds between two looks when there is nothing to do
SLICE: Final = 1.0  # seconds that a job goes on before another may have its turn
UPKEEP: Final = 60.0  # seconds between two rounds of forgetting
FORGOTTEN: Final = 1000  # portions of old jobs that one round forgets
RECONNECT: Final = 1.0  # seconds until a database that was away is asked again
STILL: Final = 30.0  # seconds without a step or a look for work: something hangs

_log = structlog.stdlib.get_logger("leads.worker")
_steps = Counter("leads_job_steps", "Steps of jobs that were committed")
_items = Counter("leads_job_items", "Leads and rows that jobs have seen to")
_failures = Counter("leads_job_failures", "Steps of jobs that raised something unexpected")
_busy = Gauge("leads_worker_busy", "1 while a job is being worked on")


class Worker:
    """One process' share of the work."""

    def __init__(self, database: Database, steps: Steps, *, worker: UUID, lease: float) -> None:
        self._database = database
        self._steps = steps
        self._worker = worker
        self._lease = lease
        self._stopping = asyncio.Event()
        self._stirred = monotonic()

    @property
    def still_for(self) -> float:
        """Seconds since it last looked for work, or took a step."""
        return monotonic() - self._stirred

    def stop(self) -> None:
        """Let the step in hand be the last one."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until told to stop."""
        upkeep = monotonic()
        while not self._stopping.is_set():
            self._stirred = monotonic()
            try:
                if monotonic() >= upkeep:
                    await self._database.forget_jobs(FORGOTTEN)
                    upkeep = monotonic() + UPKEEP
                claimed = await self._database.claim_job(self._worker, self._lease)
                if claimed is None:
                    await self._pause(IDLE)
                else:
                    await self._serve(*claimed)
            except DatabaseAway as error:
                _log.warning("database away", error=type(error.__cause__ or error).__name__)
                await self._pause(RECONNECT)

    async def _serve(self, company_id: UUID, job_id: UUID) -> None:
        _busy.set(1)
        try:
            await self._go_on(company_id, await self._steps.job(company_id, job_id))
        except LostJob:
            _log.info("job lost", job_id=str(job_id))
        except DatabaseAway as away:
            await self._back_off(company_id, job_id, away)
            raise
        except Exception as error:  # noqa: BLE001 - one job must not stop those of all others; it is tried again, then given up
            _failures.inc()
            # Without the message, which may quote a row.
            where = {"company_id": str(company_id), "job_id": str(job_id)}
            _log.error("job step failed", **where, error=type(error).__name__, traceback=frames(error))
            await self._back_off(company_id, job_id, error)
        finally:
            _busy.set(0)
            self._steps.forget(job_id)

    async def _back_off(self, company_id: UUID, job_id: UUID, error: Exception) -> None:
        """Keep what an attempt failed with, as soon as the database is there, and for as long as the lease lasts."""
        is_transient = isinstance(error, DatabaseAway)
        until = monotonic() + self._lease
        while not self._stopping.is_set():
            try:
                await self._steps.back_off(company_id, job_id, reason=_reason(error), is_transient=is_transient)
            except DatabaseAway:
                if monotonic() > until:
                    raise
                self._stirred = monotonic()
                await self._pause(RECONNECT)
            else:
                return

    async def _go_on(self, company_id: UUID, job: Job) -> None:
        if job.attempts > MOST_ATTEMPTS:
            job = await self._steps.end(company_id, job, "failed", "gave_up")
        until = monotonic() + SLICE
        while job.state not in ENDED and monotonic() < until and not self._stopping.is_set():
            done = job.done
            job = await self._steps.take(company_id, job)
            self._stirred = monotonic()
            _steps.inc()
            _items.inc(job.done - done)
        if job.state in ENDED:
            _log.info("job ended", company_id=str(company_id), job_id=job.id, state=job.state, done=job.done)
        else:
            await self._steps.release(company_id, job)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _reason(error: BaseException) -> str:
    """Return what an attempt failed with: the name of the first cause, and PostgreSQL's SQLSTATE where it gave one."""
    while error.__cause__ is not None:
        error = error.__cause__
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} ({state})" if state else type(error).__name__
