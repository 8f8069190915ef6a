"""One active process, the others stand by: whoever holds the session's lock consumes."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import psycopg
import structlog

from notifier import metrics
from notifier.store import Store, connected
from notifier.waiting import pause

HEARTBEAT: Final = 1.0  # seconds between looks at the lock, held or not
UNABLE: Final = 2.0  # seconds for which NATS may be known not to answer until another process has its turn
RETRY: Final = 1.0  # seconds between attempts to connect
EXPIRES: Final = 4.0  # seconds after which an answer of the database says nothing about the present

Work = Callable[[Store], AbstractAsyncContextManager[None]]
"""What the active process does, from its entry to its exit."""

_log = structlog.stdlib.get_logger("notifier.leader")


class GivenUp(Exception):
    """Nothing can be pushed from here: another process shall try."""


class Leader:
    """Waits for the lock and works while it has it. A lost session is a lost lock."""

    def __init__(self, database_url: str, clock: Callable[[], float], is_able: Callable[[], bool]) -> None:
        """Prepare; nothing happens before `run`.

        Args:
            database_url: of the role that may take the lock.
            clock: monotonic seconds.
            is_able: whether pushes can be stored from here, as far as is known: the lock is for who can (ADR 0025).
        """
        self._database_url = database_url
        self._is_able = is_able
        self._clock = clock
        self._answered_at = clock()
        self._problem: str | None = "not connected yet"
        self.is_active = False

    async def run(self, work: Work, stopping: asyncio.Event) -> None:
        """Stand by and work, in turns, until `stopping`."""
        while not stopping.is_set():
            try:
                async with connected(self._database_url) as store:
                    await self._stand_by(store, stopping)
                    if not stopping.is_set():
                        await self._work(store, work, stopping)
            except (psycopg.Error, TimeoutError) as error:
                self._problem = type(error).__name__
                _log.warning("database lost", error=self._problem)
                await pause(stopping, RETRY)
            except GivenUp:
                _log.warning("lock given up: NATS does not answer")
                await pause(stopping, RETRY)

    async def check(self) -> str | None:
        """Answer readiness: whether the session is alive; a standby is as ready as the active process."""
        silent = self._clock() - self._answered_at
        return self._problem or (None if silent < EXPIRES else f"no answer for {silent:.0f} s")

    async def _stand_by(self, store: Store, stopping: asyncio.Event) -> None:
        # Asked once a second: a session waiting for the lock would hold a snapshot, and keep vacuum from its work.
        while not stopping.is_set() and not await self._takes(store):
            self._answered()
            await pause(stopping, HEARTBEAT)

    async def _takes(self, store: Store) -> bool:
        if self._is_able():
            return await store.try_lock()
        await store.check()
        return False

    async def _work(self, store: Store, work: Work, stopping: asyncio.Event) -> None:
        self._become(active=True)
        try:
            async with work(store):
                able_at = self._clock()
                while not stopping.is_set():
                    if self._is_able():
                        able_at = self._clock()
                    elif self._clock() - able_at > UNABLE:
                        store.abandon()  # at once: ending the work in order may take too long
                        raise GivenUp
                    if await store.check():
                        self._answered()
                    await pause(stopping, HEARTBEAT)
        finally:
            self._become(active=False)

    def _answered(self) -> None:
        self._problem = None
        self._answered_at = self._clock()

    def _become(self, *, active: bool) -> None:
        self.is_active = active
        metrics.ACTIVE.set(active)
        _log.info("active" if active else "no longer active")
