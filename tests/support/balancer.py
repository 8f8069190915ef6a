"""A load balancer for tests: one port, and behind it whichever process is said to be, or nobody."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from leadwire.ports import LOOPBACK


class Balancer:
    """Forwards new connections to its target; when that one dies, so do the connections."""

    port: int

    def __init__(self, target: int) -> None:
        self.target: int | None = target
        """A port; None: connections end before they begin."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if self.target is None:
                raise ConnectionRefusedError
            there, back = await asyncio.open_connection(LOOPBACK, self.target)
            for source, sink in ((reader, back), (there, writer)):
                task = asyncio.create_task(_pump(source, sink))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        writer.close()

    def cut(self) -> None:
        """Part everybody from the target, and let nobody reach it."""
        self.target = None
        self.close()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                sink.write(data)
                await sink.drain()
    finally:
        sink.close()


@contextlib.asynccontextmanager
async def balancer(target: int) -> AsyncIterator[Balancer]:
    """Run a balancer in front of a port."""
    running = Balancer(target)
    server = await asyncio.start_server(running.forward, LOOPBACK, 0)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        running.close()
