"""The gateway's share in what all gateways know: a lease of its own, its records, and the rosters it watches.

Everything converges: what cannot be published is published later, what was missed is read again. NATS may be away for
any time, and so may this process.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

from contracts import streams
from gateway import direct, metrics
from gateway.cluster import records
from gateway.cluster.desired import Desired, Wish
from gateway.cluster.nodes import Nodes
from gateway.cluster.roster import Roster
from gateway.cluster.watch import Watch, Watcher
from runtime import broker
from runtime.broker import Outgoing, PublishFailed

LEASE: Final = 10.0  # seconds without a word until a gateway counts as gone
RENEWALS: Final = 3.3  # in the time of a lease
LOOKS: Final = 20  # at the others' leases, in the time of a lease
WINDOW: Final = 256  # records published at once
READERS: Final = 16  # rosters read at once
AWAY: Final = 0.1  # seconds until the next attempt when NATS does not answer
CONFIRM: Final = 1.0  # seconds to wait for NATS to confirm subscriptions before asking again
FAREWELL: Final = 2.0  # seconds for the last records of a process that ends
OVER_EXPIRES: Final = "60s"
_TROUBLE: Final = (Error, OSError, TimeoutError)

_log = structlog.stdlib.get_logger("gateway.cluster")


@dataclass(slots=True)
class _Line:
    """How a watch is kept up to date."""

    subscription: Subscription
    reader: asyncio.Task[None] | None = None


class Cluster:
    """All gateways, as seen from this one."""

    def __init__(
        self, url: str, node: str, *, connections: Callable[[], Mapping[str, int]], lease: float = LEASE
    ) -> None:
        """Prepare; nothing happens before `run`.

        Args:
            url: of NATS.
            node: this process's name; no other process ever has the same.
            connections: returns app → connections of this process.
            lease: seconds without a word until a node counts as gone.
        """
        self.node = node
        self._url = url
        self._connections = connections
        self._lease = lease
        self._nodes = Nodes(node, lease)
        self._desired = Desired()
        self._dirty = asyncio.Event()
        self._watches: dict[tuple[str, str], Watch] = {}
        self._stale: dict[Watch, None] = {}
        self._dropped: list[Watch] = []
        self._lines: dict[Watch, _Line] = {}
        self._nodes_stale = True
        self._watching = asyncio.Event()
        self._reader_turn = asyncio.Semaphore(READERS)
        self._returned = asyncio.Event()
        self._renewed_at: float | None = None
        self._highest = 0

    # What the rest of the gateway asks for.

    @property
    def healthy(self) -> bool:
        """Whether the others know that this process lives."""
        now = asyncio.get_running_loop().time()
        return self._renewed_at is not None and now - self._renewed_at < self._lease

    @property
    def living(self) -> frozenset[str]:
        """The nodes that live, this one among them."""
        return frozenset(self._nodes.living)

    def connections(self, app_id: str) -> int:
        """Return how many connections an app has: ours, and what the other gateways last told of theirs."""
        return self._connections().get(app_id, 0) + self._nodes.connections(app_id)

    def enter(self, app_id: str, topic: str, user_id: str, info: str | None = None) -> int:
        """Let everybody know that a user is on a topic here, or with other information; return the record's version."""
        return self._put(records.member(app_id, topic, self.node, user_id), records.member_body(user_id, info))

    def leave(self, app_id: str, topic: str, user_id: str) -> None:
        """Let everybody know that a user is not on a topic here any more."""
        self._remove(records.member(app_id, topic, self.node, user_id))

    def tell_count(self, app_id: str, topic: str, number: int) -> None:
        """Let everybody know how many listen to a topic here."""
        subject = records.count(app_id, topic, self.node)
        if number:
            self._put(subject, records.count_body(number))
        else:
            self._remove(subject)

    def version(self, watch: Watch, user_id: str) -> int:
        """Return the version of our own record of a user that stands on a topic, 0 when there is none."""
        return watch.roster.version(self.node, records.member_token(user_id))

    def watch(self, app_id: str, topic: str, watcher: Watcher) -> Watch:
        """Begin to watch a topic; the watcher is told when its roster is complete, unless it is so already."""
        watch = self._watches.get((app_id, topic))
        if watch is None:
            watch = self._watches[app_id, topic] = Watch(app_id, topic, Roster(self._nodes.living))
            self._stale[watch] = None
            self._watching.set()
        watch.watchers[watcher] = None
        return watch

    def unwatch(self, watch: Watch, watcher: Watcher) -> None:
        """Stop watching a topic."""
        del watch.watchers[watcher]
        if not watch.watchers:
            del self._watches[watch.app_id, watch.topic]
            self._stale.pop(watch, None)
            self._dropped.append(watch)
            self._watching.set()

    async def run(self) -> None:
        """Take part until cancelled; then let the others know at once."""
        nats = await broker.connect(self._url, "gateway cluster", on_return=self._on_return)
        try:
            await nats.subscribe(records.live(records.LEASES), cb=self._on_lease)
            async with asyncio.TaskGroup() as tasks:
                for part in (self._renew(nats), self._look(nats), self._publish(nats), self._follow(nats)):
                    tasks.create_task(part)
        finally:
            for line in self._lines.values():
                _stop_reading(line)
            await self._retire(nats)
            await broker.close(nats)

    # Our own lease and records.

    def _put(self, subject: str, body: bytes) -> int:
        version = self._desired.put(subject, body)
        self._dirty.set()
        return version

    def _remove(self, subject: str) -> None:
        self._desired.remove(subject)
        self._dirty.set()

    async def _renew(self, nats: Client) -> None:
        """Keep our lease; after an absence, make sure that our records stand."""
        loop, period = asyncio.get_running_loop(), self._lease / RENEWALS
        doubtful = True  # perhaps something was lost
        while True:
            self._returned.clear()
            try:
                stored = await self._publish_lease(nats, period)
                absent = self._renewed_at is not None and loop.time() - self._renewed_at > self._lease
                self._renewed_at = loop.time()
                if absent or stored < self._highest:
                    # Records of nodes that are gone may be cleared up: only what is newer than our lease is safe.
                    self._highest = stored
                    self._desired.everything()
                    doubtful = True
                if doubtful:
                    await self._compare(nats)
                    doubtful = False
            except _TROUBLE as error:
                _log.warning("lease not renewed", reason=type(error).__name__)
            doubtful |= await self._return_within(period)

    async def _publish_lease(self, nats: Client, patience: float) -> int:
        """Publish our lease; return its number in the stream."""
        body = records.lease_body(self._connections())
        headers = {records.EXPIRY_HEADER: f"{max(1, round(self._lease))}s"}
        js = nats.jetstream()
        return (await js.publish(records.lease(self.node), body, timeout=patience, headers=headers)).seq

    async def _return_within(self, seconds: float) -> bool:
        """Wait; return early, and true, when the connection was lost and is back."""
        try:
            await asyncio.wait_for(self._returned.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _compare(self, nats: Client) -> None:
        """Read our own records, and publish what is missing in the stream or too much in it."""
        found: dict[str, int] = {}
        over: set[str] = set()
        for pattern in records.of_node(self.node):
            async for message in direct.read(nats, streams.STATE, pattern):
                headers = message.headers or {}
                subject = headers[direct.STREAM_SUBJECT]
                found[subject] = int(headers[records.VERSION_HEADER])
                if not message.data:
                    over.add(subject)
        self._desired.compare(found, over)
        self._dirty.set()

    async def _publish(self, nats: Client) -> None:
        """Publish what is wanted and does not stand yet, in windows."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            while self._desired.dirty:
                await self._publish_window(nats)
                metrics.RECORDS.set(len(self._desired))

    async def _publish_window(self, nats: Client) -> None:
        if not nats.is_connected:
            await asyncio.sleep(AWAY)
            return
        window = self._desired.take(WINDOW)
        done: Sequence[Wish] = ()
        try:
            acknowledgements = await broker.publish_window(nats.jetstream(), [_outgoing(wish) for wish in window])
            done = window
            self._highest = max(self._highest, *(acknowledged.seq for acknowledged in acknowledgements))
        except PublishFailed as error:
            done = window[: error.acknowledged]
            _log.warning("records not published", records=len(window) - len(done), reason=str(error))
            await asyncio.sleep(AWAY)
        finally:
            self._desired.failed(window[len(done) :])

    async def _retire(self, nats: Client) -> None:
        """Publish the last records, and give the lease back."""
        if not nats.is_connected:
            return
        try:
            async with asyncio.timeout(FAREWELL):
                while self._desired.dirty:
                    await self._publish_window(nats)
                headers = {records.EXPIRY_HEADER: OVER_EXPIRES}
                await nats.jetstream().publish(records.lease(self.node), records.OVER, headers=headers)
        except _TROUBLE as error:
            _log.warning("lease not given back", reason=type(error).__name__)

    # The others.

    def _on_return(self) -> None:
        self._nodes.excuse()
        self._nodes_stale = True
        self._stale |= dict.fromkeys(self._watches.values())
        self._watching.set()
        self._returned.set()

    async def _on_lease(self, message: Msg) -> None:
        self._hear(records.node_of(message.subject), message.data)

    def _hear(self, node: str, body: bytes) -> None:
        changed = self._nodes.hear(node, records.connections(body)) if body else self._nodes.retire(node)
        if changed:
            self._node_changed(node)

    async def _look(self, nats: Client) -> None:
        """Notice whose lease has run out."""
        loop = asyncio.get_running_loop()
        while True:
            for node in self._nodes.look(loop.time(), connected=nats.is_connected):
                self._node_changed(node)
            await asyncio.sleep(self._lease / LOOKS)

    def _node_changed(self, node: str) -> None:
        _log.info("gateway came" if node in self._nodes.living else "gateway is gone", node=node)
        metrics.NODES.set(len(self._nodes.living))
        for watch in tuple(self._watches.values()):
            watch.tell(watch.roster.node_changed(node))

    async def _follow(self, nats: Client) -> None:
        """Keep NATS's subscriptions equal to the topics watched, and their rosters complete."""
        while True:
            await self._watching.wait()
            self._watching.clear()
            dropped, self._dropped = self._dropped, []
            for watch in dropped:
                await self._hang_up(watch)
            stale, self._stale = self._stale, {}
            for watch in stale:
                if watch not in self._lines:
                    self._lines[watch] = _Line(await self._subscribe(nats, watch))
            await _confirm(nats)
            if self._nodes_stale:
                self._nodes_stale = not await self._read_nodes(nats)
                if self._nodes_stale:
                    self._stale = stale | self._stale
                    self._watching.set()
                    await asyncio.sleep(AWAY)
                    continue
            for watch in stale:
                _stop_reading(self._lines[watch])
                self._lines[watch].reader = asyncio.create_task(self._read(nats, watch))

    async def _hang_up(self, watch: Watch) -> None:
        line = self._lines.pop(watch, None)
        if line is not None:
            _stop_reading(line)
            await line.subscription.unsubscribe()

    async def _subscribe(self, nats: Client, watch: Watch) -> Subscription:
        async def on_record(message: Msg) -> None:
            watch.take(message.subject, message.headers or {}, message.data)

        return await nats.subscribe(records.live(watch.pattern), cb=on_record)

    async def _read_nodes(self, nats: Client) -> bool:
        """Hear all leases that stand; return whether that was possible."""
        try:
            async for message in direct.read(nats, streams.STATE, records.LEASES):
                self._hear(records.node_of((message.headers or {})[direct.STREAM_SUBJECT]), message.data)
        except _TROUBLE:
            return False
        return True

    async def _read(self, nats: Client, watch: Watch) -> None:
        """Read a topic's records; what comes live meanwhile is applied, too: the newer of two is true."""
        async with self._reader_turn:
            while True:
                watch.roster.begin()
                try:
                    async for message in direct.read(nats, streams.STATE, watch.pattern):
                        headers = message.headers or {}
                        watch.take(headers[direct.STREAM_SUBJECT], headers, message.data)
                    break
                except _TROUBLE:  # away again: as long as it takes
                    await asyncio.sleep(AWAY)
        watch.complete(watch.roster.finish(lambda node, member: self._stands(watch, node, member)))

    def _stands(self, watch: Watch, node: str, member: str) -> bool:
        """Whether a record is our own and wanted: if the stream does not have it, it soon will again."""
        own = records.count(watch.app_id, watch.topic, self.node)
        return node == self.node and (f"{own}.{member}" if member else own) in self._desired


def _stop_reading(line: _Line) -> None:
    if line.reader is not None:
        line.reader.cancel()


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


def _outgoing(wish: Wish) -> Outgoing:
    headers = {records.VERSION_HEADER: str(wish.version)}
    if not wish.body:
        headers[records.EXPIRY_HEADER] = OVER_EXPIRES
    return Outgoing(wish.subject, wish.body, headers)
