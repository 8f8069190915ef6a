"""A Pusher client in few lines, for what load.c cannot do: signatures, presence, reconnecting, disorder."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from contracts import signing
from publishers import APP

TARGET = f"/app/{APP['key']}?protocol=7"
MASK = b"\0\0\0\0"
_SOCKET_ID = re.compile(rb'socket_id\\":\\"([0-9.]+)')


class Client(asyncio.Protocol):
    """One WebSocket; payloads of text frames go to `on_frame`."""

    def __init__(self, on_frame: Callable[["Client", bytes], None], on_lost: Callable[["Client"], None]) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._data = b""
        self._upgraded = False
        self.established = asyncio.get_running_loop().create_future()
        self.socket_id = ""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(
            f"GET {TARGET} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        at = 0
        if not self._upgraded:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._data = data
                return
            self._upgraded, at = True, end + 4
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if len(data) < start + size:
                break
            self._frame(data[at] & 15, data[start : start + size])
            at = start + size
        self._data = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.established.done():
            self.established.set_exception(ConnectionError("lost before it was established"))
        self._on_lost(self)

    def send(self, event: str, **fields: Any) -> None:
        payload = json.dumps({"event": event, **fields}).encode()
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        self.transport.write(b"\x81" + size + MASK + payload)

    def subscribe(self, channel: str, channel_data: str | None = None) -> None:
        """Ask for a channel, signed if it needs to be."""
        data = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            data["auth"] = signing.channel_auth(APP["key"], APP["secret"], self.socket_id, channel, channel_data)
        if channel_data is not None:
            data["channel_data"] = channel_data
        self.send("pusher:subscribe", data=data)

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.transport.write(bytes([0x8A, 0x80 | len(payload)]) + MASK + payload)
        elif opcode == 1 and not self.socket_id:
            self.socket_id = _SOCKET_ID.search(payload)[1].decode()
            self.established.set_result(None)
        elif opcode == 1:
            self._on_frame(self, payload)


async def connect(
    port: int, on_frame: Callable[[Client, bytes], None], on_lost: Callable[[Client], None], address: str = "127.0.0.1"
) -> Client:
    """Return an established client, coming from a loopback address.

    Raises:
        OSError: refused, or lost meanwhile.
    """
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(
        lambda: Client(on_frame, on_lost), "127.0.0.1", port, local_addr=(address, 0)
    )
    await client.established
    return client
