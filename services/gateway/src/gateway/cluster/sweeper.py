"""Clears up after nodes that never come back: their records have no expiry and would fill the stream."""

import asyncio
from collections.abc import Set
from typing import Final

import structlog
from nats.aio.client import Client

from contracts import streams
from gateway.cluster import records
from gateway.cluster.publisher import TROUBLE
from runtime import direct

ROUNDS: Final = 6  # leases between two looks
GRACE: Final = 60  # leases without a word until a node's records are removed

_log = structlog.stdlib.get_logger("gateway.cluster")


class Sweeper:
    """The gateway whose name comes first does it for all."""

    def __init__(self, node: str, lease: float, living: Set[str]) -> None:
        """Prepare.

        Args:
            node: this process's name.
            lease: seconds.
            living: the nodes that live.
        """
        self._node = node
        self._lease = lease
        self._living = living
        self._absent: dict[str, float] = {}  # node → since when

    async def run(self, nats: Client) -> None:
        """Sweep until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._lease * ROUNDS)
            if self._node == min(self._living):
                try:
                    await self.sweep(nats, loop.time())
                except TROUBLE as error:
                    _log.warning("not swept", reason=type(error).__name__)

    async def sweep(self, nats: Client, now: float) -> None:
        """Remove the records of the nodes that are gone for long enough.

        Args:
            nats: a connected client.
            now: seconds of any monotonic clock.

        Raises:
            nats.errors.Error, OSError: no answer; nothing is lost.
        """
        nodes = set()
        async for message in direct.read(nats, streams.STATE, records.PROCESSES):
            if message.data:
                nodes.add(records.node_of((message.headers or {})[direct.STREAM_SUBJECT]))
        self._absent = {node: self._absent.get(node, now) for node in nodes - self._living}
        for node, since in self._absent.items():
            if now - since >= self._lease * GRACE:
                await self._remove(nats, node)

    async def _remove(self, nats: Client, node: str) -> None:
        """Remove a node's records, unless it is back.

        A node that was away publishes its lease, then all its records again. So if there is still no lease after we
        have asked for the stream's last number, whatever it publishes yet lies behind that number.
        """
        js = nats.jetstream()
        last = (await js.stream_info(streams.STATE)).state.last_seq
        leases = [message async for message in direct.last(nats, streams.STATE, [records.lease(node)]) if message.data]
        if leases:
            return
        _log.info("clearing up after a gateway", node=node)
        for pattern in reversed(records.of_node(node)):  # the mark that it lived comes last
            await js.purge_stream(streams.STATE, subject=pattern, seq=last + 1)
