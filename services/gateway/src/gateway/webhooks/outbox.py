"""Events on their way into the stream. Whoever has one hands it over without waiting; one task makes requests of what
came within a moment, and stores them in order.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.client import Client

from contracts import subjects
from contracts.push import MESSAGE_ID_HEADER
from gateway import metrics
from gateway.pusher.app import App, Apps
from gateway.webhooks.events import Event
from gateway.webhooks.request import MAX_BODY, Request, finish, read
from runtime.broker import Outgoing, PublishFailed, publish_window

BACKLOG: Final = 8192  # events that wait to become requests
BURST: Final = 0.05  # seconds in which events come together into one request
PORTION: Final = 256  # requests stored at once
PAUSE: Final = 0.5  # seconds after NATS did not take something

_log = structlog.stdlib.get_logger("gateway.webhooks.outbox")


@dataclass(frozen=True, slots=True)
class _Unstored:
    app_id: str
    kinds: tuple[str, ...]
    made: float
    message: Outgoing


class Outbox:
    """What this gateway itself has to tell; what does not fit is counted as lost."""

    def __init__(self, apps: Apps, *, now: Callable[[], float], new_id: Callable[[], str], window: float) -> None:
        """Make an empty outbox.

        Args:
            apps: who wants to hear what.
            now: Unix time in seconds.
            new_id: makes unique text.
            window: seconds after which a request that could not be stored is given up.
        """
        self._apps = apps
        self._now = now
        self._new_id = new_id
        self._window = window
        self._waiting: asyncio.Queue[tuple[App, Event]] = asyncio.Queue(BACKLOG)
        self._burst: list[tuple[App, Event]] = []
        self._unstored: list[_Unstored] = []

    def put(self, app_id: str, event: Event) -> None:
        """Tell the app's endpoints of an event, after those put before."""
        app = self._apps.by_id(app_id)
        if app is None or not any(webhook.wants(event.name, event.channel) for webhook in app.webhooks):
            return
        try:
            self._waiting.put_nowait((app, event))
        except asyncio.QueueFull:
            metrics.WEBHOOKS_LOST.labels(app_id, event.name.value).inc()

    async def run(self, nats: Client) -> None:
        """Store until cancelled; then once more, what is left."""
        try:
            while True:
                self._burst.append(await self._waiting.get())
                await asyncio.sleep(BURST)
                self._finish()
                while self._unstored:
                    if not await self._store(nats):
                        await asyncio.sleep(PAUSE)
                        self._give_up()
        finally:
            self._finish()
            if nats.is_connected:
                await self._store(nats)

    def _finish(self) -> None:
        """Make requests of everything that came so far."""
        while not self._waiting.empty():
            self._burst.append(self._waiting.get_nowait())
        burst, self._burst = self._burst, []
        made = self._now()
        for app in {app.id: app for app, _ in burst}.values():
            for request in finish(app, [event for owner, event in burst if owner.id == app.id], round(made * 1000)):
                self._keep(app.id, request, made)

    def _keep(self, app_id: str, request: Request, made: float) -> None:
        headers = {MESSAGE_ID_HEADER: self._new_id(), **request.stored_headers}
        _, contents = read(headers, request.body)
        unstored = _Unstored(app_id, contents.kinds, made, Outgoing(subjects.webhook(app_id), request.body, headers))
        if len(request.body) <= MAX_BODY:
            self._unstored.append(unstored)
        else:
            _lose(unstored, "too large")

    async def _store(self, nats: Client) -> bool:
        """Store what comes first; return whether all of it is stored."""
        portion = self._unstored[:PORTION]
        try:
            await publish_window(nats.jetstream(), [unstored.message for unstored in portion])
            stored = len(portion)
        except PublishFailed as error:
            _log.warning("webhooks not stored yet", reason=str(error), waiting=len(self._unstored))
            stored = error.acknowledged
        for unstored in portion[:stored]:
            metrics.count(metrics.WEBHOOKS_STORED, unstored.app_id, unstored.kinds)
        del self._unstored[:stored]
        return stored == len(portion)

    def _give_up(self) -> None:
        limit = self._now() - self._window
        for unstored in [old for old in self._unstored if old.made < limit]:
            _lose(unstored, "not stored in time")
        self._unstored = [young for young in self._unstored if young.made >= limit]


def _lose(unstored: _Unstored, reason: str) -> None:
    metrics.count(metrics.WEBHOOKS_LOST, unstored.app_id, unstored.kinds)
    _log.error("webhook lost", app=unstored.app_id, kinds=unstored.kinds, reason=reason)
