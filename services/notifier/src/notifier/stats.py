"""A company's figures, pushed when they may have changed."""

from nats.js import JetStreamContext

from contracts.channels import StatsChannel
from contracts.push import Push, StatsPush
from notifier import metrics
from notifier.leads_client import LeadsClient, UnknownCompany
from notifier.pulse import Pulse, Spawn
from notifier.store import Store
from notifier.waiting import Backoff
from runtime.broker import Outgoing, publish_window


class StatsPusher:
    """Asks for the figures of each company whose figures may have changed, and pushes them."""

    def __init__(
        self, js: JetStreamContext, leads: LeadsClient, store: Store, *, app_id: str, spawn: Spawn, backoff: Backoff
    ) -> None:
        self._js = js
        self._leads = leads
        self._store = store
        self._app_id = app_id
        self._pulse = Pulse("figures", self._push, spawn=spawn, backoff=backoff)

    async def resume(self) -> None:
        """Follow the companies that an earlier process still owed a push.

        Raises:
            psycopg.OperationalError: the database is lost.
        """
        for company_id in await self._store.companies_owed_stats():
            self.mark(company_id)

    def mark(self, company_id: str) -> None:
        """Say that a company's figures may have changed."""
        self._pulse.mark(company_id)

    def stop(self) -> None:
        """Push no more; what is owed stands in the database."""
        self._pulse.stop()

    async def _push(self, company_id: str) -> bool:
        try:
            figures = await self._leads.stats(company_id)
        except UnknownCompany:
            return False  # something untrue was heard; whoever looks after the cursors takes it back
        push = self._message(company_id, figures)
        await publish_window(self._js, [Outgoing(push.subject, push.body, push.headers)])
        await self._store.stats_were_pushed(company_id, figures.position)
        metrics.PUSHES_PUBLISHED.labels(push.event).inc()
        return False

    def _message(self, company_id: str, figures: StatsPush) -> Push:
        return Push(
            app_id=self._app_id,
            channel=str(StatsChannel(company_id)),
            event="stats.updated",
            data=figures.data,
            key=f"stats:{figures.epoch}:{figures.position}",
        )
