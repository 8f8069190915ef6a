"""One read for all who want the same at the same time, none older than its asker."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Coalesced(Generic[T]):
    """Reads by key. Thousands who ask at once cost two reads: who comes while one is under way shares the next."""

    def __init__(self) -> None:
        self._running: dict[object, asyncio.Task[T]] = {}
        self._next: dict[object, asyncio.Task[T]] = {}

    async def read(self, key: object, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what a read finds that begins after this call."""
        coming = self._next.get(key)
        if coming is None:
            coming = self._next[key] = asyncio.create_task(self._after(self._running.get(key), key, read))
        return await asyncio.shield(coming)

    async def _after(
        self, running: asyncio.Task[T] | None, key: object, read: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        if running is not None:
            await asyncio.wait({running})
        mine = self._running[key] = self._next.pop(key)  # whoever comes from here on starts another one
        try:
            return await read()
        finally:
            if self._running.get(key) is mine:
                del self._running[key]
