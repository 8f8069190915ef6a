"""What waits for one endpoint. Requests that tell of the same channel go one after the other, in the order in which
they came; others go side by side.
"""

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Turn(Generic[T]):
    """One request's place in a lane."""

    __slots__ = ("ahead", "channels", "item")

    def __init__(self, item: T, channels: frozenset[str]) -> None:
        self.item = item
        self.channels = channels
        self.ahead = 0
        """On how many of its channels somebody is before it."""


class Lane(Generic[T]):
    """Plain memory, no awaits."""

    def __init__(self, width: int) -> None:
        """Make an empty lane.

        Args:
            width: requests under way at once.
        """
        self._free = width
        self._channels: dict[str, deque[Turn[T]]] = {}
        self._ready: deque[Turn[T]] = deque()
        self._size = 0

    def __len__(self) -> int:
        """How many wait or are under way."""
        return self._size

    def join(self, item: T, channels: Iterable[str]) -> None:
        """Wait behind everything that tells of one of these channels."""
        turn = Turn(item, frozenset(channels))
        for channel in turn.channels:
            queue = self._channels.setdefault(channel, deque())
            turn.ahead += bool(queue)
            queue.append(turn)
        if not turn.ahead:
            self._ready.append(turn)
        self._size += 1

    def start(self) -> Turn[T] | None:
        """Return the next that may begin now, if there is one; tell when it ends."""
        if not self._free or not self._ready:
            return None
        self._free -= 1
        return self._ready.popleft()

    def end(self, turn: Turn[T]) -> None:
        """Let those behind it begin."""
        self._free += 1
        self._size -= 1
        for channel in turn.channels:
            queue = self._channels[channel]
            queue.popleft()
            if not queue:
                del self._channels[channel]
                continue
            queue[0].ahead -= 1
            if not queue[0].ahead:
                self._ready.append(queue[0])
