"""Forgetting what nobody needs any more, so that no table grows for ever."""

import asyncio
from typing import Final

import psycopg
import structlog

from notifier.store import Store
from notifier.waiting import pause

INTERVAL: Final = 3600.0  # seconds between two rounds
RETRY: Final = 60.0  # seconds after a round that failed
BREATH: Final = 0.05  # seconds between two steps of a round: facts come first
_log = structlog.stdlib.get_logger("notifier.retention")


class Retention:
    """Tidies up once an hour while its process is the active one, in small steps."""

    def __init__(self, store: Store, *, kept: int) -> None:
        """Prepare; of each inbox the newest `kept` notifications stay."""
        self._store = store
        self._kept = kept
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Tidy up until `stop`."""
        while not self._stopping.is_set():
            try:
                await self._round()
            except (psycopg.Error, TimeoutError) as error:
                _log.warning("not tidied up", error=type(error).__name__)
                await pause(self._stopping, RETRY)
            else:
                await pause(self._stopping, INTERVAL)

    def stop(self) -> None:
        """Begin no further step."""
        self._stopping.set()

    async def _round(self) -> None:
        forgotten = 0
        while not self._stopping.is_set() and (step := await self._store.forget_notifications(kept=self._kept)):
            forgotten += step
            await pause(self._stopping, BREATH)
        jobs, passed_over = await self._store.forget_jobs(), await self._store.forget_passed_over()
        if forgotten or jobs or passed_over:
            _log.info("tidied up", notifications=forgotten, jobs=jobs, passed_over=passed_over)
