"""Watches the gateways' records for all apps, and tells endpoints who came and went. Only the leader does.

Whatever goes wrong, it begins anew: with what stands in the stream, and what was told.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from contracts import streams, subjects
from gateway.cluster import records
from gateway.cluster.nodes import Nodes
from gateway.pusher.app import Apps
from gateway.webhooks.journal import Journal
from gateway.webhooks.lease import Taken
from gateway.webhooks.ledger import KINDS, Ledger
from runtime import broker, direct
from runtime.broker import PublishFailed

BURST: Final = 0.05  # seconds in which stories come together into one announcement
LIMIT: Final = 200  # stories of one announcement, more or less: it must fit into a message
LOOK: Final = 0.5  # seconds between two looks at leases and apps
FORGET: Final = 10  # leases after which nobody expects a node back; if it returns, it publishes everything anew
PAUSE: Final = 0.5  # seconds before beginning anew

_log = structlog.stdlib.get_logger("gateway.webhooks.announcer")


class Announcer:
    """One process's announcer; it works while the process leads."""

    def __init__(
        self,
        apps: Apps,
        node: str,
        *,
        lease: float,
        hold: float,
        window: float,
        new_journal: Callable[[Client], Journal],
    ) -> None:
        """Do nothing yet.

        Args:
            apps: who wants to hear what.
            node: this process.
            lease: seconds without a word until a node counts as gone.
            hold: seconds after which a departure counts.
            window: seconds after which an unfinished announcement is forgotten.
            new_journal: makes a journal.
        """
        self._apps = apps
        self._node = node
        self._lease = lease
        self._hold = hold
        self._window = window
        self._new_journal = new_journal
        self._changed = asyncio.Event()
        self._missed = False
        self._gone: dict[str, float] = {}  # node that came or went → when

    def on_return(self) -> None:
        """Take note that NATS was away: records may have been missed."""
        self._missed = True
        self._changed.set()

    async def run(self, nats: Client) -> None:
        """Announce until cancelled."""
        while True:
            try:
                await self._watch(nats)
            except (Taken, PublishFailed, Error, OSError, TimeoutError) as error:
                _log.warning("announcing begins anew", reason=str(error) or type(error).__name__)
                await asyncio.sleep(PAUSE)

    async def _watch(self, nats: Client) -> None:
        """Announce until something was missed, or other apps want to hear."""
        self._missed = False
        self._gone.clear()
        wanted = self._wanted()
        nodes = Nodes(self._node, self._lease)
        ledger = Ledger(nodes.living, self._apps.by_id, hold=self._hold)
        async with self._following(nats, nodes, ledger, wanted):
            await self._read_nodes(nats, nodes)
            journal = self._new_journal(nats)
            for told in await journal.open(self._window):
                if told.app_id in wanted:
                    ledger.load(told)
            for app_id in wanted:
                async for message in direct.read(nats, streams.STATE, _topics(app_id)):
                    _take(ledger, message, (message.headers or {})[direct.STREAM_SUBJECT])
            # Gateways that were cut off with us renew their leases in less than half of one.
            ledger.begin(asyncio.get_running_loop().time() + max(self._hold, self._lease / 2))
            while not self._missed and wanted == self._wanted():
                await self._tell(journal, ledger)
                await self._wait(ledger.next_look())
                self._look(nodes, ledger, connected=nats.is_connected)

    async def _tell(self, journal: Journal, ledger: Ledger) -> None:
        while stories := ledger.stories(asyncio.get_running_loop().time(), LIMIT):
            await journal.announce(stories)

    def _look(self, nodes: Nodes, ledger: Ledger, *, connected: bool) -> None:
        """Notice who is gone, and forget who has been gone for long."""
        now = asyncio.get_running_loop().time()
        for node in nodes.look(now, connected=connected):
            ledger.node_changed(node)
            self._gone[node] = now
        for node in [node for node, since in self._gone.items() if now - since > FORGET * self._lease]:
            del self._gone[node]
            if node not in nodes.living:
                ledger.forget(node)

    async def _wait(self, until: float | None) -> None:
        """Wait for a change and what comes with it, or until a time has come; not long."""
        left = LOOK if until is None else min(LOOK, max(0.0, until - asyncio.get_running_loop().time()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._changed.wait()
                await asyncio.sleep(BURST)
        self._changed.clear()

    def _wanted(self) -> frozenset[str]:
        """Return the apps that want to hear."""
        return frozenset(app.id for app in self._apps if app.notifies(*KINDS))

    @asynccontextmanager
    async def _following(
        self, nats: Client, nodes: Nodes, ledger: Ledger, wanted: frozenset[str]
    ) -> AsyncIterator[None]:
        """Take live leases and records."""

        async def on_lease(message: Msg) -> None:
            node = records.node_of(message.subject)
            if _hear(nodes, node, message.data):
                ledger.node_changed(node)
                self._gone[node] = asyncio.get_running_loop().time()
                self._changed.set()

        async def on_record(message: Msg) -> None:
            _take(ledger, message, message.subject)
            self._changed.set()

        subscriptions = [await nats.subscribe(records.live(records.LEASES), cb=on_lease)]
        subscriptions += [await nats.subscribe(records.live(_topics(app_id)), cb=on_record) for app_id in wanted]
        try:
            await broker.barrier(nats)
            yield
        finally:
            for subscription in subscriptions:
                with contextlib.suppress(Error, OSError):
                    await subscription.unsubscribe()

    async def _read_nodes(self, nats: Client, nodes: Nodes) -> None:
        async for message in direct.read(nats, streams.STATE, records.LEASES):
            _hear(nodes, records.node_of((message.headers or {})[direct.STREAM_SUBJECT]), message.data)


def _topics(app_id: str) -> str:
    return f"state.topic.{subjects.token(app_id)}.>"


def _hear(nodes: Nodes, node: str, body: bytes) -> bool:
    return nodes.hear(node, {}) if body else nodes.retire(node)


def _take(ledger: Ledger, message: Msg, subject: str) -> None:
    record = records.parse(subject, message.headers or {}, message.data)
    if record is not None:
        ledger.take(record)
