"""An application: a tenant of the gateway with a key, a secret and rules of its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class WebhookEvent(StrEnum):
    """What an endpoint may be told (Pusher docs, "Webhooks")."""

    CHANNEL_OCCUPIED = "channel_occupied"
    CHANNEL_VACATED = "channel_vacated"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"
    CLIENT_EVENT = "client_event"
    CACHE_MISS = "cache_miss"
    SUBSCRIPTION_COUNT = "subscription_count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An endpoint of the app's owner."""

    url: str
    event_types: frozenset[WebhookEvent] = frozenset(WebhookEvent)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent besides ours."""
    prefix: str = ""
    """Only channels whose name starts so."""
    suffix: str = ""
    """Only channels whose name ends so."""

    def wants(self, event: WebhookEvent, channel: str) -> bool:
        """Whether it is told of this event on this channel."""
        return event in self.event_types and channel.startswith(self.prefix) and channel.endswith(self.suffix)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One tenant. Nothing of one app is ever visible to another. A limit of None: any number."""

    id: str
    """Digits: the official Python SDK refuses anything else."""
    key: str
    """Public; browsers put it into the address."""
    secret: str = field(repr=False)
    other_secret: str = field(default="", repr=False)
    """What was signed with it is accepted, too, and nothing is signed with it: while one secret follows another."""
    enabled: bool = True

    max_connections: int | None = None
    """Connections of this app, on all gateways together."""
    returns_over_quota: bool = False
    """Whether clients beyond that come back later; they give up otherwise, as with the hosted service."""
    max_connections_per_user: int | None = 1000
    """Signed in as one user, on one gateway."""
    any_protocol: bool = False
    """Whether the version of the protocol is not looked at, as by soketi and Reverb."""
    activity_timeout: int = 120
    """Seconds without a message after which clients ping."""
    require_tls: bool = False
    """Whether plain `ws` is refused with 4000."""
    allowed_origins: tuple[str, ...] = ()
    """Values of the `Origin` header, `*` standing for any characters; empty: any origin, and none."""

    client_events: bool = False
    """Whether clients may send events to each other."""
    client_events_per_second: int | None = 10
    """Of one connection, over all its channels."""
    backend_events_per_second: int | None = None
    """Events that the HTTP API takes, on one gateway; a batch counts each of its events."""
    read_requests_per_second: int | None = None
    """Requests of the HTTP API that only read, on one gateway."""

    max_channels: int | None = 100_000
    """Channels with listeners, on one gateway: each costs memory and a subscription at the broker."""
    max_channel_name: int = 200
    """Characters."""
    max_event_name: int = 200
    """Characters."""
    max_event_bytes: int = 10_240
    """Of an event's data, as UTF-8."""
    max_channels_per_event: int = 100
    max_batch: int = 10
    """Events of one request."""

    max_presence_members: int = 100
    """Distinct users of one presence channel."""
    max_member_bytes: int = 10_240
    """Of a member's user object, as UTF-8."""

    user_authentication: bool = True
    """Whether clients may sign in as a user."""
    returns_terminated: bool = False
    """Whether connections of a user who is sent away come back at once, and must be authorised anew."""
    watchlists: bool = False
    """Whether users who sign in hear who of their watchlist is online."""
    max_watchlist: int = 100
    require_authorization: bool = False
    """Whether a connection must sign in or join an authorized channel in time ("authorized connections")."""
    authorization_seconds: float = 30.0
    bound_channels: tuple[str, ...] = ()
    """Patterns of channel names (see `patterns`) whose signatures must say whose the socket is, and until when they may
    be used."""
    subscription_counting: bool = False
    """Whether listeners hear how many they are."""

    webhooks: tuple[Webhook, ...] = ()
    batch_webhooks: bool = True
    """Whether one request may tell several events."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What a signature may have been made with."""
        return (self.secret, self.other_secret) if self.other_secret else (self.secret,)

    def notifies(self, *events: WebhookEvent) -> bool:
        """Whether some endpoint wants one of these events."""
        return any(webhook.event_types.intersection(events) for webhook in self.webhooks)


class Apps:
    """All applications, found by id (HTTP API) or by key (WebSocket)."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._hold(apps)

    def _hold(self, apps: Iterable[App]) -> None:
        self._by_id = {app.id: app for app in apps}
        self._by_key = {app.key: app for app in self._by_id.values()}

    def __iter__(self) -> Iterator[App]:
        return iter(self._by_id.values())

    def become(self, others: Iterable[App]) -> dict[str, list[str]]:
        """Hold other apps from now on; return the ids of those that are `added`, `removed` and `changed`."""
        old = self._by_id
        self._hold(others)
        new = self._by_id
        return {
            "added": sorted(new.keys() - old.keys()),
            "removed": sorted(old.keys() - new.keys()),
            "changed": sorted(key for key in new.keys() & old.keys() if new[key] != old[key]),
        }

    def by_id(self, app_id: str) -> App | None:
        return self._by_id.get(app_id)

    def by_key(self, key: str) -> App | None:
        return self._by_key.get(key)

    def first_enabled(self) -> App | None:
        """Return the app that a single-app web page uses."""
        return next((app for app in self._by_id.values() if app.enabled), None)
