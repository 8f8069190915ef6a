"""Asking the log, once a second, whether it agrees with what was applied last, and of which epoch it is.

That finds a forged fact that fitted, and a log that was set back while nobody writes. It costs a question a second for
each company that something was applied for, and a few for those at rest, in turn.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import psycopg
import structlog
from nats.errors import Error

from notifier import metrics
from notifier.batches import BatchHandler
from notifier.cursors import Cursor
from notifier.leads_client import LeadsUnavailable
from notifier.store import Store
from notifier.truth import Look, Truth
from notifier.waiting import pause
from runtime.broker import PublishFailed

INTERVAL: Final = 1.0  # seconds
ACTIVE: Final = 50  # companies asked about in a second because something was applied
RESTING: Final = 10  # others
SWEPT: Final = 100  # companies that are told of another epoch before the next look
AT_ONCE: Final = 10  # questions
_FIRST: Final = "00000000-0000-0000-0000-000000000000"

_log = structlog.stdlib.get_logger("notifier.confirming")


class Confirming:
    """Looks after the cursors while its process is the active one."""

    def __init__(self, handler: BatchHandler, truth: Truth, store: Store) -> None:
        self._handler = handler
        self._truth = truth
        self._store = store
        self._stopping = asyncio.Event()
        self._epoch: str | None = None
        self._last = _FIRST
        self._untold = 0

    async def run(self) -> None:
        """Ask until `stop`."""
        while not self._stopping.is_set():
            try:
                await self._confirm(await self._next())
                await self._sweep()
            except (LeadsUnavailable, PublishFailed, Error, TimeoutError, psycopg.Error) as error:
                _log.warning("not confirmed", error=type(error).__name__)
            await pause(self._stopping, INTERVAL)

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()

    async def check(self) -> str | None:
        """Answer readiness: whether all companies are told of the log's epoch."""
        return f"{self._untold} companies are still to be told of the log's epoch" if self._untold else None

    async def _next(self) -> list[str]:
        active = list(self._handler.unconfirmed)[:ACTIVE]
        resting = await self._store.companies_after(self._last, RESTING)
        self._last = resting[-1] if len(resting) == RESTING else _FIRST
        return list(dict.fromkeys([*active, *resting]))

    async def _confirm(self, companies: Iterable[str]) -> None:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(company_id: str) -> None:
            async with limit:
                self._handler.unconfirmed.pop(company_id, None)
                try:
                    await self._confirm_one(company_id)
                except BaseException:
                    self._handler.unconfirmed[company_id] = None
                    raise

        outcomes = await asyncio.gather(*map(one, companies), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _confirm_one(self, company_id: str) -> None:
        cursor = await self._handler.cursor(company_id)
        if not cursor.position:
            return
        look = await self._truth.look(company_id, after=cursor.position - 1, until=cursor.position)
        if look.feed.epoch is not None:
            self._epoch = look.feed.epoch
        if not _agrees(cursor, look):
            await self._handler.reconcile(company_id)

    async def _sweep(self) -> None:
        """Tell each company whose cursor is of another epoch, also those at rest."""
        while self._epoch is not None and not self._stopping.is_set():
            others = await self._store.companies_of_other_epochs(self._epoch, SWEPT)
            self._untold = len(others)
            metrics.UNTOLD.set(self._untold)
            if not others:
                return
            for company_id in others:
                await self._handler.reconcile(company_id)


def _agrees(cursor: Cursor, look: Look) -> bool:
    """Whether the log has what was applied last; of what, an earlier release did not write down."""
    fact = look.facts.get(cursor.position)
    known = cursor.digest_at(cursor.position)
    return fact is not None and known in {None, fact.digest} and look.feed.epoch == cursor.epoch
