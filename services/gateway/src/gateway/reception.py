"""Sockets that have not said yet what they want: each has a deadline, and there is room for so many only.

uvicorn's own HTTP side waits for ever, for headers of any length.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import metrics
from gateway.wheel import Wheel

TLS_RECORD: Final = b"\x16"  # how a TLS handshake begins; pusher-js tries one on the plain port


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What is expected of a socket before it is a WebSocket."""

    request_seconds: float = 10.0
    """To send a whole request."""
    answer_seconds: float = 60.0
    """To take the answer."""
    head_bytes: int = 16 * 1024
    """Of request line and headers."""
    waiting: int = 4096
    """Sockets at once."""


class Reception:
    """Who is there. When there is no room, whoever has waited longest goes: honest clients ask at once."""

    def __init__(self, manners: Manners, wheel: Wheel) -> None:
        self.manners = manners
        self.wheel = wheel
        self._waiting: dict[HttpConnection, None] = {}

    def enter(self, connection: "HttpConnection") -> None:
        if len(self._waiting) >= self.manners.waiting:
            next(iter(self._waiting)).cut("pending")
        self._waiting[connection] = None

    def leave(self, connection: "HttpConnection") -> None:
        self._waiting.pop(connection, None)
        self.wheel.cancel(connection)


class HttpConnection(HttpToolsProtocol):
    """uvicorn's HTTP protocol, bounded."""

    def __init__(self, *, reception: Reception, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(**options)
        self.slot = 0
        self._reception = reception
        self._head = 0
        """Bytes received of a request whose head is not complete."""
        self._in_head = True
        self._upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._reception.enter(self)
        self._expect(self._reception.manners.request_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reception.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.slot:  # between two requests even an empty line counts as the beginning of one
            self._expect(self._reception.manners.request_seconds)
        if self._in_head and not self._head and data.startswith(TLS_RECORD):
            self.transport.close()
            return
        while data and not self._upgraded and not self.transport.is_closing():
            room = self._reception.manners.head_bytes - self._head if self._in_head else len(data)
            if room <= 0:
                self._refuse_head()
                return
            piece, data = data[:room], data[room:]
            self._head += len(piece)
            super().data_received(piece)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head = True, 0
        self._expect(self._reception.manners.answer_seconds)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # uvicorn's keep-alive timer watches from here
            self._reception.wheel.cancel(self)

    def handle_websocket_upgrade(self) -> None:
        self._upgraded = True
        self._reception.leave(self)
        super().handle_websocket_upgrade()
        del self.parser  # it knows us: otherwise only the garbage collector would find that both can go

    def on_deadline(self, now: float) -> None:
        del now
        self.cut("handshake")

    def cut(self, limit: str) -> None:
        """End the connection without a word."""
        metrics.LIMITS.labels(limit).inc()
        self._reception.leave(self)
        self.transport.abort()

    def _expect(self, seconds: float) -> None:
        self._reception.wheel.schedule(self, self.loop.time() + seconds)

    def _refuse_head(self) -> None:
        metrics.LIMITS.labels("head").inc()
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self.transport.write(f"HTTP/1.1 {status} {status.phrase}\r\nConnection: close\r\n\r\n".encode())
        self.transport.close()
