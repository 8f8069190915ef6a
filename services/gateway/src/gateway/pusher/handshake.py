"""Who may connect at all: the checks before the first frame, in the order of the protocol."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.pusher.addresses import Addresses
from gateway.pusher.app import App, Apps
from gateway.pusher.codes import (
    ADDRESS_LIMIT,
    APP_DISABLED,
    DRAINING,
    FOREIGN_ORIGIN,
    FULL,
    NO_PROTOCOL,
    OVER_QUOTA,
    OVER_QUOTA_FOR_NOW,
    TLS_REQUIRED,
    UNKNOWN_APP,
    UNKNOWN_PATH,
    UNSUPPORTED_PROTOCOL,
    Refusal,
)
from gateway.pusher.patterns import matches

PROTOCOLS: Final = frozenset({"4", "5", "6", "7"})  # what changed between them does not touch the server
_SUBPROTOCOL = re.compile(r"pusher-channels-protocol-\d+")


@dataclass(frozen=True, slots=True)
class Visit:
    """An upgrade request, as far as it matters for admission."""

    target: str
    """Path and query."""
    address: str
    """Of the client, not of a proxy; see `runtime.server.addresses.client_network`."""
    secure: bool = False
    """Whether the client's connection is encrypted."""
    origin: str | None = None
    """The page it comes from; only browsers tell."""


def _never() -> bool:
    return False


class Door:
    """Admits connections to apps, or says why not."""

    def __init__(
        self,
        apps: Apps,
        addresses: Addresses,
        *,
        path_prefix: str,
        connections: Callable[[str], int],
        full: Callable[[], bool] = _never,
    ) -> None:
        """Open the door.

        Args:
            apps: the tenants.
            addresses: what each address uses.
            path_prefix: what may stand before `/app/<key>`, such as `/realtime`; a proxy may have removed it.
            connections: app id → how many connections it has now.
            full: whether this process has as many connections as it may.
        """
        self._apps = apps
        self._addresses = addresses
        self._path = re.compile(rf"(?:{re.escape(path_prefix)})?/app/(?P<key>[^/]+)/?")
        self._connections = connections
        self._full = full
        self.draining = False

    def drain(self) -> None:
        """Refuse everybody from now on: they are to connect to another process."""
        self.draining = True

    def admit(self, visit: Visit, now: float) -> App | Refusal:
        """Return the app that a visitor may connect to, or the refusal to close with; it counts as a handshake.

        Args:
            visit: who comes.
            now: seconds of any monotonic clock.
        """
        welcome = self._addresses.arrive(visit.address, now)
        path, query = _split(visit.target)
        match = self._path.fullmatch(path)
        if match is None:
            return UNKNOWN_PATH
        if self.draining:
            return DRAINING
        if self._full():
            return FULL
        if not welcome:
            return ADDRESS_LIMIT
        app = self._apps.by_key(unquote(match["key"]))
        return UNKNOWN_APP if app is None else self._enter(app, visit, query)

    def _enter(self, app: App, visit: Visit, query: str) -> App | Refusal:
        if not app.enabled:
            return APP_DISABLED
        if app.require_tls and not visit.secure:
            return TLS_REQUIRED
        wrong = None if app.any_protocol else _wrong_protocol(query)
        if wrong is not None:
            return wrong
        if app.allowed_origins and not matches((visit.origin or "").lower(), app.allowed_origins):
            return FOREIGN_ORIGIN
        if app.max_connections is not None and self._connections(app.id) >= app.max_connections:
            return OVER_QUOTA_FOR_NOW if app.returns_over_quota else OVER_QUOTA
        return app


def subprotocol(offered: Sequence[str]) -> str | None:
    """Return the subprotocol to select: the Swift client offers `pusher-channels-protocol-7`, browsers none."""
    return next((name for name in offered if _SUBPROTOCOL.fullmatch(name)), None)


def _split(target: str) -> tuple[str, str]:
    if "://" in target.partition("?")[0]:  # absolute form, as sent to proxies (RFC 9112 §3.2.2)
        parts = urlsplit(target)
        return parts.path, parts.query
    path, _, query = target.partition("?")
    return path, query


def _wrong_protocol(query: str) -> Refusal | None:
    protocol = parse_qs(query, keep_blank_values=True).get("protocol")
    if protocol is None:
        return NO_PROTOCOL
    return None if protocol[0] in PROTOCOLS else UNSUPPORTED_PROTOCOL
