"""What one connection may send us: an honest client never comes near these limits, a flood is cut."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway.pusher.codes import TOO_MANY_BYTES, TOO_MANY_MESSAGES, TOO_MANY_MISTAKES
from runtime.server.rates import Rate


class Use(Enum):
    """What is counted; the value is how metrics call it."""

    BYTES = "bytes"
    MESSAGES = "messages"
    """Frames of any kind, pings too."""
    MISTAKES = "mistakes"
    """Messages that were answered with an error, but for those that are too fast: they have a limit of their own."""


FLOODS: Final = {Use.BYTES: TOO_MANY_BYTES, Use.MESSAGES: TOO_MANY_MESSAGES, Use.MISTAKES: TOO_MANY_MISTAKES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The limits of every connection; None: no limit."""

    bytes: Rate | None = None
    messages: Rate | None = None
    mistakes: Rate | None = None


class Budget:
    """One connection's use of its limits."""

    __slots__ = ("_bytes", "_messages", "_mistakes", "_pace", "exceeded")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._bytes = self._messages = self._mistakes = 0.0
        self.exceeded: Use | None = None
        """The first limit that was passed; from then on the connection has no business here."""

    def read(self, size: int, now: float) -> None:
        if self._pace.bytes is not None:
            self._bytes = self._note(Use.BYTES, self._pace.bytes.take(self._bytes, now, size))

    def message(self, now: float) -> None:
        if self._pace.messages is not None:
            self._messages = self._note(Use.MESSAGES, self._pace.messages.take(self._messages, now))

    def mistake(self, now: float) -> None:
        if self._pace.mistakes is not None:
            self._mistakes = self._note(Use.MISTAKES, self._pace.mistakes.take(self._mistakes, now))

    def _note(self, use: Use, full_at: float | None) -> float:
        if full_at is None:
            self.exceeded = self.exceeded or use
            return 0.0
        return full_at
