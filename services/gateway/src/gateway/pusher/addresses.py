"""What each client address uses. The tables are bounded: one by the open sockets, the other by itself."""

from collections import Counter, OrderedDict
from typing import Final

from runtime.server.rates import Rate

REMEMBERED: Final = 65_536
"""Addresses whose handshakes are counted; the one heard of longest ago is forgotten first."""


class Addresses:
    """Counts connections and handshakes; an address is what `runtime.server.addresses.client_network` returns."""

    def __init__(self, *, connections: int | None, handshakes: Rate | None, remembered: int = REMEMBERED) -> None:
        """Begin to count.

        Args:
            connections: how many one address may have at once; None: any number.
            handshakes: how fast one address may open them; None: at any speed.
            remembered: addresses whose handshakes are counted.
        """
        self._limit = connections
        self._handshakes = handshakes
        self._remembered = remembered
        self._connected: Counter[str] = Counter()
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._connected) + len(self._full_at)

    def arrive(self, address: str, now: float) -> bool:
        """Count a handshake; return whether the address may have one more connection."""
        return self._slow_enough(address, now) and (self._limit is None or self._connected[address] < self._limit)

    def enter(self, address: str) -> None:
        """Count an established connection."""
        self._connected[address] += 1

    def leave(self, address: str) -> None:
        """Count it no more."""
        self._connected[address] -= 1
        if not self._connected[address]:
            del self._connected[address]

    def _slow_enough(self, address: str, now: float) -> bool:
        if self._handshakes is None:
            return True
        full_at = self._handshakes.take(self._full_at.get(address, 0.0), now)
        if full_at is None:
            return False
        self._full_at[address] = full_at
        self._full_at.move_to_end(address)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)
        return True
