"""What a client may use of an HTTP server before and between its answers, and who is connected now."""

import asyncio
from collections import Counter as Multiset
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol

from prometheus_client import Counter

from runtime.server.addresses import client_network
from runtime.server.proxies import TrustedProxies
from runtime.server.timer_wheel import TimerWheel

LONGEST_TICK: Final = 1.0  # seconds between two looks at the deadlines
_cut = Counter("http_limits_total", "Connections that were cut, and requests that were refused, by a limit", ["limit"])


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Limits of one listening port."""

    head_seconds: float = 10.0
    """From connecting, or from the first byte of a further request, to the end of the headers."""
    body_seconds: float = 10.0
    """From the end of the headers to the end of the body; what has arrived prolongs it, see `body_bytes_per_second`."""
    body_bytes_per_second: int = 8 * 1024
    """The slowest body: each received byte prolongs its deadline by this fraction of a second."""
    answer_seconds: float = 60.0
    """For which a client may take nothing of an answer that waits for it."""
    keep_alive_seconds: float = 75.0
    """For which a connection may be idle between two requests: longer than proxies do, so that they close first."""
    head_bytes: int = 16 * 1024
    """Of request line and headers together; also of trailers."""
    request_line_bytes: int = 8 * 1024
    headers: int = 100
    pipelined: int = 16
    """Requests that may wait for the answer to an earlier one on the same connection."""
    connections: int = 8192
    """Open at once. A newcomer above it takes the place of the one that has been waiting or idle for longest."""
    connections_per_client: int | None = None
    """Of one client network; of a client behind a trusted proxy: requests at the same time. None: any number."""


class Bounded(Protocol):
    """A connection, as the limiter sees it."""

    def cut(self, limit: str) -> None:
        """End it without an answer."""

    def drain(self) -> None:
        """Announce the end of the connection with the next answer."""


class HttpLimiter:
    """The connections of one listening port."""

    def __init__(self, limits: HttpLimits, proxies: TrustedProxies | None = None) -> None:
        self.limits = limits
        self.proxies = proxies or TrustedProxies()
        self.draining = False
        self.tick = min(
            LONGEST_TICK, *(s / 4 for s in (limits.head_seconds, limits.body_seconds, limits.answer_seconds))
        )
        self.wheel = TimerWheel(self.tick, monotonic())
        self._connections: set[Bounded] = set()
        self._waiting: dict[Bounded, None] = {}  # in the order in which they began to wait
        self._clients: Multiset[str] = Multiset()
        self._left = asyncio.Event()

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Bounded]:
        return iter(tuple(self._connections))

    def enter(self, connection: Bounded) -> bool:
        """Register a new connection; return False, and forget it, when there is no room for it."""
        if len(self._connections) >= self.limits.connections:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                return False
            oldest.cut("connections")
        self._connections.add(connection)
        return True

    def leave(self, connection: Bounded) -> None:
        self._connections.discard(connection)
        self._waiting.pop(connection, None)
        self._left.set()

    def waits(self, connection: Bounded) -> None:
        """Note that a connection has no request that is being answered: it may be cut for a newcomer."""
        if connection in self._connections:
            self._waiting.setdefault(connection)

    def works(self, connection: Bounded) -> None:
        """Note that a request of a connection is being answered."""
        self._waiting.pop(connection, None)

    def claim(self, address: str) -> str | None:
        """Count one more use by a client; return the network to `release`, or None when it has too many."""
        network = client_network(address)
        most = self.limits.connections_per_client
        if most is not None and self._clients[network] >= most:
            return None
        self._clients[network] += 1
        return network

    def release(self, network: str) -> None:
        """Count a use no more."""
        self._clients[network] -= 1
        if not self._clients[network]:
            del self._clients[network]

    def drain(self) -> None:
        """From now on let every answer end its connection (RFC 9112 §9.6)."""
        self.draining = True
        for connection in self:
            connection.drain()

    async def check(self) -> str | None:
        """Answer readiness: whether the port is not about to close."""
        return "draining" if self.draining else None

    async def emptied(self) -> None:
        """Wait until nobody is connected."""
        while self._connections:
            self._left.clear()
            await self._left.wait()

    @staticmethod
    def count(limit: str) -> None:
        """Count a connection or request that met a limit."""
        _cut.labels(limit).inc()
