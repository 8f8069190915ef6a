"""Which NATS server a client should be connected to: pure bookkeeping, without a socket.

A server that is cut off from its cluster still answers pings, and JetStream behind it answers nothing. So what counts
is whether JetStream answers, and a server that was left for its silence is avoided for a while.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

SILENCE: Final = 4.0  # seconds without any answer of JetStream, with something asked, until a server is left
AVOIDED: Final = 30.0  # seconds for which a server that was left is avoided
REST: Final = 10.0  # seconds between two departures: with every server silent, moving helps nobody
RETRIES: Final = 8  # connections in a row that may lead back to a server that was left, as behind a balancer

Address: TypeAlias = tuple[str, int]
"""IP address and port."""


class Patience:
    """How long JetStream has been silent, apart for each kind of request.

    Apart, because a server that is cut off goes on answering some questions when it can no longer store anything.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._silent_since: dict[str, float] = {}

    def answered(self, kind: str) -> None:
        """Take note of an answer."""
        self._silent_since.pop(kind, None)

    def timed_out(self, kind: str, seconds: float) -> bool:
        """Take note of a request that waited for so many seconds in vain; return whether patience is at an end."""
        now = self._clock()
        return now - self._silent_since.setdefault(kind, now - seconds) >= SILENCE

    def begin_anew(self) -> None:
        """Forget the silence: this is another connection."""
        self._silent_since.clear()


class Servers:
    """What a client remembers of the servers it has met."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str | Address, float] = {}
        self._tried: dict[Address, float] = {}
        self._left_at = -REST
        self._returns = 0

    def choose(self, addresses: Sequence[Address]) -> Address:
        """Return the address to try: one that was not left, and of those the one that was not tried for longest."""
        chosen = min(addresses, key=lambda address: (self._is_avoided(address), self._tried.get(address, 0.0)))
        self._tried[chosen] = self._clock()
        return chosen

    def may_leave(self) -> bool:
        """Whether the last departure is long enough ago."""
        return self._clock() - self._left_at >= REST

    def leave(self, server_id: str, address: Address) -> None:
        """Avoid a server from now on.

        Args:
            server_id: what it calls itself; a balancer's address stands for several servers.
            address: where it was reached.
        """
        now = self._clock()
        self._left = {key: until for key, until in self._left.items() if until > now}
        self._left |= dict.fromkeys((server_id, address), now + AVOIDED)
        self._left_at = now
        self._returns = 0

    def must_leave_again(self, server_id: str) -> bool:
        """Whether a new connection has led back to a server that was left, and should be tried once more."""
        self._returns += 1
        return self._is_avoided(server_id) and self._returns <= RETRIES

    def _is_avoided(self, key: str | Address) -> bool:
        return self._left.get(key, 0.0) > self._clock()
