"""A TCP proxy that a test makes misbehave: it stalls, swallows, delays, resets, refuses or never answers.

    with fault_proxy(server.port) as proxy:
        …connect to proxy.port…
        proxy.stall()                       # both directions; connections stay open
        proxy.heal()
        proxy.drop(Direction.TO_CLIENT)     # the server hears everything, the client nothing

It runs in a thread of its own: a test may call it with or without an event loop, and a busy test does not slow it down.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from leadwire.ports import LOOPBACK

CHUNK: Final = 1 << 16  # bytes
WITHIN: Final = 10.0  # seconds for the proxy's thread to do what it is told
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


class Direction(Enum):
    """Which way bytes go."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


class Flow(Enum):
    """What happens to the bytes of a direction."""

    PASS = auto()
    STALL = auto()
    """They are not read: both connections stay open, and the sender's buffers fill."""
    DROP = auto()
    """They are read and forgotten: the sender believes that they arrived."""


class Door(Enum):
    """What happens to a new connection."""

    OPEN = auto()
    SILENT = auto()
    """It is accepted, and nothing more: no byte ever comes back."""
    RESET = auto()
    """It is accepted and reset."""


@dataclass
class Way:
    """One direction of all connections."""

    flow: Flow = Flow.PASS
    latency: float = 0.0
    """Seconds before each piece is passed on."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def become(self, flow: Flow) -> None:
        self.flow = flow
        self.changed.set()
        self.changed = asyncio.Event()


@dataclass(eq=False)
class Link:
    """A client's connection and the one to the server that belongs to it; there is none behind a silent door."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    has_lost_bytes: bool = False

    def reset(self) -> None:
        """End both halves with a TCP reset."""
        for task in self.tasks:
            task.cancel()
        for writer in (self.client, self.server):
            if writer is not None:
                _reset(writer)


class FaultProxy:
    """Forwards connections to a port of this machine until it is told otherwise. Every method is thread-safe.

    With several targets it is a balancer that knows of no failure: each new connection goes to the next one, and to
    another if that refuses.
    """

    def __init__(self, *targets: int) -> None:
        self.targets = deque(targets)
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ways = {direction: Way() for direction in Direction}
        self._door = Door.OPEN
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def stall(self, direction: Direction | None = None) -> None:
        """Pass nothing on, in one direction or both; connections stay open, also new ones."""
        self._do(lambda: self._become(Flow.STALL, direction))

    def drop(self, direction: Direction | None = None) -> None:
        """Swallow everything, in one direction or both; connections stay open, also new ones."""
        self._do(lambda: self._become(Flow.DROP, direction))

    def delay(self, seconds: float, direction: Direction | None = None) -> None:
        """Pass each piece on so much later."""

        def act() -> None:
            for way in self._chosen(direction):
                way.latency = seconds

        self._do(act)

    def answer_nothing(self) -> None:
        """Accept new connections and never answer them; present ones go on."""
        self._do(lambda: self._open(Door.SILENT))

    def reset_new(self) -> None:
        """Accept new connections and reset them; present ones go on."""
        self._do(lambda: self._open(Door.RESET))

    def refuse(self) -> None:
        """Refuse new connections; present ones go on."""
        self._run(self._stop_listening())

    def reset(self) -> None:
        """End all present connections with a TCP reset."""

        def act() -> None:
            for link in list(self._links):
                link.reset()

        self._do(act)

    def half_close(self, direction: Direction) -> None:
        """Tell the receiving end of each present connection that no more will come; the other direction goes on."""

        def act() -> None:
            for link in self._links:
                writer = link.server if direction is Direction.TO_SERVER else link.client
                if writer is not None and writer.can_write_eof():
                    writer.write_eof()

        self._do(act)

    def cut(self) -> None:
        """Reset what is there and refuse what comes, as when the server's process is gone."""
        self.refuse()
        self.reset()

    def heal(self) -> None:
        """Misbehave no longer. Connections of which bytes were dropped are reset, for nobody can send those again."""

        def act() -> None:
            self._door = Door.OPEN
            for way in self._ways.values():
                way.latency = 0.0
                way.become(Flow.PASS)
            for link in [link for link in self._links if link.has_lost_bytes or link.server is None]:
                link.reset()

        self._do(act)
        self._run(self._listen())

    def start(self) -> None:
        self._thread.start()
        self._run(self._listen())

    def close(self) -> None:
        """End everything."""
        self.cut()
        self._run(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WITHIN)
        self._loop.close()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _ended(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _become(self, flow: Flow, direction: Direction | None) -> None:
        for way in self._chosen(direction):
            way.become(flow)

    def _open(self, door: Door) -> None:
        self._door = door

    def _chosen(self, direction: Direction | None) -> list[Way]:
        return list(self._ways.values()) if direction is None else [self._ways[direction]]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._door is Door.RESET:
            _reset(writer)
            return
        link = Link(writer)
        self._links.add(link)
        if self._door is Door.SILENT:
            return
        try:
            there, link.server = await self._connect()
        except OSError:
            self._links.discard(link)
            _reset(writer)
            return
        for direction, source, sink in (
            (Direction.TO_SERVER, reader, link.server),
            (Direction.TO_CLIENT, there, writer),
        ):
            link.tasks.append(asyncio.create_task(self._pump(link, self._ways[direction], source, sink)))
        try:
            await asyncio.wait(link.tasks)
        finally:
            self._links.discard(link)
            for end in (writer, link.server):
                end.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in range(len(self.targets) - 1):
            self.targets.rotate(-1)
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(LOOPBACK, self.targets[0])
        self.targets.rotate(-1)
        return await asyncio.open_connection(LOOPBACK, self.targets[0])

    async def _pump(self, link: Link, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                await self._until_flowing(way)
                data = await source.read(CHUNK)
                if way.latency:
                    await asyncio.sleep(way.latency)
                await self._until_flowing(way)
                if way.flow is Flow.DROP:
                    link.has_lost_bytes = True
                    if not data:  # nobody hears of the end, either
                        await asyncio.Event().wait()
                    continue
                if not data:
                    break
                sink.write(data)
                await sink.drain()
        with contextlib.suppress(OSError):
            if sink.can_write_eof():
                sink.write_eof()

    async def _until_flowing(self, way: Way) -> None:
        while way.flow is Flow.STALL:
            await way.changed.wait()

    def _do(self, act: Callable[[], None]) -> None:
        async def acting() -> None:
            act()

        self._run(acting())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN)


@contextlib.contextmanager
def fault_proxy(*targets: int) -> Iterator[FaultProxy]:
    """Run a proxy in front of one or several ports of this machine."""
    proxy = FaultProxy(*targets)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
