"""An endpoint of an app's owner: a small HTTP server that records what it is sent, and answers as it is told."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from leadwire.ports import LOOPBACK, Reservation, reserve
from support.gateways import GatewayProcess
from support.waiting import until

HOOKED_APP = {
    "id": "7000",
    "key": "hookkey",
    "secret": "hooksecret",
    "enableClientMessages": True,
    "maxClientEventsPerSecond": -1,
}
HANG = 0
"""Instead of a status: no answer at all."""


@dataclass(frozen=True, slots=True)
class Posted:
    """One request as it came."""

    at: float
    """Seconds of the monotonic clock."""
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.document["events"]
        return events

    @property
    def names(self) -> list[str]:
        return [event["name"] for event in self.events]


class Endpoint:
    """Listens on a port of its own; `answer` may be replaced at any time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.posted: list[Posted] = []
        self.answer: Callable[[Posted], int] = lambda posted: 200
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/hook"

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return all events it was sent, in order, also repeated ones."""
        return [event for posted in self.posted for event in posted.events]

    def of(self, channel: str) -> list[dict[str, Any]]:
        """Return the events of one channel."""
        return [event for event in self.events if event["channel"] == channel]

    async def heard(self, count: int, channel: str | None = None, *, within: float = 60) -> list[dict[str, Any]]:
        """Wait for so many events, and return them; there must not be more."""

        def told() -> list[dict[str, Any]]:
            return self.events if channel is None else self.of(channel)

        await until(lambda: len(told()) >= count, within=within, why=f"{count} events came")
        assert len(told()) == count, told()
        return told()

    async def come(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def go(self) -> None:
        """Listen no more, and drop all connections."""
        server, self._server = self._server, None
        assert server is not None
        server.close()
        for writer in self._writers:
            writer.close()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self._server is not None:  # one that was just accepted comes here after `go`
                posted = await _read(reader)
                self.posted.append(posted)
                status = self.answer(posted)
                if status == HANG:
                    await reader.read()
                    break
                reason = HTTPStatus(status).phrase
                head = f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nLocation: {self.url}\r\n\r\n"
                writer.write(head.encode())
        self._writers.discard(writer)
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Endpoint]:
    """Yield an endpoint that listens."""
    reservation: Reservation = reserve()
    endpoint = Endpoint(reservation.port)
    await endpoint.come()
    try:
        yield endpoint
    finally:
        await endpoint.go()
        reservation.release()


def only(endpoint: Endpoint, *kinds: str, **more: Any) -> dict[str, Any]:
    """Return the webhook that tells an endpoint of some kinds."""
    return {"url": endpoint.url, "event_types": list(kinds), **more}


def leads(gateway: GatewayProcess) -> bool:
    """Whether a gateway sends for all: what it said last of that."""
    said = [line["event"] for line in gateway.log() if line["event"].endswith("leading webhooks")]
    return said[-1:] == ["leading webhooks"]


def signature(secret: str, body: bytes) -> str:
    """Return what signs a body, made from the documentation and not from our own code."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def _read(reader: asyncio.StreamReader) -> Posted:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _version = head[0].split(" ")
    assert method == "POST"
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
    body = await reader.readexactly(int(headers["content-length"]))
    return Posted(time.monotonic(), target, headers, body)
