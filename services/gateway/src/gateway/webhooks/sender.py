"""Takes stored requests out of the stream and posts them, until each is answered or given up.

One process does this at a time, so that first attempts keep the stream's order. A message is acknowledged after a 2xx
and not before: what a killed process had in hand comes again, perhaps after it was answered.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext

from contracts import streams
from contracts.subjects import name_of
from gateway import metrics
from gateway.webhooks.client import Poster, Unanswered
from gateway.webhooks.lane import Lane, Turn
from gateway.webhooks.request import Contents, Request, Unreadable, read
from gateway.webhooks.retry import Retry

WIDTH: Final = 8  # requests under way at one endpoint
WAITING: Final = 1000  # requests held for one endpoint; what is more comes again later, and may lose its place
BEAT: Final = 2.5  # seconds between two words to NATS that we still have them; it waits `ack_wait`
LOOK: Final = 1.0  # seconds a fetch waits; a lost connection is noticed by then
LATE: Final = 3.0  # seconds that the last attempt may be late
ANSWERED: Final = 10_000  # remembered, in case that an acknowledgement was lost

_log = structlog.stdlib.get_logger("gateway.webhooks.sender")


Key: TypeAlias = tuple[int, datetime]
"""What a message is stored under, and when: a stream that was lost and made again counts from 1 again."""


@dataclass(slots=True)
class _Held:
    """A message in our hands."""

    message: Msg
    """As it was delivered last."""
    app_id: str
    request: Request
    contents: Contents

    @property
    def key(self) -> Key:
        return _key(self.message)


class Sender:
    """One turn of leading. The stream has everything that is in memory here."""

    def __init__(self, poster: Poster, retry: Retry, *, now: Callable[[], float], chance: Callable[[], float]) -> None:
        """Hold nothing yet.

        Args:
            poster: reaches the endpoints.
            retry: when to try again.
            now: Unix time in seconds.
            chance: from 0 to 1, evenly distributed.
        """
        self._poster = poster
        self._retry = retry
        self._now = now
        self._chance = chance
        self._held: dict[Key, _Held] = {}
        self._lanes: dict[tuple[str, str], Lane[_Held]] = {}
        self._answered: OrderedDict[Key, None] = OrderedDict()
        self._ending = False

    async def run(self, nats: Client) -> None:
        """Send until cancelled; then finish what is under way, and give the rest back."""
        subscription = await nats.jetstream().pull_subscribe_bind(streams.SENDER, streams.WEBHOOKS)
        cancelled: asyncio.CancelledError | None = None
        async with asyncio.TaskGroup() as attempts:
            beating = attempts.create_task(self._beat(subscription))
            try:
                while True:
                    message = await _next(subscription)
                    if message is not None:
                        await self._take(message, attempts)
            except asyncio.CancelledError as error:
                cancelled = error  # the group now waits for the attempts
            self._ending = True
            beating.cancel()
        metrics.WEBHOOKS_WAITING.set(0)  # another's business now
        for held in self._held.values():
            await _tell(held.message.nak())
        with contextlib.suppress(Error, OSError):
            await subscription.unsubscribe()
        raise cancelled

    async def _take(self, message: Msg, attempts: asyncio.TaskGroup) -> None:
        key = _key(message)
        if key in self._answered:  # the acknowledgement was lost
            await _tell(message.ack())
            return
        if key in self._held:
            self._held[key].message = message
            return
        app_id = name_of(message.subject.split(".")[1])
        try:
            held = _Held(message, app_id, *read(message.headers, message.data))
        except Unreadable as error:
            _log.error("webhook unreadable", app=app_id, reason=str(error))
            await _tell(message.term())
            return
        lane = self._lanes.setdefault((app_id, held.request.url), Lane(WIDTH))
        if len(lane) >= WAITING:
            await self._put_back(held, "too many wait")
            return
        self._held[key] = held
        lane.join(held, held.contents.channels)
        self._start(lane, attempts)

    def _start(self, lane: Lane[_Held], attempts: asyncio.TaskGroup) -> None:
        while not self._ending and (turn := lane.start()) is not None:
            attempts.create_task(self._attempt(lane, turn, attempts))

    async def _attempt(self, lane: Lane[_Held], turn: Turn[_Held], attempts: asyncio.TaskGroup) -> None:
        held = turn.item
        failure = await self._post(held)
        del self._held[held.key]
        if failure is None:
            await self._finish(held)
        else:
            metrics.count(metrics.WEBHOOKS_FAILED, held.app_id, held.contents.kinds)
            await self._put_back(held, failure)
        lane.end(turn)
        if not lane:
            self._lanes.pop((held.app_id, held.request.url), None)
        self._start(lane, attempts)

    async def _post(self, held: _Held) -> str | None:
        """Make one attempt; return what went wrong, None when the endpoint took it."""
        if self._age(held) > self._retry.window + LATE:
            return "waited too long"
        try:
            status = await self._poster.post(held.request)
        except Unanswered as error:
            return str(error)
        return None if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES else str(status)

    async def _finish(self, held: _Held) -> None:
        metrics.count(metrics.WEBHOOKS_SENT, held.app_id, held.contents.kinds)
        self._answered[held.key] = None
        if len(self._answered) > ANSWERED:
            self._answered.popitem(last=False)
        await _tell(held.message.ack())

    async def _put_back(self, held: _Held, failure: str) -> None:
        """Let NATS deliver it again when its time has come, unless that would be too late."""
        attempt = held.message.metadata.num_delivered
        age = self._age(held)
        delay = self._retry.delay(attempt, age=age, chance=self._chance())
        line = _log.bind(
            app=held.app_id, kinds=held.contents.kinds, host=urlsplit(held.request.url).hostname,
            failure=failure, attempt=attempt,
        )  # fmt: skip
        if delay is None:
            metrics.count(metrics.WEBHOOKS_GIVEN_UP, held.app_id, held.contents.kinds)
            line.error("webhook given up", seconds=round(age))
            await _tell(held.message.term())
        else:
            line.info("webhook failed", again_in=round(delay, 1))
            await _tell(held.message.nak(delay))

    def _age(self, held: _Held) -> float:
        """Return the seconds since a request was made."""
        return self._now() - held.contents.time_ms / 1000

    async def _beat(self, subscription: JetStreamContext.PullSubscription) -> None:
        """Keep NATS from giving to others what waits here, and tell how much waits."""
        while True:
            await asyncio.sleep(BEAT)
            with contextlib.suppress(Error, OSError, TimeoutError):
                queue = await subscription.consumer_info()
                metrics.WEBHOOKS_WAITING.set((queue.num_pending or 0) + (queue.num_ack_pending or 0))
            for held in list(self._held.values()):
                await _tell(held.message.in_progress())


def _key(message: Msg) -> Key:
    return message.metadata.sequence.stream, message.metadata.timestamp


async def _next(subscription: JetStreamContext.PullSubscription) -> Msg | None:
    """Return the next message, None when there was none for a moment."""
    try:
        return (await subscription.fetch(1, timeout=LOOK))[0]
    except TimeoutError:
        return None
    except (Error, OSError) as error:  # NATS is away, or begins
        _log.warning("webhooks not fetched", reason=type(error).__name__)
        await asyncio.sleep(LOOK)
        return None


async def _tell(answer: Coroutine[None, None, None]) -> None:
    """Send an answer to NATS; one that is lost brings the message back."""
    with contextlib.suppress(Error, OSError):
        await answer
