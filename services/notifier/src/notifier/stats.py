"""A company's figures, pushed when they may have changed: at once, then once a second, the last state always."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from nats.js import JetStreamContext
from psycopg import OperationalError

from contracts.channels import StatsChannel
from contracts.push import Push, StatsPush
from notifier import metrics
from notifier.leads_client import LeadsClient, LeadsUnavailable
from notifier.store import Store
from notifier.waiting import pause
from runtime.broker import Outgoing, PublishFailed, publish_window

INTERVAL: Final = 1.0  # seconds from one push of a company's figures to the next
CONCURRENCY: Final = 16  # companies asked for at once

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
_log = structlog.stdlib.get_logger("notifier.stats")


class StatsPusher:
    """Follows each company whose figures may have changed with a task of its own, until they are pushed."""

    def __init__(self, js: JetStreamContext, leads: LeadsClient, store: Store, *, app_id: str, spawn: Spawn) -> None:
        self._js = js
        self._leads = leads
        self._store = store
        self._app_id = app_id
        self._spawn = spawn
        self._changed: set[str] = set()
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(CONCURRENCY)
        self._stopping = asyncio.Event()

    async def resume(self) -> None:
        """Follow the companies that an earlier process still owed a push.

        Raises:
            psycopg.OperationalError: the database is lost.
        """
        for company_id in await self._store.companies_owed_stats():
            self.mark(company_id)

    def mark(self, company_id: str) -> None:
        """Say that a company's figures may have changed."""
        self._changed.add(company_id)
        if company_id not in self._followers and not self._stopping.is_set():
            self._followers[company_id] = self._spawn(self._follow(company_id))

    def stop(self) -> None:
        """Follow nobody any more; what is owed stands in the database."""
        self._stopping.set()  # `asyncio.wait_for` of Python 3.11 may swallow a cancellation
        for follower in self._followers.values():
            follower.cancel()

    async def _follow(self, company_id: str) -> None:
        try:
            while company_id in self._changed and not self._stopping.is_set():
                self._changed.discard(company_id)
                async with self._turn:
                    await self._push(company_id)
                await pause(self._stopping, INTERVAL)
        finally:
            del self._followers[company_id]

    async def _push(self, company_id: str) -> None:
        try:
            figures = await self._leads.stats(company_id)
            await publish_window(self._js, [_outgoing(self._message(company_id, figures))])
            await self._store.stats_were_pushed(company_id, figures.position)
        except (LeadsUnavailable, PublishFailed, OperationalError) as error:
            self._changed.add(company_id)
            _log.warning("figures not pushed", company_id=company_id, error=type(error).__name__)
        else:
            metrics.PUSHES_PUBLISHED.labels("stats.updated").inc()

    def _message(self, company_id: str, figures: StatsPush) -> Push:
        return Push(
            app_id=self._app_id,
            channel=str(StatsChannel(company_id)),
            event="stats.updated",
            data=figures.data,
            key=f"stats:{figures.position}",
        )


def _outgoing(push: Push) -> Outgoing:
    return Outgoing(push.subject, push.body, push.headers)
