"""Waiting that ends early."""

import asyncio
from collections.abc import Callable
from contextlib import suppress


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Sleep, but not beyond the moment when `stopping` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


class Backoff:
    """When to try again what failed, by key: after 0.5 s, 1 s, 2 s … never more than 5 s, each a little less.

    How much less is drawn anew each time, so that what failed together is not tried again together.
    """

    FIRST = 0.5
    LONGEST = 5.0
    JITTER = 0.3

    def __init__(self, clock: Callable[[], float], *, chance: Callable[[], float]) -> None:
        """Begin without failures; `chance` draws from 0 to 1."""
        self._clock = clock
        self._chance = chance
        self._delays: dict[str, float] = {}
        self._next: dict[str, float] = {}

    def remaining(self, key: str) -> float:
        """Return the seconds until the next attempt is due: 0 when it is."""
        return max(0.0, self._next.get(key, 0.0) - self._clock())

    def failed(self, key: str) -> None:
        """Put the next attempt off, each time for longer."""
        delay = min(self._delays.get(key, self.FIRST / 2) * 2, self.LONGEST)
        self._delays[key] = delay
        self._next[key] = self._clock() + delay * (1 - self.JITTER * self._chance())

    def succeeded(self, key: str) -> None:
        """Forget the failures."""
        self._delays.pop(key, None)
        self._next.pop(key, None)
