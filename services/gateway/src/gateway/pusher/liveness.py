"""Whether the peer is still there: a silent one is probed, reminded, and given up.

Everything inbound counts as life. All current clients answer a WebSocket PING by themselves; those that cannot see one
get a `pusher:ping` after half the window.
"""

from dataclasses import dataclass

from gateway.pusher import frames
from gateway.pusher.codes import NO_PONG
from gateway.pusher.effects import Close, Effect, Probe, Send


@dataclass(frozen=True, slots=True)
class Patience:
    """How long silence is borne, in seconds."""

    idle: float = 45.0
    """From the last sign of life to the probe."""
    window: float = 30.0
    """From the probe to giving up."""


class Liveness:
    """One connection's state; times are seconds of any monotonic clock."""

    __slots__ = ("_patience", "_probed", "_reminded")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._probed: float | None = None
        self._reminded = False

    def check(self, heard: float, now: float) -> tuple[Effect | None, float]:
        """Return what is to be done now, if anything, and when to check again.

        Args:
            heard: when anything was last received.
            now: the present.
        """
        patience = self._patience
        if self._probed is None or heard >= self._probed:  # clocks are coarse: the answer may bear the same time
            self._probed, self._reminded = None, False
            if now - heard < patience.idle:
                return None, heard + patience.idle
            self._probed = now
            return Probe(), now + patience.window / 2
        if now - self._probed >= patience.window:
            return Close(NO_PONG), now
        if not self._reminded and now - self._probed >= patience.window / 2:
            self._reminded = True
            return Send(frames.PING), self._probed + patience.window
        return None, self._probed + patience.window / (1 if self._reminded else 2)
