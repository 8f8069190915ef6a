"""Whether a channel has heard everything. The stream numbers what it stores, and tells with each message the number of
the one before it on the same channel: a hole shows with the next message, a lost end does not.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

M = TypeVar("M")


class Verdict(Enum):
    """What to do with a message."""

    GIVE = auto()
    """It is the next one: to the listeners."""
    DROP = auto()
    """They had it, from the stream."""
    HOLD = auto()
    """Something before it is missing, or being fetched."""


@dataclass(slots=True)
class Tail(Generic[M]):
    """What one channel has heard of the stream."""

    sequence: int
    """The number up to which nothing is missing."""
    filling: bool = False
    """Whether what is missing is being fetched; until then newer messages are held."""
    held: list[M] = field(default_factory=list)
    _filled: int = 0
    _went_back: bool = False

    def judge(self, sequence: int, predecessor: int) -> Verdict:
        """Say what to do with a live message; one that may be given counts as heard."""
        if self.filling:
            return Verdict.HOLD
        if sequence <= self._filled:
            return Verdict.DROP
        if predecessor > self.sequence:
            return Verdict.HOLD
        self._went_back |= sequence < self.sequence
        self.sequence = sequence
        return Verdict.GIVE

    def fill(self, sequence: int) -> None:
        """Take note of a message fetched from the stream."""
        self.sequence = self._filled = sequence

    def release(self) -> list[M]:
        """End filling: return what was held, to be judged again."""
        self.filling = False
        held, self.held = self.held, []
        return held

    def reach(self, sequence: int) -> None:
        """Take note that there is nothing more up to a number."""
        self.sequence = max(self.sequence, sequence)

    def rewind(self, last: int) -> None:
        """Take note that the stream lost its end: it goes on after `last`, with numbers that were used before."""
        self.sequence, self._filled = min(self.sequence, last), 0

    def restart(self) -> None:
        """Take note that it is another stream, which counts from 1; what was heard of it already stays heard."""
        if not self._went_back:
            self.sequence = 0
        self._filled, self._went_back = 0, False
