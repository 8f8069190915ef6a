"""Takes stored requests out of the stream and posts them, until each is answered or given up.

One process does this at a time, so that first attempts keep the stream's order. A message is acknowledged after a 2xx
and not before: what a killed process had in hand comes again, perhaps after it was answered.

A request whose events an endpoint refuses as a whole is divided until the events it cannot take are alone: these are
stored as requests of their own and tried again, the others have arrived.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from math import nan
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext

from contracts import streams, subjects
from contracts.push import MESSAGE_ID_HEADER
from gateway import metrics
from gateway.pusher.app import App
from gateway.webhooks.client import Poster, Unanswered
from gateway.webhooks.lane import Lane, Turn
from gateway.webhooks.request import Contents, Request, Unreadable, halve, kinds_of, read
from gateway.webhooks.retry import Retry
from runtime.broker import Outgoing, PublishFailed, publish_window

WIDTH: Final = 8  # requests under way at one endpoint
WAITING: Final = 1000  # requests held for one endpoint; what is more comes again later, and may lose its place
BEAT: Final = 1.5  # seconds between two words to NATS that we still have them; it waits `ack_wait`
LOOK: Final = 1.0  # seconds a fetch waits; a lost connection is noticed by then
LATE: Final = 3.0  # seconds that the last attempt may be late
ANSWERED: Final = 10_000  # remembered, in case that an acknowledgement was lost
NOT_FOR_THE_EVENTS: Final = frozenset(
    {
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.GONE,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Refusals that say nothing about the events: half of them would fare no better."""

_log = structlog.stdlib.get_logger("gateway.webhooks.sender")


Key: TypeAlias = tuple[int, datetime]
"""What a message is stored under, and when: a stream that was lost and made again counts from 1 again."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt that was not answered with 2xx."""

    reason: str
    """A status, or why there is none."""
    of_events: bool = False
    """Whether some event may be what the endpoint cannot take."""


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

    def __init__(
        self,
        poster: Poster,
        retry: Retry,
        *,
        app: Callable[[str], App | None],
        now: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """Hold nothing yet.

        Args:
            poster: reaches the endpoints.
            retry: when to try again.
            app: id → app, whose secret signs what a request is divided into.
            now: Unix time in seconds.
            chance: from 0 to 1, evenly distributed.
        """
        self._poster = poster
        self._retry = retry
        self._app = app
        self._now = now
        self._chance = chance
        self._held: dict[Key, _Held] = {}
        self._lanes: dict[tuple[str, str], Lane[_Held]] = {}
        self._answered: OrderedDict[Key, None] = OrderedDict()
        self._ending = False

    async def run(self, nats: Client) -> None:
        """Send until cancelled; then finish what is under way, and give the rest back."""
        js = nats.jetstream()
        subscription = await js.pull_subscribe_bind(streams.SENDER, streams.WEBHOOKS)
        cancelled: asyncio.CancelledError | None = None
        async with asyncio.TaskGroup() as attempts:
            beating = attempts.create_task(self._beat(subscription))
            try:
                while True:
                    message = await _next(subscription)
                    if message is not None:
                        await self._take(message, js, attempts)
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

    async def _take(self, message: Msg, js: JetStreamContext, attempts: asyncio.TaskGroup) -> None:
        key = _key(message)
        if key in self._answered:  # the acknowledgement was lost
            await _tell(message.ack())
            return
        if key in self._held:
            self._held[key].message = message
            return
        app_id = subjects.name_of(message.subject.split(".")[1])
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
        self._start(lane, js, attempts)

    def _start(self, lane: Lane[_Held], js: JetStreamContext, attempts: asyncio.TaskGroup) -> None:
        while not self._ending and (turn := lane.start()) is not None:
            attempts.create_task(self._attempt(lane, turn, js, attempts))

    async def _attempt(
        self, lane: Lane[_Held], turn: Turn[_Held], js: JetStreamContext, attempts: asyncio.TaskGroup
    ) -> None:
        held = turn.item
        failure = await self._post(held, held.request, held.contents.kinds)
        divided = failure is not None and failure.of_events and await self._divide(held, js)
        del self._held[held.key]
        if failure is None or divided:
            await self._finish(held)
        else:
            await self._put_back(held, failure.reason)
        lane.end(turn)
        if not lane:
            self._lanes.pop((held.app_id, held.request.url), None)
        self._start(lane, js, attempts)

    async def _post(self, held: _Held, request: Request, kinds: Sequence[str]) -> _Failure | None:
        """Make one attempt with a request, or a part of it; return what went wrong, None when the endpoint took it."""
        failure = await self._answer(held, request)
        counter = metrics.WEBHOOKS_SENT if failure is None else metrics.WEBHOOKS_FAILED
        metrics.count(counter, held.app_id, kinds)
        return failure

    async def _answer(self, held: _Held, request: Request) -> _Failure | None:
        if self._age(held) > self._retry.window + LATE:
            return _Failure("waited too long")
        try:
            status = await self._poster.post(request)
        except Unanswered as error:
            return _Failure(str(error))
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return None
        return _Failure(str(status), of_events=status >= HTTPStatus.BAD_REQUEST and status not in NOT_FOR_THE_EVENTS)

    async def _divide(self, held: _Held, js: JetStreamContext) -> bool:
        """Post a refused request in parts, and store what is refused even so as requests of their own.

        The channels keep their place in the lane meanwhile, so that what arrives is in order.

        Returns:
            Whether that was done: not for a single event, and not when its app or NATS is gone.
        """
        app = self._app(held.app_id)
        halves = None if app is None else halve(app, held.request)
        if app is None or halves is None:
            return False
        refused = [part for half in halves for part in await self._refused_parts(held, app, half)]
        messages = [
            Outgoing(subjects.webhook(held.app_id), part.body, {MESSAGE_ID_HEADER: message_id, **part.stored_headers})
            for number, part in enumerate(refused)
            if (message_id := f"{held.key[0]}:{held.key[1].isoformat()}:{number}")
        ]
        try:
            await publish_window(js, messages)
        except PublishFailed as error:
            _log.warning("parts of a webhook not stored", app=held.app_id, reason=str(error))
            return False
        _log.info("webhook divided", app=held.app_id, events=len(held.contents.kinds), parts_refused=len(refused))
        return True

    async def _refused_parts(self, held: _Held, app: App, request: Request) -> list[Request]:
        """Post a part of a request; return what of it the endpoint does not take, as small as it can be."""
        if self._ending:
            return [request]
        failure = await self._post(held, request, kinds_of(request))
        if failure is None:
            return []
        halves = halve(app, request) if failure.of_events else None
        if halves is None:
            return [request]
        return [part for half in halves for part in await self._refused_parts(held, app, half)]

    async def _finish(self, held: _Held) -> None:
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
            try:
                queue = await subscription.consumer_info()
            except (Error, OSError, TimeoutError):
                metrics.WEBHOOKS_WAITING.set(nan)  # nobody knows
            else:
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
