"""All of webhooks in one gateway: it stores what it has to tell, and one gateway, the leader, sends for all."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nats.aio.client import Client

from contracts import streams
from gateway.pusher.app import Apps, WebhookEvent
from gateway.pusher.effects import Relay
from gateway.webhooks import events
from gateway.webhooks.announcer import Announcer
from gateway.webhooks.client import Poster
from gateway.webhooks.journal import Journal
from gateway.webhooks.lease import Lease, lead
from gateway.webhooks.misses import Misses
from gateway.webhooks.outbox import Outbox
from gateway.webhooks.retry import Retry
from gateway.webhooks.sender import Sender
from runtime import broker
from runtime.tasks import together


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How webhooks are sent."""

    timeout: float
    """Seconds for an answer."""
    retry: Retry
    private_addresses: bool
    """Whether endpoints may be in private networks."""
    cache_seconds: float
    """How long a cache channel remembers its event."""
    hold: float
    """Seconds after which a departure is told."""
    lease: float
    """Seconds without a word until a gateway counts as gone, also the one that leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What only the composition root has."""

    now: Callable[[], float]
    """Unix time in seconds."""
    clock: Callable[[], float]
    """Seconds that never go back."""
    chance: Callable[[], float]
    """From 0 to 1, evenly distributed."""
    new_id: Callable[[], str]
    """Makes unique text."""


class Webhooks:
    """It has a connection to NATS of its own: what waits here keeps no push waiting."""

    def __init__(self, url: str, node: str, apps: Apps, policy: Policy, sources: Sources) -> None:
        """Connect nowhere yet.

        Args:
            url: of NATS.
            node: this process, as other gateways know it.
            apps: who wants to hear what.
            policy: how it is sent.
            sources: time, chance and ids.
        """
        self._url = url
        self._node = node
        self._apps = apps
        self._policy = policy
        self._sources = sources
        self._outbox = Outbox(apps, now=sources.now, new_id=sources.new_id, window=policy.retry.window)
        self._announcer = Announcer(
            apps,
            node,
            lease=policy.lease,
            hold=policy.hold,
            window=policy.retry.window,
            new_journal=partial(Journal, app=apps.by_id, now=sources.now, new_id=sources.new_id),
        )
        self._misses = Misses(apps, self._outbox.put, lifetime=policy.cache_seconds, clock=sources.clock)

    def client_event(self, relayed: Relay) -> None:
        """Tell of an accepted client event."""
        app = self._apps.by_id(relayed.app_id)
        if app is not None and app.notifies(WebhookEvent.CLIENT_EVENT):
            self._outbox.put(relayed.app_id, events.client_event(relayed.frame, relayed.sender))

    def cache_miss(self, app_id: str, channel: str) -> None:
        """Tell that a new listener found nothing on a cache channel."""
        self._misses.put(app_id, channel)

    async def run(self) -> None:
        """Store, and perhaps lead, until cancelled."""
        policy = self._policy
        nats = await broker.connect(self._url, "gateway webhooks", on_return=self._announcer.on_return)
        poster = Poster(timeout=policy.timeout, private=policy.private_addresses)
        try:
            await together(
                self._outbox.run(nats),
                self._misses.run(nats),
                self._lead(nats, poster),
                broker.tend(nats, streams.STATE),
            )
        finally:
            await poster.close()
            await broker.close(nats)

    async def _lead(self, nats: Client, poster: Poster) -> None:
        """Be the leader whenever there is none."""
        policy, sources = self._policy, self._sources
        while True:
            sender = Sender(poster, policy.retry, app=self._apps.by_id, now=sources.now, chance=sources.chance)
            await lead(Lease(nats, self._node, policy.lease), partial(self._work, nats, sender))

    async def _work(self, nats: Client, sender: Sender) -> None:
        """Do what the leader does for all."""
        await together(sender.run(nats), self._announcer.run(nats))
