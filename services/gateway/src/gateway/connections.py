"""All connections of this process: how many each app has, whose time has come, and how they are sent away."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil
from typing import Final, Protocol

from gateway import metrics
from gateway.pusher.app import Apps
from gateway.pusher.codes import RESTARTING, UNVERIFIED, Refusal
from runtime.server.timer_wheel import Timed, TimerWheel

PACE: Final = 0.1  # seconds between two batches of a drain
PARTING: Final = 4096
BATCH: Final = 500  # connections looked at before others get their turn


class Established(Timed, Protocol):
    """A connection that was admitted to an app."""

    def refuse(self, refusal: Refusal) -> None:
        """Close it, telling why."""

    def send_away(self, *, returns: bool) -> None:
        """Close it: the application ends its user's connections, and its client comes back at once or not."""

    def reconsider(self, apps: Apps) -> None:
        """Go on under the rules that its app has now, or end with it."""


class Parting(Protocol):
    """A connection that was refused, and may still take the reason."""

    def cut(self) -> None:
        """End it at once."""


class Connections:
    """The register. One task, `run`, watches every deadline."""

    def __init__(self, tick: float, *, most_parting: int = PARTING) -> None:
        """Make an empty register.

        Args:
            tick: seconds between two looks at the deadlines.
            most_parting: connections that may be refused and not yet gone; then whoever was refused first is cut.
        """
        self._tick = tick
        self._most_parting = most_parting
        self._parting: dict[Parting, None] = {}
        self._apps: Counter[str] = Counter()
        self._established: dict[str, Established] = {}
        self._gone = asyncio.Event()
        self.wheel = TimerWheel(tick, asyncio.get_running_loop().time())

    def __len__(self) -> int:
        return len(self._established)

    def by_app(self) -> Mapping[str, int]:
        """Return app → connections."""
        return self._apps

    def add(self, connection: Established, app_id: str, socket_id: str) -> None:
        self._established[socket_id] = connection
        self._apps[app_id] += 1
        metrics.CONNECTIONS.labels(app_id).inc()

    def remove(self, app_id: str, socket_id: str) -> None:
        del self._established[socket_id]
        self._apps[app_id] -= 1
        metrics.CONNECTIONS.labels(app_id).dec()
        self._gone.set()

    def part(self, connection: Parting) -> None:
        """Take note of a connection that was refused at the door: a flood of those must not keep our descriptors."""
        if len(self._parting) >= self._most_parting:
            next(iter(self._parting)).cut()
        self._parting[connection] = None

    def parted(self, connection: Parting) -> None:
        """Forget such a connection."""
        self._parting.pop(connection, None)

    def send_away(self, socket_ids: Iterable[str], returns: bool) -> None:
        """Close some connections: the application ends their user's; clients come back at once or not."""
        for socket_id in socket_ids:
            self._established[socket_id].send_away(returns=returns)

    def send_back(self, socket_ids: Iterable[str]) -> None:
        """Close some connections whose user's authorization cannot be verified; clients ask for a new one at once."""
        for socket_id in socket_ids:
            self._established[socket_id].refuse(UNVERIFIED)

    async def reconsider(self, apps: Apps) -> None:
        """Put every connection under the rules that its app has now."""
        for number, connection in enumerate(list(self._established.values()), start=1):
            connection.reconsider(apps)
            if number % BATCH == 0:
                await asyncio.sleep(0)

    async def run(self) -> None:
        """Watch the deadlines until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._tick)
            self.wheel.sweep(loop.time())

    async def drain(self, window: float) -> None:
        """Send everybody away in equal batches spread over a window of seconds, and wait until they are gone.

        They come back at once, to another process: the window is what that process has to take them in.
        """
        batch = max(1, ceil(len(self) * PACE / window)) if window > 0 else max(1, len(self))
        waiting = list(self._established.values())
        while waiting:
            leaving, waiting = waiting[:batch], waiting[batch:]
            for connection in leaving:
                connection.refuse(RESTARTING)
            if waiting:
                await asyncio.sleep(PACE)
        while self._established:  # the close handshake has a deadline of its own
            self._gone.clear()
            await self._gone.wait()
