"""Which gateways live, by their leases and this process's own clock.

The clock stands still while this process is cut off or asleep: it must not take its own absence for that of the others.
"""

from collections.abc import Mapping
from typing import Final

STEP: Final = 0.1  # of a lease; a longer pause between two looks was our own sleep


class Nodes:
    """All nodes heard of. This process's own node always lives."""

    def __init__(self, own: str, lease: float) -> None:
        """Know only oneself.

        Args:
            own: this process's node.
            lease: seconds without a word until a node counts as gone.
        """
        self.own = own
        self.living = {own}
        self._lease = lease
        self._clock = 0.0
        self._looked: float | None = None
        self._connected = False
        self._heard: dict[str, float] = {}
        self._connections: dict[str, Mapping[str, int]] = {}

    def hear(self, node: str, connections: Mapping[str, int]) -> bool:
        """Take note of a lease; return whether the node was not living before."""
        if node == self.own:
            return False
        self._heard[node] = self._clock
        self._connections[node] = connections
        came = node not in self.living
        self.living.add(node)
        return came

    def retire(self, node: str) -> bool:
        """Take note of a lease that was given back; return whether the node was living before."""
        if node == self.own or node not in self.living:
            return False
        self.living.remove(node)
        del self._heard[node], self._connections[node]
        return True

    def look(self, now: float, *, connected: bool) -> list[str]:
        """Move the clock on; return the nodes that are gone by now.

        Args:
            now: seconds of any monotonic clock.
            connected: whether leases could reach us since the last look.
        """
        if connected and not self._connected:
            self.excuse()
        elif connected and self._looked is not None:
            self._clock += min(now - self._looked, STEP * self._lease)
        self._looked, self._connected = now, connected
        gone = [node for node, heard in self._heard.items() if self._clock - heard >= self._lease]
        for node in gone:
            self.retire(node)
        return gone

    def excuse(self) -> None:
        """Give everyone a whole lease again: nobody could reach us."""
        self._heard = dict.fromkeys(self._heard, self._clock)

    def connections(self, app_id: str) -> int:
        """Return how many connections of an app the other nodes last told of."""
        return sum(connections.get(app_id, 0) for connections in self._connections.values())
