"""Clients' own events on their way out: sockets hand them over without waiting, one task publishes them in order."""

import asyncio
from typing import Final, Protocol

from gateway import metrics
from gateway.pusher.effects import Relay
from gateway.pusher.refusals import Unavailable

BACKLOG: Final = 8192  # events that wait to be published


class Carrier(Protocol):
    """What reaches the other listeners."""

    async def relay(self, event: Relay) -> None:
        """Publish an event that nobody stores.

        Raises:
            Unavailable: it is lost.
        """


class Relays:
    """A queue; what does not fit into it is lost, as everything is that nobody stores."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._waiting: asyncio.Queue[Relay] = asyncio.Queue(BACKLOG)

    def put(self, event: Relay) -> None:
        """Let an event follow those put before."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            metrics.CLIENT_EVENTS.labels("lost").inc()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            event = await self._waiting.get()
            try:
                await self._carrier.relay(event)
            except Unavailable:
                metrics.CLIENT_EVENTS.labels("lost").inc()
            else:
                metrics.CLIENT_EVENTS.labels("relayed").inc()
