"""Deadlines of very many connections for the price of one timer: rounded up to the next tick, kept in slots."""

from math import ceil
from typing import Protocol


class Timed(Protocol):
    """Something with at most one deadline."""

    slot: int
    """Where the wheel keeps it; 0 without a deadline. Only the wheel writes it."""

    def on_deadline(self, now: float) -> None:
        """Act: the deadline has passed."""


class TimerWheel:
    """Times are seconds of the event loop's clock."""

    def __init__(self, tick: float, now: float) -> None:
        self._tick = tick
        self._swept = int(now / tick)
        self._slots: dict[int, set[Timed]] = {}

    def schedule(self, timed: Timed, deadline: float) -> None:
        """Set or move the deadline."""
        self.cancel(timed)
        timed.slot = max(ceil(deadline / self._tick), self._swept + 1)
        self._slots.setdefault(timed.slot, set()).add(timed)

    def cancel(self, timed: Timed) -> None:
        """Forget the deadline, if there is one."""
        if timed.slot in self._slots:
            self._slots[timed.slot].discard(timed)
        timed.slot = 0

    def sweep(self, now: float) -> None:
        """Call everything whose deadline has passed."""
        present = int(now / self._tick)
        for slot in range(self._swept + 1, present + 1):
            self._swept = slot
            for timed in self._slots.pop(slot, ()):
                timed.slot = 0
                timed.on_deadline(now)
