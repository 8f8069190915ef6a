"""Token buckets."""

from dataclasses import dataclass
from typing import Final

_ROUNDING: Final = 1e-6  # seconds; sums of fractions do not come out exactly


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit that many buckets share; a bucket is one number: the time when it is full again (0.0 at first)."""

    per_second: float
    """Tokens that are added in a second."""
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
