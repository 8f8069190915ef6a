"""How often an app may do something: a token bucket that may be overdrawn."""

from math import ceil


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
