"""What the others say: who lives, and the rosters of the topics that somebody here watches."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

from contracts import streams
from gateway import metrics
from gateway.cluster import records
from gateway.cluster.nodes import Nodes
from gateway.cluster.publisher import AWAY, TROUBLE
from gateway.cluster.roster import Roster
from gateway.cluster.watch import Watch, Watcher
from runtime import broker, direct

LOOKS: Final = 20  # at the others' leases, in the time of a lease
READERS: Final = 16  # rosters read at once
CONFIRM: Final = 1.0  # seconds to wait for NATS to confirm subscriptions before asking again

_log = structlog.stdlib.get_logger("gateway.cluster")


@dataclass(slots=True)
class _Line:
    """How a watch is kept up to date."""

    subscription: Subscription
    reader: asyncio.Task[None] | None = None


class Follower:
    """Keeps the rosters of watched topics complete, also after NATS was away."""

    def __init__(self, node: str, lease: float, *, stands: Callable[[str], bool], in_touch: Callable[[], bool]) -> None:
        """Prepare.

        Args:
            node: this process's name.
            lease: seconds without a word until a node counts as gone.
            stands: subject → whether this process has a record there.
            in_touch: returns whether leases could reach us lately.
        """
        self.nodes = Nodes(node, lease)
        metrics.NODES.set(len(self.nodes.living))
        self._lease = lease
        self._stands = stands
        self._in_touch = in_touch
        self._watches: dict[tuple[str, str], Watch] = {}
        self._lines: dict[Watch, _Line] = {}
        self._stale: dict[Watch, None] = {}
        self._dropped: list[Watch] = []
        self._nodes_stale = True
        self._changed = asyncio.Event()
        self._turn = asyncio.Semaphore(READERS)

    @property
    def informed(self) -> bool:
        """Whether it is known which nodes live."""
        return not self._nodes_stale

    def watch(self, app_id: str, topic: str, watcher: Watcher) -> Watch:
        """Begin to watch a topic; the watcher is told when its roster is complete, unless it is so already."""
        watch = self._watches.get((app_id, topic))
        if watch is None:
            watch = self._watches[app_id, topic] = Watch(app_id, topic, Roster(self.nodes.living))
            self._stale[watch] = None
            self._changed.set()
        watch.watchers[watcher] = None
        return watch

    def unwatch(self, watch: Watch, watcher: Watcher) -> None:
        """Stop watching a topic."""
        del watch.watchers[watcher]
        if not watch.watchers:
            del self._watches[watch.app_id, watch.topic]
            self._stale.pop(watch, None)
            self._dropped.append(watch)
            self._changed.set()

    def on_return(self) -> None:
        """Read everything again: NATS is back."""
        self.nodes.excuse()
        self._nodes_stale = True
        self._stale |= dict.fromkeys(self._watches.values())
        self._changed.set()

    async def look(self, nats: Client) -> None:
        """Notice, until cancelled, whose lease has run out."""
        loop = asyncio.get_running_loop()
        while True:
            for node in self.nodes.look(loop.time(), connected=nats.is_connected and self._in_touch()):
                self._node_changed(node)
            await asyncio.sleep(self._lease / LOOKS)

    async def follow(self, nats: Client) -> None:
        """Keep NATS's subscriptions equal to the topics watched, and their rosters complete, until cancelled."""
        await nats.subscribe(records.live(records.LEASES), cb=self._on_lease)
        self._changed.set()
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._hang_up()
                await self._catch_up(nats)
        finally:
            for line in self._lines.values():
                _stop_reading(line)

    async def _hang_up(self) -> None:
        dropped, self._dropped = self._dropped, []
        for watch in dropped:
            line = self._lines.pop(watch, None)
            if line is not None:
                _stop_reading(line)
                await line.subscription.unsubscribe()

    async def _catch_up(self, nats: Client) -> None:
        """Subscribe the new topics, then read what stands on them and on those of which something may be missed."""
        stale, self._stale = self._stale, {}
        for watch in stale:
            if watch not in self._lines:
                self._lines[watch] = _Line(await self._subscribe(nats, watch))
        await _confirm(nats)
        try:
            if self._nodes_stale:
                await self._read_nodes(nats)
                self._nodes_stale = False
            last = await _last(nats)
        except TROUBLE:
            self._stale = stale | self._stale
            self._changed.set()
            await asyncio.sleep(AWAY)
            return
        for watch in stale:
            line = self._lines[watch]
            _stop_reading(line)
            line.reader = asyncio.create_task(self._read(nats, watch, last))

    async def _subscribe(self, nats: Client, watch: Watch) -> Subscription:
        async def on_record(message: Msg) -> None:
            watch.take(message.subject, message.headers or {}, message.data)

        return await nats.subscribe(records.live(watch.pattern), cb=on_record)

    async def _read(self, nats: Client, watch: Watch, last: int) -> None:
        """Read a topic's records; what comes live meanwhile is applied, too: the newer of two is true."""
        async with self._turn:
            while True:
                watch.roster.begin()
                try:
                    async for message in self._standing(nats, watch, last):
                        headers = message.headers or {}
                        watch.take(headers[direct.STREAM_SUBJECT], headers, message.data)
                    break
                except TROUBLE:  # a replica that lags behind, or away again: as long as it takes
                    await asyncio.sleep(AWAY)
                    with suppress(*TROUBLE):
                        last = await _last(nats)
        watch.complete(watch.roster.finish(lambda node, member: self._ours(watch, node, member)))

    async def _standing(self, nats: Client, watch: Watch, last: int) -> AsyncIterator[Msg]:
        """Yield a topic's records as of the stream's number `last`, or later."""
        witness = records.process(self.nodes.own)
        try:
            async for message in direct.snapshot(nats, streams.STATE, watch.pattern, witness=witness, at_least=last):
                yield message
        except direct.TooMany:  # in portions, and not safe from a lagging replica
            async for message in direct.read(nats, streams.STATE, watch.pattern):
                yield message

    def _ours(self, watch: Watch, node: str, member: str) -> bool:
        """Whether a record is our own and wanted: if the stream does not have it, it soon will again."""
        count = records.count(watch.app_id, watch.topic, node)
        return node == self.nodes.own and self._stands(f"{count}.{member}" if member else count)

    async def _on_lease(self, message: Msg) -> None:
        self._hear(records.node_of(message.subject), message.data)

    async def _read_nodes(self, nats: Client) -> None:
        """Hear all leases that stand."""
        async for message in direct.read(nats, streams.STATE, records.LEASES):
            self._hear(records.node_of((message.headers or {})[direct.STREAM_SUBJECT]), message.data)

    def _hear(self, node: str, body: bytes) -> None:
        connections = records.connections(body) if body else {}
        if connections is None:
            _log.error("a lease cannot be read", node=ascii(node))
            return
        if self.nodes.hear(node, connections) if body else self.nodes.retire(node):
            self._node_changed(node)

    def _node_changed(self, node: str) -> None:
        _log.info("gateway came" if node in self.nodes.living else "gateway is gone", node=node)
        metrics.NODES.set(len(self.nodes.living))
        for watch in tuple(self._watches.values()):
            if watch.roster.knows(node):
                watch.tell(watch.roster.node_changed(node))


def _stop_reading(line: _Line) -> None:
    if line.reader is not None:
        line.reader.cancel()


async def _last(nats: Client) -> int:
    """Return the stream's last number, as its leader knows it.

    Raises:
        nats.errors.Error, OSError: no answer.
    """
    return (await nats.jetstream().stream_info(streams.STATE)).state.last_seq


async def _confirm(nats: Client) -> None:
    """Return when NATS has surely processed everything sent before."""
    while True:
        if nats.is_connected:
            try:
                await broker.barrier(nats, timeout=CONFIRM)
            except (Error, OSError) as error:
                _log.warning("nats did not confirm subscriptions", reason=type(error).__name__)
            else:
                return
        else:
            await asyncio.sleep(AWAY)
