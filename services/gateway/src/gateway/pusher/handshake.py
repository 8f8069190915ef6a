"""Who may connect at all: the checks before the first frame, in the order of the protocol."""

import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.pusher.app import App, Apps
from gateway.pusher.codes import (
    APP_DISABLED,
    DRAINING,
    NO_PROTOCOL,
    OVER_QUOTA,
    UNKNOWN_APP,
    UNKNOWN_PATH,
    UNSUPPORTED_PROTOCOL,
    Refusal,
)

PROTOCOLS: Final = frozenset({"4", "5", "6", "7"})  # what changed between them does not touch the server
_SUBPROTOCOL = re.compile(r"pusher-channels-protocol-\d+")


class Door:
    """Admits connections to apps, or says why not."""

    def __init__(self, apps: Apps, *, path_prefix: str, connections: Callable[[str], int]) -> None:
        """Open the door.

        Args:
            apps: the tenants.
            path_prefix: what stands before `/app/<key>`, such as `/realtime`; may be empty.
            connections: app id → how many connections it has now.
        """
        self._apps = apps
        self._path = re.compile(rf"{re.escape(path_prefix)}/app/(?P<key>[^/]+)/?")
        self._connections = connections
        self.draining = False

    def admit(self, target: str) -> App | Refusal:  # noqa: PLR0911 - one line for each check of the protocol
        """Return the app that a request target (path and query) may connect to, or the refusal to close with."""
        path, query = _split(target)
        match = self._path.fullmatch(path)
        if match is None:
            return UNKNOWN_PATH
        if self.draining:
            return DRAINING
        app = self._apps.by_key(unquote(match["key"]))
        if app is None:
            return UNKNOWN_APP
        if not app.enabled:
            return APP_DISABLED
        protocol = parse_qs(query, keep_blank_values=True).get("protocol")
        if protocol is None:
            return NO_PROTOCOL
        if protocol[0] not in PROTOCOLS:
            return UNSUPPORTED_PROTOCOL
        if app.max_connections is not None and self._connections(app.id) >= app.max_connections:
            return OVER_QUOTA
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
