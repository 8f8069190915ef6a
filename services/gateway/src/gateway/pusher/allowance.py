"""How often something may be done: a token bucket that is full at first and holds one second's worth."""


class Allowance:
    """One connection's bucket; times are seconds of any monotonic clock."""

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

    def take(self, now: float) -> bool:
        """Take a token; return whether there was one."""
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
