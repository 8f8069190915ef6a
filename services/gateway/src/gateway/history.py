"""Pages of a channel's past, for backends: the same numbers and the same stream that sockets resume from."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import StreamInfo

from contracts.push import EXCEPT_SOCKET_HEADER
from gateway.pusher.refusals import Unavailable
from runtime import direct

MAX_BYTES: Final = 1 << 20  # of the events of one page


class Stream(Protocol):
    """Where history is; see `Bus`."""

    @property
    def connected(self) -> bool: ...

    @property
    def epoch(self) -> str: ...

    def history(self, app_id: str, channel: str, *, after: int, until: int | None = None) -> AsyncIterator[Msg]: ...

    async def look(self) -> StreamInfo: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a channel's events."""

    events: list[dict[str, Any]]
    epoch: str
    offset: int
    """Where the next page begins."""
    complete: bool
    """Whether nothing is missing between what was asked for and the first event."""
    more: bool
    """Whether there are more events already."""


class History:
    """Reads pages."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def page(self, app_id: str, channel: str, *, after: int, epoch: str | None, limit: int) -> Page:
        """Return the events of a channel after an offset, the oldest first.

        Args:
            app_id: whose channel.
            channel: its name.
            after: an offset; 0 for the beginning.
            epoch: the one the offset is of; None when the caller does not know.
            limit: events; a page may end earlier.

        Raises:
            Unavailable: the stream cannot be read now.
        """
        if not self._stream.connected:
            raise Unavailable("The message broker is not reachable; try again")
        try:
            return await self._page(app_id, channel, after, epoch, limit)
        except (Error, OSError, TimeoutError) as error:
            raise Unavailable("The message broker did not answer; try again") from error

    async def _page(self, app_id: str, channel: str, after: int, epoch: str | None, limit: int) -> Page:
        last = (await self._stream.look()).state.last_seq
        current = self._stream.epoch
        if epoch not in {None, current} or after > last:
            return Page([], current, last, complete=False, more=False)
        events: list[dict[str, Any]] = []
        offset, size, more = last, 0, False
        async for message in self._stream.history(app_id, channel, after=after, until=last):
            if len(events) == limit or size > MAX_BYTES:
                more, offset = True, events[-1]["offset"]
                break
            events.append(_event(message))
            size += len(message.data)
        first = (await self._stream.look()).state.first_seq  # after reading: nothing that was missed is gone only now
        if self._stream.epoch != current:
            return Page([], self._stream.epoch, 0, complete=False, more=True)
        return Page(events, current, offset, complete=first <= after + 1, more=more)


def _event(message: Msg) -> dict[str, Any]:
    frame = orjson.loads(message.data)
    event = {"offset": direct.sequence(message), "event": frame["event"], "data": frame["data"]}
    except_socket = (message.headers or {}).get(EXCEPT_SOCKET_HEADER)
    return event if except_socket is None else {**event, "socket_id": except_socket}
