"""Telling a company something at once, then once a second at most, the last state always."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog
from nats.errors import Error
from psycopg import OperationalError

from notifier.leads_client import LeadsUnavailable
from notifier.waiting import Backoff, pause
from runtime.broker import PublishFailed

INTERVAL: Final = 1.0  # seconds from one push of a company's to the next
CONCURRENCY: Final = 16  # companies at once

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
Tell = Callable[[str], Awaitable[bool]]
"""Tells a company, and returns whether there is more to tell."""
_log = structlog.stdlib.get_logger("notifier.pulse")


class Pulse:
    """Follows each company that has something to be told with a task of its own, until it is told."""

    def __init__(self, name: str, tell: Tell, *, spawn: Spawn, backoff: Backoff) -> None:
        self._name = name
        self._tell = tell
        self._spawn = spawn
        self._backoff = backoff
        self._marked: set[str] = set()
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(CONCURRENCY)
        self._stopping = asyncio.Event()

    def mark(self, company_id: str) -> None:
        """Say that there is something to tell a company."""
        self._marked.add(company_id)
        if company_id not in self._followers and not self._stopping.is_set():
            self._followers[company_id] = self._spawn(self._follow(company_id))

    def stop(self) -> None:
        """Follow nobody any more; what is owed stands in the database."""
        self._stopping.set()  # `asyncio.wait_for` of Python 3.11 may swallow a cancellation
        for follower in self._followers.values():
            follower.cancel()

    async def _follow(self, company_id: str) -> None:
        try:
            while company_id in self._marked and not self._stopping.is_set():
                self._marked.discard(company_id)
                async with self._turn:
                    await self._told(company_id)
                await pause(self._stopping, max(INTERVAL, self._backoff.remaining(company_id)))
        finally:
            del self._followers[company_id]
            self._backoff.succeeded(company_id)

    async def _told(self, company_id: str) -> None:
        try:
            if await self._tell(company_id):
                self._marked.add(company_id)
        except (LeadsUnavailable, PublishFailed, Error, TimeoutError, OperationalError) as error:
            self._marked.add(company_id)
            self._backoff.failed(company_id)
            _log.warning("not told", what=self._name, company_id=company_id, error=type(error).__name__)
        else:
            self._backoff.succeeded(company_id)
