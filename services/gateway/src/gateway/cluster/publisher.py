"""Our own part of the common knowledge: the lease of this process, and its records."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error
from nats.js.errors import BadRequestError

from contracts import streams
from gateway import metrics
from gateway.cluster import records
from gateway.cluster.desired import Desired, Wish
from runtime import broker, direct
from runtime.broker import Outgoing, PublishFailed

RENEWALS: Final = 3.3  # in the time of a lease
OVERDUE: Final = 0.45  # of a lease; a renewal that takes so long has failed
WINDOW: Final = 256  # records published at once
AWAY: Final = 0.1  # seconds until the next attempt when NATS does not answer
FAREWELL: Final = 2.0  # seconds for the last records of a process that ends
OVER_EXPIRES: Final = "60s"
TROUBLE: Final = (Error, OSError, TimeoutError)

_log = structlog.stdlib.get_logger("gateway.cluster")


class Publisher:
    """Makes the stream hold what this process wants it to hold, as long as that takes."""

    def __init__(
        self,
        node: str,
        lease: float,
        connections: Callable[[], Mapping[str, int]],
        on_failure: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            node: this process's name.
            lease: seconds without a word until the others count it as gone.
            connections: returns app → connections of this process.
            on_failure: called when the lease could not be stored.
        """
        self._on_failure = on_failure
        self._node = node
        self._lease = lease
        self._connections = connections
        self._desired = Desired()
        self._dirty = asyncio.Event()
        self._returned = asyncio.Event()
        self._renewed_at: float | None = None
        self._highest = 0
        self._lease_number = 0
        """Of our last lease in the stream; 0: none that we know of."""
        self.put(records.process(node), b"{}")

    @property
    def in_touch(self) -> bool:
        """Whether leases can be stored: if ours cannot, those of the others cannot, either."""
        now = asyncio.get_running_loop().time()
        return self._renewed_at is not None and now - self._renewed_at < OVERDUE * self._lease

    def stands(self, subject: str) -> bool:
        """Whether this process wants a record on a subject."""
        return subject in self._desired

    def put(self, subject: str, body: bytes) -> int:
        """Want a record; return its version."""
        version = self._desired.put(subject, body)
        self._dirty.set()
        return version

    def remove(self, subject: str) -> None:
        """Want no record any more."""
        if subject in self._desired:
            self._desired.remove(subject)
            self._dirty.set()

    def on_return(self) -> None:
        """Renew the lease at once: NATS is back."""
        self._returned.set()

    async def renew(self, nats: Client) -> None:
        """Keep the lease until cancelled; after an absence, make sure that our records stand."""
        loop, period = asyncio.get_running_loop(), self._lease / RENEWALS
        doubtful = True  # perhaps something was lost
        while True:
            self._returned.clear()
            try:
                known = self._lease_number
                is_ours = await self._publish_lease(nats, period)
                absent = self._renewed_at is not None and loop.time() - self._renewed_at > self._lease
                self._renewed_at = loop.time()
                if absent or not is_ours or self._lease_number <= max(known, self._highest):
                    # What is older than our lease may be swept away at any moment, or is gone with its stream.
                    _log.warning("publishing everything again", records=len(self._desired))
                    self._highest = 0
                    self._desired.everything()
                    doubtful = True
                if doubtful:
                    await self._compare(nats)
                    doubtful = False
            except TROUBLE as error:
                metrics.LEASE_FAILURES.inc()
                self._on_failure()
                _log.warning("lease not renewed", reason=type(error).__name__)
            doubtful |= await self._return_within(period)

    async def publish(self, nats: Client) -> None:
        """Publish until cancelled what is wanted and does not stand yet."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            while self._desired.dirty:
                await self._publish_window(nats)
                metrics.RECORDS.set(len(self._desired))

    async def retire(self, nats: Client) -> None:
        """Give the lease back, and leave nothing behind."""
        if not nats.is_connected:
            return
        try:
            async with asyncio.timeout(FAREWELL):
                headers = {records.EXPIRY_HEADER: OVER_EXPIRES}
                await nats.jetstream().publish(records.lease(self._node), records.OVER, headers=headers)
                self._desired.clear()
                while self._desired.dirty and nats.is_connected:
                    await self._publish_window(nats)
        except TROUBLE as error:
            _log.warning("records left behind", reason=type(error).__name__)

    async def _publish_lease(self, nats: Client, patience: float) -> bool:
        """Publish our lease; return whether it follows the one before it.

        A stream that was made anew may have come as far as the old one when we look: its numbers alone do not tell.
        """
        headers = {records.EXPIRY_HEADER: f"{max(1, round(self._lease))}s"}
        follows = True
        try:
            stored = await self._store_lease(
                nats, patience, headers | {streams.EXPECTED_LAST_HEADER: str(self._lease_number)}
            )
        except BadRequestError as error:
            if error.err_code != streams.WRONG_LAST_SEQUENCE:
                raise
            follows = self._lease_number == 0  # our very first one may be repeated
            stored = await self._store_lease(nats, patience, headers)
        self._lease_number = stored
        return follows

    async def _store_lease(self, nats: Client, patience: float, headers: dict[str, str]) -> int:
        body = records.lease_body(self._connections())
        stored = await nats.jetstream().publish(records.lease(self._node), body, timeout=patience, headers=headers)
        return stored.seq

    async def _return_within(self, seconds: float) -> bool:
        """Wait; return early, and true, when the connection was lost and is back."""
        try:
            async with asyncio.timeout(seconds):
                await self._returned.wait()
        except TimeoutError:
            return False
        return True

    async def _compare(self, nats: Client) -> None:
        """Read our own records, and publish what is missing in the stream or too much in it."""
        found: dict[str, int] = {}
        over: set[str] = set()
        for pattern in records.of_node(self._node):
            async for message in direct.read(nats, streams.STATE, pattern):
                headers = message.headers or {}
                subject = headers[direct.STREAM_SUBJECT]
                found[subject] = records.version(headers)
                if not message.data:
                    over.add(subject)
        self._desired.compare(found, over)
        self._dirty.set()

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


def _outgoing(wish: Wish) -> Outgoing:
    headers = {records.VERSION_HEADER: str(wish.version)}
    if not wish.body:
        headers[records.EXPIRY_HEADER] = OVER_EXPIRES
    return Outgoing(wish.subject, wish.body, headers)
