"""Who waits for a company's feed to come to a position: woken by what NATS carries, answered by PostgreSQL.

A message only says that there may be something; the feed's row says whether there is. Whoever waits was counted in
before that row was looked at, so that nothing is missed in between. One look serves everybody of a company.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NoReturn
from uuid import UUID

from leads.command import Feed
from leads.store.database import DatabaseAway
from leads.store.directory import Directory

LOOK_AGAIN: Final = 1.0  # seconds between looks while nothing of NATS arrives
LOOK_ANYWAY: Final = 15.0  # seconds between looks while it does: core NATS may lose a message


class EpochChanged(Exception):
    """The log has another epoch: the position that a request was about may be another fact's now."""

    code = "epoch_changed"

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed.epoch)
        self.feed = feed


class TooManyWaiting(Exception):
    """The process holds as many waiting requests as it will."""

    code = "too_many_waiting"


class TooManyOfOne(TooManyWaiting):
    """One user has as many waiting requests as one may have."""


@dataclass(slots=True, eq=False)
class _Crowd:
    """Those who wait for one company's feed."""

    waiting: dict[asyncio.Future[Feed | None], tuple[str, int]] = field(default_factory=dict)
    """Who → the epoch they began in, and the position that is not enough for them."""
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    looking: asyncio.Task[None] | None = None

    def tell(self, feed: Feed) -> None:
        for future, (epoch, after) in list(self.waiting.items()):
            if feed.epoch != epoch:
                _settle(future, None, EpochChanged(feed))
            elif feed.position > after:
                _settle(future, feed)

    def end(self, error: Exception | None = None) -> None:
        for future in list(self.waiting):
            _settle(future, None, error)


class FeedWatch:
    """One process' waiting requests."""

    def __init__(self, directory: Directory, *, most: int = 10_000, most_of_one: int = 20) -> None:
        self._directory = directory
        self._most = most
        self._most_of_one = most_of_one
        self._crowds: dict[UUID, _Crowd] = {}
        self._of_user: Counter[UUID] = Counter()
        self._is_closed = False
        self.hears: Callable[[], bool] = lambda: False
        """Whether facts that are on the stream reach `heard`."""

    @property
    def count(self) -> int:
        """How many requests wait."""
        return self._of_user.total()

    def heard(self, subject: str) -> None:
        """Take note of a fact, by its subject: `crm.<company>.…`."""
        try:
            company_id = UUID(subject.split(".", 2)[1])
        except (IndexError, ValueError):
            return
        if (crowd := self._crowds.get(company_id)) is not None:
            crowd.stirred.set()

    def stir(self) -> None:
        """Look at every feed that somebody waits for: facts may have passed unheard."""
        for crowd in self._crowds.values():
            crowd.stirred.set()

    def close(self) -> None:
        """Let everybody go, and nobody wait any more."""
        self._is_closed = True
        for crowd in self._crowds.values():
            crowd.end()

    async def wait(
        self,
        company_id: UUID,
        user_id: UUID,
        *,
        epoch: str,
        after: int,
        seconds: float,
        leave: asyncio.Future[None] | None = None,
    ) -> Feed | None:
        """Return the feed's row as soon as it is beyond a position; None when that took too long.

        Args:
            company_id: whose feed.
            user_id: who waits.
            epoch: the log's epoch that the position belongs to.
            after: the position that is not enough.
            seconds: how long to wait.
            leave: ends the waiting when it is done.

        Raises:
            EpochChanged: the log has another epoch.
            TooManyWaiting: see there.
            DatabaseAway: nobody can look.
        """
        if self._is_closed:
            return None
        if self.count >= self._most:
            raise TooManyWaiting
        if self._of_user[user_id] >= self._most_of_one:
            raise TooManyOfOne
        future: asyncio.Future[Feed | None] = asyncio.get_running_loop().create_future()
        crowd = self._join(company_id, future, epoch, after)
        self._of_user[user_id] += 1
        if leave is not None:
            leave.add_done_callback(lambda _: _settle(future, None))
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            del crowd.waiting[future]
            self._of_user[user_id] -= 1
            if not self._of_user[user_id]:
                del self._of_user[user_id]
            if not crowd.waiting:
                crowd.stirred.set()  # its looking ends

    def _join(self, company_id: UUID, future: asyncio.Future[Feed | None], epoch: str, after: int) -> _Crowd:
        crowd = self._crowds.setdefault(company_id, _Crowd())
        crowd.waiting[future] = epoch, after
        crowd.stirred.set()
        if crowd.looking is None:
            crowd.looking = asyncio.create_task(self._look(company_id, crowd))
        return crowd

    async def _look(self, company_id: UUID, crowd: _Crowd) -> None:
        try:
            while crowd.waiting:
                crowd.stirred.clear()  # before the look: what comes during it asks for another one
                crowd.tell(await self._directory.feed(company_id))
                await self._rest(crowd)
        except Exception as error:  # noqa: BLE001 - each of those who wait raises it
            crowd.end(error)
        finally:
            # Without an await since the last look at `waiting`: nobody can have joined a crowd that nobody looks for.
            del self._crowds[company_id]

    async def _rest(self, crowd: _Crowd) -> None:
        try:
            async with asyncio.timeout(LOOK_ANYWAY if self.hears() else LOOK_AGAIN):
                await crowd.stirred.wait()
        except TimeoutError:
            return


async def follow_epoch(directory: Directory, watch: FeedWatch) -> NoReturn:
    """Let those who wait know within seconds when the log has another epoch; until cancelled."""
    told = directory.epoch
    while True:
        with suppress(DatabaseAway):  # as long as it takes: nobody can be answered either
            await directory.look_at_epoch()
        if directory.epoch != told:  # perhaps a request has noticed first
            told = directory.epoch
            watch.stir()
        await asyncio.sleep(LOOK_AGAIN)


def _settle(future: asyncio.Future[Feed | None], feed: Feed | None, error: Exception | None = None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(feed)
