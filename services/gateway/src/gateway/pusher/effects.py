"""What a session asks its pump to do. The pump obeys in order and decides nothing."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from gateway.pusher.channels import Channel
from gateway.pusher.codes import Refusal
from gateway.pusher.members import Member
from gateway.pusher.resume import Resume


class Problem(Enum):
    """What a client did wrong, for logs and metrics."""

    MALFORMED = "malformed_frame"
    UNSUPPORTED = "unsupported_event"
    BAD_CHANNEL = "invalid_channel"
    BAD_AUTH = "auth_failed"
    LIMIT = "limit_reached"
    TOO_FAST = "client_events_too_fast"


@dataclass(frozen=True, slots=True)
class Send:
    """Send this frame to the connection."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Join:
    """Let the connection hear a channel; `welcome` is sent before the first event of it."""

    channel: Channel
    welcome: bytes
    """Empty on a presence channel: only the room knows who else is there."""
    member: Member | None = None
    """Who it is, on a presence channel."""
    resume: Resume | None = None
    """Where it left off; None for a connection that hears no positions."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Send this frame to the connection, but not before its welcome to a channel."""

    channel: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Watch:
    """From now on the connection is online as this user, and hears who of the others is."""

    user_id: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Belong:
    """From now on the connection ends when this user is sent away; nobody hears of it, and it is not signed in."""

    user_id: str


@dataclass(frozen=True, slots=True)
class Leave:
    """From now on nothing of this channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Relay:
    """Give this frame to every listener of a channel but its sender; it is not stored."""

    app_id: str
    channel: str
    frame: bytes
    sender: str
    """The sending connection's socket id."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Send a WebSocket PING."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send the error frame and the close frame of a refusal; nothing follows."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Complain:
    """Make a note of a client's mistake; `channel` only when the name is valid."""

    problem: Problem
    channel: str | None = None


Effect: TypeAlias = Send | Join | Tell | Watch | Belong | Leave | Relay | Probe | Close | Complain
