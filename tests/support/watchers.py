"""Careful clients: they listen through every restart and resume, and they write until they have an answer."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

QUERY = "protocol=7&client=js&version=8.6.0&flash=false"
GONE = (OSError, WebSocketException, httpx.TransportError, httpx.HTTPStatusError)
"""What a client sees when whoever it talks to is killed."""
PAUSE = 0.1
"""Seconds before a client tries again."""


class Watcher:
    """A client that comes back, with what it heard last, whenever its connection is gone."""

    def __init__(self, address: Callable[[], Awaitable[str]], api: httpx.AsyncClient, company_id: str) -> None:
        """Prepare a client.

        Args:
            address: where to connect now: `ws://host:port/app/<key>`.
            api: of somebody who may listen to the company.
            company_id: whose screen it is.
        """
        self.heard: list[int] = []
        """The positions of the events that reached it, in order, repeats included."""
        self.resets: list[dict[str, Any]] = []
        """The data of each `leads.changed` that told it to load everything again."""
        self.connections = 0
        self.refetches = 0
        """How often it was told that it had missed something for good."""
        self._address = address
        self._api = api
        self._channel = f"private-company.{company_id}"
        self._place: dict[str, Any] = {}

    async def run(self) -> None:
        while True:
            with contextlib.suppress(*GONE):
                async with connect(f"{await self._address()}?{QUERY}") as socket:
                    await self._listen(socket)
            await asyncio.sleep(PAUSE)

    async def _listen(self, socket: ClientConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            match frame["event"]:
                case "pusher:connection_established":
                    await socket.send(json.dumps(await self._subscription(json.loads(frame["data"])["socket_id"])))
                case "pusher_internal:subscription_succeeded":
                    self.connections += 1
                case "pusher:ping":
                    await socket.send('{"event":"pusher:pong","data":{}}')
                case "leadwire:position":
                    position = json.loads(frame["data"])
                    self.refetches += bool(self._place) and position.get("resumed") is False
                    self._place = {"epoch": position["epoch"], "offset": position["offset"]}
                case "lead.created":
                    self.heard.append(json.loads(frame["data"])["position"])
                case "leads.changed" if "reset" in (job := json.loads(frame["data"])):
                    self.resets.append(job)

    async def _subscription(self, socket_id: str) -> dict[str, Any]:
        heard = {self._channel: self._place} if self._place else {}
        wanted = {
            "socket_id": socket_id,
            "channel_name": self._channel,
            "leadwire": json.dumps({"positions": heard, "except": []}),
        }
        signed = (await self._api.post("broadcasting/auth", data=wanted)).raise_for_status().json()
        return {"event": "pusher:subscribe", "data": {"channel": self._channel, **signed}}


@contextlib.asynccontextmanager
async def watching(watchers: Sequence[Watcher]) -> AsyncIterator[None]:
    """Let clients listen."""
    tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class OneOf(httpx.AsyncHTTPTransport):
    """Sends each request to one of several servers in turn, and past those that nobody listens at: a load balancer."""

    def __init__(self, urls: Sequence[str]) -> None:
        super().__init__(limits=httpx.Limits(max_connections=200))
        self._urls = [httpx.URL(url) for url in urls]
        self._turn = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for _ in self._urls[1:]:
            with contextlib.suppress(httpx.ConnectError):
                return await self._send(request)
        return await self._send(request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        self._turn += 1
        url = self._urls[self._turn % len(self._urls)]
        request.url = request.url.copy_with(host=url.host, port=url.port)
        return await super().handle_async_request(request)


async def create(api: httpx.AsyncClient, name: str) -> int:
    """Create a lead as a careful client does, the same key until there is an answer; return the feed's position."""
    key = str(uuid.uuid4())
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await api.post("leads", json={"name": name}, headers={"Idempotency-Key": key})
            if answer.status_code == httpx.codes.CREATED:
                position: int = answer.json()["meta"]["position"]
                return position
            assert answer.is_server_error, answer.text
        await asyncio.sleep(PAUSE)


async def create_until(api: httpx.AsyncClient, done: Callable[[], bool], *, pause: float = 0) -> list[int]:
    """Create one lead after the other, a pause between two, until somebody says so; return their positions."""
    positions = [await create(api, "before")]
    while not done():
        positions.append(await create(api, f"Lead {len(positions)}"))
        await asyncio.sleep(pause)
    return positions
