"""Cache misses: told once per channel and window, however many clients on however many gateways missed."""

import asyncio
from collections.abc import Callable
from typing import Final

from nats.aio.client import Client
from nats.errors import Error

from contracts.subjects import token
from gateway import metrics
from gateway.pusher.app import Apps, WebhookEvent
from gateway.webhooks import lease
from gateway.webhooks.events import Event

LONGEST: Final = 10.0  # seconds; a shorter-lived cache can be filled and empty again before
BACKLOG: Final = 1024  # channels that wait for NATS
TRIALS: Final = 3


class Misses:
    """Claims a channel's miss with a record that expires; who has the record tells."""

    def __init__(
        self, apps: Apps, tell: Callable[[str, Event], None], *, lifetime: float, clock: Callable[[], float]
    ) -> None:
        """Claim nothing yet.

        Args:
            apps: who wants to hear of misses.
            tell: takes app id and event.
            lifetime: seconds that a cache channel remembers its event.
            clock: seconds of any monotonic clock.
        """
        self._apps = apps
        self._tell = tell
        self._window = max(1.0, min(LONGEST, lifetime))
        self._clock = clock
        self._claimed: dict[tuple[str, str], float] = {}
        self._tidied = clock()
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue(BACKLOG)

    def put(self, app_id: str, channel: str) -> None:
        """Take note that somebody found a cache channel empty."""
        app, now, key = self._apps.by_id(app_id), self._clock(), (app_id, channel)
        if app is None or not app.notifies(WebhookEvent.CACHE_MISS) or self._claimed.get(key, now) > now:
            return
        try:
            self._waiting.put_nowait(key)
        except asyncio.QueueFull:
            metrics.WEBHOOKS_LOST.labels(app_id, WebhookEvent.CACHE_MISS.value).inc()
        else:
            self._claimed[key] = now + self._window

    async def run(self, nats: Client) -> None:
        """Claim until cancelled."""
        while True:
            app_id, channel = await self._waiting.get()
            if await self._claim(nats, app_id, channel):
                self._tell(app_id, Event(WebhookEvent.CACHE_MISS, channel))
            else:
                self._claimed.pop((app_id, channel), None)  # theirs ends sooner than ours would
            if self._clock() > self._tidied + self._window:
                self._forget()

    async def _claim(self, nats: Client, app_id: str, channel: str) -> bool:
        subject = f"state.miss.{token(app_id)}.{token(channel)}"
        for _ in range(TRIALS):
            try:
                await lease.put(nats, subject, b"1", expected=0, ttl=self._window)
            except lease.Taken:
                return False
            except (Error, OSError, TimeoutError):  # NATS is away
                await asyncio.sleep(lease.LOOK)
            else:
                return True
        metrics.WEBHOOKS_LOST.labels(app_id, WebhookEvent.CACHE_MISS.value).inc()
        return False

    def _forget(self) -> None:
        now = self._tidied = self._clock()
        self._claimed = {key: until for key, until in self._claimed.items() if until > now}
