"""When the last facts had their effects, for who asks. What is older, only the log knows."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

REMEMBERED: Final = 10_000  # facts; some 2 MB


class Memory:
    """Bounded: the oldest is forgotten first."""

    def __init__(self, now: Callable[[], float], *, most: int = REMEMBERED) -> None:
        """Remember nothing yet.

        Args:
            now: Unix time in seconds.
            most: how many facts.
        """
        self._now = now
        self._most = most
        self._applied: OrderedDict[str, float] = OrderedDict()

    def note(self, event_ids: Iterable[str | None]) -> None:
        """Remember that facts had their effects now."""
        at = self._now()
        for event_id in event_ids:
            if event_id is not None:
                self._applied[event_id] = at
        while len(self._applied) > self._most:
            self._applied.popitem(last=False)

    def applied_at(self, event_id: str) -> datetime | None:
        """Return when a fact had its effects, if that is remembered."""
        at = self._applied.get(event_id)
        return None if at is None else datetime.fromtimestamp(at, UTC)
