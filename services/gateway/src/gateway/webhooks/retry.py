"""When a failed request is tried again, and when no more."""

from dataclasses import dataclass
from typing import Final

GROWTH: Final = 1.6  # of the delay, from attempt to attempt
SPREAD: Final = 0.1  # of the delay, up or down: endpoints that failed together do not all come back together
TRIALS: Final = 64  # no exponent beyond; the window is over long before


@dataclass(frozen=True, slots=True)
class Retry:
    """Delays grow from the first one on, until the window is over."""

    first: float
    """Seconds from the first failure to the second attempt, more or less."""
    window: float
    """Seconds after a request was made, in which attempts may begin."""

    def delay(self, attempt: int, *, age: float, chance: float) -> float | None:
        """Return the seconds to wait before the next attempt; None to give up.

        Args:
            attempt: how many there were.
            age: seconds since the request was made.
            chance: from 0 to 1, evenly distributed.
        """
        average = self.first * GROWTH ** min(attempt - 1, TRIALS)
        seconds = average * (1 + SPREAD * (2 * chance - 1))
        left = self.window - age
        if seconds <= left:
            return seconds
        return left if left > average / GROWTH * (1 + SPREAD) else None  # once more at the very end
