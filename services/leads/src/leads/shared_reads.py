"""One read for everybody who asks for the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class SharedReads:
    """Reads that several requests want at the same time, done once."""

    def __init__(self) -> None:
        self._running: dict[object, asyncio.Task[bytes]] = {}

    async def read(self, key: object, read: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """Return what is read; whoever asks for the same meanwhile gets the same."""
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(read())
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(running)
