"""nats-py for who hears very many channels: messages go straight to a plain function.

nats-py gives each subscription a queue and a task, and reads headers with the care that mail needs: two thirds of what
a message costs. Both are replaced here in the two private methods that receive; what is unusual takes the old way.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

Deliver = Callable[[Msg], None]

_FIRST_LINE: Final = b"NATS/1.0\r\n"
_END: Final = b"\r\n\r\n"


class LiveClient(Client):
    """A client with one more way to subscribe, and with something to do when its connection is lost."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: dict[int, Deliver] = {}
        self._unused: asyncio.Queue[Msg] = asyncio.Queue()
        self._at_loss: list[Callable[[], None]] = []

    def at_loss(self, act: Callable[[], None]) -> None:
        """Have something done each time the connection is lost, before the next one is tried."""
        self._at_loss.append(act)

    def lost(self) -> None:
        """Say that it is; `runtime.broker.connect` sees to that."""
        for act in self._at_loss:
            act()

    def drop_unsent(self) -> None:
        """Forget what waits to be sent."""
        self._pending.clear()
        self._pending_data_size = 0

    async def listen(self, subject: str, deliver: Deliver) -> Subscription:
        """Subscribe; each message is given to a function, which must be quick and never waits.

        Nothing is ever pending: the socket's own buffers hold what has not been read.
        """
        subscription = await self.subscribe(subject)
        subscription._pending_queue = self._unused  # noqa: SLF001 - several KB for each channel otherwise
        subscription._message_iterator = None  # noqa: SLF001 - it knows the subscription: only a full collection frees both
        self._listeners[subscription._id] = deliver  # noqa: SLF001
        return subscription

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._listeners.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        deliver = self._listeners.get(sid)
        if deliver is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        found = parse(headers) if headers else None
        if headers and found is None:
            found = await self._process_headers(headers)
        try:
            deliver(self._build_message(sid, subject, reply, data, found))
        except Exception as error:  # noqa: BLE001 - as nats-py does: one bad message must not end the connection
            await self._error_cb(error)


def read_headers_plainly(client: Client) -> None:
    """Make a client that somebody else made read plain headers as ours does; others it reads as before."""
    carefully = client._process_headers  # noqa: SLF001

    async def process(headers: bytes) -> dict[str, str] | None:
        return (parse(headers) if headers else None) or await carefully(headers)

    client._process_headers = process  # type: ignore[method-assign]  # noqa: SLF001


def parse(headers: bytes) -> dict[str, str] | None:
    """Return plain headers, as the server itself writes them; None for any that need a closer look."""
    if not (headers.startswith(_FIRST_LINE) and headers.endswith(_END) and headers.isascii()):
        return None
    found = {}
    for line in headers[len(_FIRST_LINE) : -len(_END)].decode().split("\r\n"):
        name, colon, value = line.partition(": ")
        if not colon or ":" in name or " " in name or not name.isprintable() or value != value.strip():
            return None
        found[name] = value
    return found
