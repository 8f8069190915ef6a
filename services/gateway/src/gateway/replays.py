"""What returning listeners missed, fetched from the stream: one fetch for all who wait on a channel."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Protocol

import structlog
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import StreamInfo

from contracts.push import EXCEPT_SOCKET_HEADER
from gateway import wire
from gateway.followers import Followers
from gateway.hub import Room
from gateway.window import Bounds, Event
from runtime import direct

FETCHES: Final = 8  # at once
PACE: Final = 0.02  # seconds between looks whether sockets take more
AWAY: Final = 0.05  # seconds until the next attempt when NATS does not answer
MEMORY: Final = 64 << 20  # bytes of all windows that are kept for those who may come next
NUMBER_PENDING: Final = "Nats-Num-Pending"

_log = structlog.stdlib.get_logger("gateway.replays")


class Stream(Protocol):
    """Where history is."""

    def history(self, app_id: str, channel: str, *, after: int, until: int | None = None) -> AsyncIterator[Msg]:
        """Yield the stored messages of a channel, in order.

        Raises:
            nats.errors.Error, OSError: no answer; what was yielded is valid.
        """

    async def look(self) -> StreamInfo:
        """Return what there is; notice when it is another stream.

        Raises:
            nats.errors.Error, OSError: no answer.
        """

    async def reach(self, room: Room, last: int) -> None:
        """Return when a room has heard everything up to a number that the stream has."""


class Replays:
    """Extends the windows of rooms for as long as somebody waits there."""

    def __init__(self, stream: Stream, bounds: Bounds) -> None:
        self._stream = stream
        self._bounds = bounds
        self._serving: dict[Room, asyncio.Task[None]] = {}
        self._kept: dict[Room, None] = {}
        self._turn = asyncio.Semaphore(FETCHES)

    def request(self, room: Room) -> None:
        """Serve those who wait in a room, unless that is being done."""
        if room not in self._serving:
            self._serving[room] = asyncio.create_task(self._serve(room))

    def sweep(self) -> None:
        """Forget the windows that nobody used since the last call."""
        for room in [room for room in self._kept if room not in self._serving]:
            followers = room.followers
            assert followers is not None
            if followers.window is not None and followers.window.used:
                followers.window.used = False
            else:
                self._forget(room)

    def close(self) -> None:
        """Stop."""
        for task in self._serving.values():
            task.cancel()

    async def _serve(self, room: Room) -> None:
        followers = room.followers
        assert followers is not None
        self._kept[room] = None
        try:
            while followers.waiting:
                try:
                    await self._take_step(room, followers)
                except (Error, OSError, TimeoutError) as error:
                    _log.info("replay interrupted", channel=room.channel, reason=type(error).__name__)
                    await asyncio.sleep(AWAY)
                followers.serve()
        finally:
            del self._serving[room]
        self._tidy()

    async def _take_step(self, room: Room, followers: Followers) -> None:
        offset = followers.missing()
        if offset is None:
            await asyncio.sleep(PACE)
        else:
            async with self._turn:
                await self._extend(room, followers, offset)

    async def _extend(self, room: Room, followers: Followers, offset: int) -> None:
        """Let the window reach back to an offset, or give those up who need that."""
        if offset > followers.heard:
            last = (await self._stream.look()).state.last_seq
            followers.refuse_beyond(last)
            await self._stream.reach(room, last)
            return
        window = followers.open_window()
        start = window.start
        missed = await self._fetch(room, offset, start)
        first = (await self._stream.look()).state.first_seq  # after the fetch: nothing it could have missed is gone
        if followers.window is not window:  # the stream began anew
            return
        complete = missed is not None and first <= offset + 1 and window.start == start
        if missed is None or not complete or not window.prepend(offset, missed):
            followers.give_up(offset)

    async def _fetch(self, room: Room, after: int, until: int) -> list[Event] | None:
        """Return the events in between, or None when they are too many."""
        events: list[Event] = []
        size = 0
        async for message in self._stream.history(room.app_id, room.channel, after=after, until=until):
            headers = message.headers or {}
            if not events and int(headers[NUMBER_PENDING]) >= self._bounds.events:
                return None
            frame = wire.text(message.data)
            events.append(Event(direct.sequence(message), frame, headers.get(EXCEPT_SOCKET_HEADER)))
            size += len(frame)
            if size > self._bounds.bytes:
                return None
        return events

    def _tidy(self) -> None:
        """Keep the windows within the memory for them; the oldest go first."""
        size = sum(self._size(room) for room in self._kept)
        for room in [room for room in self._kept if room not in self._serving]:
            if size <= MEMORY:
                return
            size -= self._size(room)
            self._forget(room)

    def _size(self, room: Room) -> int:
        window = room.followers.window if room.followers is not None else None
        return 0 if window is None else window.size

    def _forget(self, room: Room) -> None:
        del self._kept[room]
        if room.followers is not None:
            room.followers.window = None
