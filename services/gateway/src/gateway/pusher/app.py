"""An application: a tenant of the gateway with a key, a secret and rules of its own."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One tenant. Nothing of one app is ever visible to another."""

    id: str
    """Digits: the official Python SDK refuses anything else."""
    key: str
    """Public; browsers put it into the address."""
    secret: str = field(repr=False)
    enabled: bool = True
    max_connections: int | None = None
    """Connections of this app on this node; None for any number."""
    client_events: bool = False
    """Whether clients may send events to each other."""
    client_events_per_second: int | None = 10
    """Of one connection, over all its channels; None for any number."""


class Apps:
    """All applications, found by id (HTTP API) or by key (WebSocket)."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._by_id = {app.id: app for app in apps}
        self._by_key = {app.key: app for app in self._by_id.values()}

    def by_id(self, app_id: str) -> App | None:
        return self._by_id.get(app_id)

    def by_key(self, key: str) -> App | None:
        return self._by_key.get(key)

    def first_enabled(self) -> App | None:
        """Return the app that a single-app web page uses."""
        return next((app for app in self._by_id.values() if app.enabled), None)
