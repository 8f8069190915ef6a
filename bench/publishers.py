"""How events get into a server: over NATS as the notifier does it, or through the Pusher HTTP API.

A publisher must be cheap, since it shares two processors with what is measured: requests are written by hand.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from contracts import subjects
from contracts.push import frame

APP = {"id": "4242", "key": "gwkey0001", "secret": "gwsecret0001"}
EVENT = "bench"
FRAME_BYTES = 304  # of payload, as measured for the design
HTTP_CONNECTIONS = 8
BATCH = 10  # events of one HTTP request: what hosted Pusher and soketi allow


def data(channel: str) -> str:
    """Return an event's data, stamped with the time; the whole frame has FRAME_BYTES."""
    stamp = f"@{time.monotonic_ns():020}"
    return stamp + "x" * (FRAME_BYTES - len(frame(EVENT, channel, stamp)))


class NatsPublisher:
    """Writes to the stream of pushes, without waiting for it."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._ids = (f"bench-{id(self)}-{number}".encode() for number in itertools.count())  # repeats are dropped

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        options = {"verbose": False, "pedantic": False, "headers": True, "name": "bench", "lang": "bench"}
        options |= {"user": self._url.username, "pass": self._url.password, "version": "1", "protocol": 1}
        self._writer.write(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        await self._reader.readuntil(b"PONG\r\n")
        self._answers = asyncio.create_task(self._answer())

    async def publish(self, channels: Sequence[str]) -> None:
        """Publish one event on each of these channels, in one write."""
        await self.send([(channel, data(channel)) for channel in channels])

    async def send(self, events: Sequence[tuple[str, str]]) -> None:
        """Publish (channel, data) pairs, in one write."""
        self._writer.write(b"".join(self._message(*event) for event in events))
        await self._writer.drain()

    async def close(self) -> None:
        self._answers.cancel()
        self._writer.close()

    def _message(self, channel: str, content: str) -> bytes:
        body = frame(EVENT, channel, content)
        head = b"NATS/1.0\r\nNats-Msg-Id: %b\r\n\r\n" % next(self._ids)
        subject = subjects.push(APP["id"], channel).encode()
        return b"HPUB %b %d %d\r\n%b%b\r\n" % (subject, len(head), len(head) + len(body), head, body)

    async def _answer(self) -> None:
        while line := await self._reader.readline():
            assert not line.startswith(b"-ERR"), line
            if line == b"PING\r\n":
                self._writer.write(b"PONG\r\n")


class HttpPublisher:
    """Posts to `/apps/<id>/events`, or `/batch_events` when there is more than one, over a few connections."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def open(self) -> None:
        for _ in range(HTTP_CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))

    async def publish(self, channels: Sequence[str]) -> None:
        """Publish one event on each of these channels; return when all are answered."""
        events = [{"name": EVENT, "channel": channel, "data": data(channel)} for channel in channels]  # stamped now
        await asyncio.gather(*(self._post(events[at : at + BATCH]) for at in range(0, len(events), BATCH)))

    async def close(self) -> None:
        while not self._free.empty():
            self._free.get_nowait()[1].close()

    async def _post(self, events: Sequence[dict[str, str]]) -> None:
        kind, content = ("events", events[0]) if len(events) == 1 else ("batch_events", {"batch": events})
        reader, writer = await self._free.get()
        writer.write(_request(kind, content))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):  # servers close connections that rest for ten seconds
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(_request(kind, content))
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length[15:]))
        self._free.put_nowait((reader, writer))


def _request(kind: str, content: object) -> bytes:
    body = json.dumps(content).encode()
    path = f"/apps/{APP['id']}/{kind}"
    query = (
        f"auth_key={APP['key']}&auth_timestamp={int(time.time())}&auth_version=1.0"
        f"&body_md5={hashlib.md5(body).hexdigest()}"
    )
    signed = hmac.new(APP["secret"].encode(), f"POST\n{path}\n{query}".encode(), hashlib.sha256).hexdigest()
    head = f"POST {path}?{query}&auth_signature={signed} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
