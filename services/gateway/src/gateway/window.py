"""The recent events of one channel, so that many who come back at once share one look into the stream."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

SPARE: Final = 8  # when a window is full, one part in so many is given up at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may be replayed to one subscription; no window holds more."""

    events: int = 10_000
    bytes: int = 5 << 20
    chunk: int = 256 << 10
    """Bytes written to a socket before it is asked whether it takes more."""


class Event(NamedTuple):
    """A stored event."""

    sequence: int
    frame: bytes
    """As it stands on the wire."""
    except_socket: str | None


class Portion(NamedTuple):
    """Some events that follow an offset."""

    data: bytes
    events: int
    offset: int
    """Where the next portion begins."""
    is_last: bool


class Window:
    """Everything that a channel heard after `start`, in order."""

    __slots__ = ("_bounds", "_events", "size", "start", "used")

    def __init__(self, start: int, bounds: Bounds) -> None:
        self.start = start
        self.size = 0
        """Bytes of all frames."""
        self.used = True
        """Whether something was read since this was last set to false."""
        self._bounds = bounds
        self._events: list[Event] = []

    def append(self, event: Event) -> bool:
        """Add a newer event; return false when it is not newer: the stream began anew."""
        if event.sequence <= (self._events[-1].sequence if self._events else self.start):
            return False
        self._events.append(event)
        self.size += len(event.frame)
        if self.size > self._bounds.bytes or len(self._events) > self._bounds.events:
            self._trim()
        return True

    def prepend(self, start: int, events: Sequence[Event]) -> bool:
        """Reach back to an earlier start, given all events between; return false when that is too much."""
        size = self.size + sum(len(event.frame) for event in events)
        if size > self._bounds.bytes or len(self._events) + len(events) > self._bounds.events:
            return False
        self._events[:0] = events
        self.start, self.size = start, size
        return True

    def after(self, offset: int, excluded: frozenset[str]) -> Portion:
        """Return what follows an offset not before `start`, without the events that exclude one of some sockets."""
        self.used = True
        frames: list[bytes] = []
        size = 0
        for index in range(bisect_right(self._events, offset, key=_sequence), len(self._events)):
            event = self._events[index]
            offset = event.sequence
            if event.except_socket is None or event.except_socket not in excluded:
                frames.append(event.frame)
                size += len(event.frame)
                if size > self._bounds.chunk:
                    return Portion(b"".join(frames), len(frames), offset, index == len(self._events) - 1)
        return Portion(b"".join(frames), len(frames), offset, is_last=True)

    def _trim(self) -> None:
        bounds, number = self._bounds, 0
        size, room = self.size, bounds.bytes - bounds.bytes // SPARE
        while size > room or len(self._events) - number > bounds.events - bounds.events // SPARE:
            size -= len(self._events[number].frame)
            number += 1
        self.start, self.size = self._events[number - 1].sequence, size
        del self._events[:number]


def _sequence(event: Event) -> int:
    return event.sequence
