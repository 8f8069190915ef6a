"""How often something may be done: token buckets."""

from dataclasses import dataclass
from math import ceil
from typing import Final

_ROUNDING: Final = 1e-6  # seconds; sums of fractions do not come out exactly


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit that very many share: each one's bucket is a single number, when it is full again (0.0 at first)."""

    per_second: float
    """Tokens that come in a second."""
    burst: float
    """Tokens that a full bucket holds."""

    def take(self, full_at: float, now: float, tokens: float = 1.0) -> float | None:
        """Take tokens; return when the bucket is full again, or None when there were not enough.

        Args:
            full_at: what the last call returned.
            now: seconds of any monotonic clock.
            tokens: how many.
        """
        later = max(full_at, now) + tokens / self.per_second
        return later if later - now <= self.burst / self.per_second + _ROUNDING else None


class Allowance:
    """One bucket, full at first, holding one second's worth; times are seconds of any monotonic clock."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: int, now: float) -> None:
        """Fill the bucket.

        Args:
            rate: tokens a second, and the most that it holds.
            now: the present.
        """
        self._rate = rate
        self._tokens = float(rate)
        self._at = now

    def take(self, now: float, number: int = 1) -> bool:
        """Take tokens; return whether there were so many.

        More than the bucket holds may be taken while it is full: it fills again from below zero.
        """
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < self._needed(number):
            return False
        self._tokens -= number
        return True

    def pause(self, number: int = 1) -> int:
        """Return after how many whole seconds, at least one, the refused tokens can be had; a day when never."""
        return max(1, ceil((self._needed(number) - self._tokens) / self._rate)) if self._rate else 24 * 3600

    def _needed(self, number: int) -> int:
        return max(1, min(number, self._rate))
