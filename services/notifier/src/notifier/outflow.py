"""Pushing to users what requests have put into the outbox, a moment after they did."""

import asyncio
from typing import Final

import psycopg
import structlog
from nats.errors import Error

from notifier.effects import Effects
from notifier.waiting import Backoff, pause
from runtime.broker import PublishFailed

INTERVAL: Final = 0.1  # seconds between looks: requests may have been answered by another process
_OUTBOX: Final = "outbox"
_log = structlog.stdlib.get_logger("notifier.outflow")


class Outflow:
    """Looks into the outbox while its process is the active one."""

    def __init__(self, effects: Effects, *, backoff: Backoff) -> None:
        self._effects = effects
        self._backoff = backoff
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Push until `stop`."""
        while not self._stopping.is_set():
            try:
                await self._effects.push_waiting()
            except (PublishFailed, Error, TimeoutError, psycopg.Error) as error:
                _log.warning("pushes to users wait", error=type(error).__name__)
                self._effects.interrupted()
                self._backoff.failed(_OUTBOX)
            else:
                self._backoff.succeeded(_OUTBOX)
            await pause(self._stopping, max(INTERVAL, self._backoff.remaining(_OUTBOX)))

    def stop(self) -> None:
        """Push no more; what waits is in the database."""
        self._stopping.set()
