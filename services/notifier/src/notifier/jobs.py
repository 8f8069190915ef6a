"""Bulk jobs: one signal in place of a push for each of their facts."""

from nats.js import JetStreamContext

from contracts.channels import CompanyChannel
from contracts.push import JobPush, Push
from notifier import metrics
from notifier.pulse import Pulse, Spawn
from notifier.store import JobState, Store
from notifier.waiting import Backoff
from runtime.broker import Outgoing, publish_window


class JobSignals:
    """Tells each company how far its bulk jobs are: one job a second, the last state of each always."""

    def __init__(self, js: JetStreamContext, store: Store, *, app_id: str, spawn: Spawn, backoff: Backoff) -> None:
        self._js = js
        self._store = store
        self._app_id = app_id
        self._pulse = Pulse("bulk jobs", self._signal, spawn=spawn, backoff=backoff)

    async def resume(self) -> None:
        """Follow the companies that an earlier process still owed a signal.

        Raises:
            psycopg.OperationalError: the database is lost.
        """
        for company_id in await self._store.companies_owed_signals():
            self.mark(company_id)

    def mark(self, company_id: str) -> None:
        """Say that a bulk job of a company went on."""
        self._pulse.mark(company_id)

    def stop(self) -> None:
        """Signal no more; what is owed stands in the database."""
        self._pulse.stop()

    async def _signal(self, company_id: str) -> bool:
        job = await self._store.job_owed(company_id)
        if job is None:
            return False
        push = self._message(company_id, job)
        await publish_window(self._js, [Outgoing(push.subject, push.body, push.headers)])
        await self._store.job_was_signalled(company_id, job)
        metrics.PUSHES_PUBLISHED.labels(push.event).inc()
        return True  # this one may have gone on, and others may wait

    def _message(self, company_id: str, job: JobState) -> Push:
        return Push(
            app_id=self._app_id,
            channel=str(CompanyChannel(company_id)),
            event="leads.changed",
            data=JobPush(job_id=job.job_id, count=job.count, position=job.position, epoch=job.epoch).data,
            key=f"job:{job.job_id}:{job.epoch}:{job.position}",
        )
