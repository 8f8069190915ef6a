"""Why a connection is closed, as data: the only close codes official clients understand.

4000 to 4099: do not come back unchanged; 4100 to 4199: come back after a second; 4200 to 4299: come back at once.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Refusal:
    """A close code and its reason; RFC 6455 §5.5 leaves 123 bytes for the reason."""

    code: int
    reason: str


TLS_REQUIRED: Final = Refusal(4000, "Application only accepts TLS connections; connect with wss")
UNKNOWN_APP: Final = Refusal(4001, "Application does not exist")
APP_DISABLED: Final = Refusal(4003, "Application is disabled")
OVER_QUOTA: Final = Refusal(4004, "Application is over its connection quota")
UNKNOWN_PATH: Final = Refusal(4005, "Path not found; connect to /app/<key>")
UNSUPPORTED_PROTOCOL: Final = Refusal(4007, "Unsupported protocol version")
NO_PROTOCOL: Final = Refusal(4008, "No protocol version supplied")
UNAUTHORISED: Final = Refusal(4009, "Connection not authorized within timeout")
TERMINATED: Final = Refusal(4009, "User terminated by the application")
FOREIGN_ORIGIN: Final = Refusal(4009, "Connections from this origin are not allowed")

# Only before establishment: a client refused with 42xx there would be back without any delay, again and again.
DRAINING: Final = Refusal(4100, "Server is restarting; reconnect in a moment")
FULL: Final = Refusal(4100, "Server is over capacity; reconnect later")
OVER_QUOTA_FOR_NOW: Final = Refusal(4100, "Application is over its connection quota; reconnect later")
ADDRESS_LIMIT: Final = Refusal(4100, "Too many connections from this address; reconnect later")

# A flood, from an established connection. 42xx would bring it back at once, 40xx never, however honest its mistake was.
TOO_MANY_MESSAGES: Final = Refusal(4100, "Too many messages; reconnect later")
TOO_MANY_BYTES: Final = Refusal(4100, "Too many bytes; reconnect later")
TOO_MANY_MISTAKES: Final = Refusal(4100, "Too many errors on this connection; reconnect later")

RESTARTING: Final = Refusal(4200, "Server is restarting; reconnect immediately")
SLOW_CONSUMER: Final = Refusal(4200, "Connection is too slow for its channels; reconnect immediately")
TERMINATED_FOR_NOW: Final = Refusal(4200, "User terminated by the application; reconnect immediately")
UNVERIFIED: Final = Refusal(4200, "The user's authorization cannot be verified; reconnect immediately")
NO_PONG: Final = Refusal(4201, "Pong reply not received in time")

# Only inside `pusher:error`, never as a close code: the connection stays.
CLIENT_EVENTS_TOO_FAST: Final = 4301
WATCHLIST_TOO_LONG: Final = 4302
