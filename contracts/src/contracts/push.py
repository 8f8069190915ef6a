"""Pushes: what browsers hear. A push travels as the finished Pusher frame, so that a gateway writes it unread."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from contracts import subjects
from contracts.events import Changes, LeadSummary

MESSAGE_ID_HEADER: Final = "Nats-Msg-Id"
"""JetStream drops a second message of the same id within the stream's duplicate window."""
EXCEPT_SOCKET_HEADER: Final = "Except-Socket"
"""The socket id that must not hear the push (Laravel's `toOthers`)."""
CORRELATION_HEADER: Final = "Correlation-Id"
SEQUENCE_HEADER: Final = "Nats-Sequence"
"""On `live.>`: the number under which the stream `PUSH` stored the message. What is not stored has none."""
PREDECESSOR_HEADER: Final = "Nats-Last-Sequence"
"""On `live.>`: the number of the message before it on the same channel, 0 for the first."""


CONTROL_HEADER: Final = "Control"
"""On a message that is no event but an order to the gateways; it reaches no client. Its value is the order."""
TERMINATE: Final = "terminate"
"""On a user's channel: close every connection that is signed in as this user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadPush:
    """The data of `lead.created`, `lead.updated` and `lead.deleted` on `private-company.<id>`."""

    lead: LeadSummary
    position: int
    """The company's feed position; a screen ignores what its page already reflects."""
    event_id: str
    actor: str | None = None
    changed: Changes | None = None
    """Field → old and new value; only on `lead.updated`."""

    @property
    def data(self) -> str:
        """The JSON that clients get: the lead's fields and, beside them, the others."""
        fields = _SUMMARY.dump_python(self.lead, mode="json")
        fields |= {"position": self.position, "event_id": self.event_id, "actor": self.actor}
        if self.changed is not None:
            fields["changed"] = _CHANGES.dump_python(self.changed, mode="json")
        return compact_json(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A company's figures, as `GET /stats` and `stats.updated` give them."""

    total: int
    new_this_month: int
    """Created in the current calendar month, UTC."""
    by_status: Mapping[str, int]
    by_source: Mapping[str, int]
    """Source → leads; leads without a source are not counted here."""
    by_assignee: Mapping[str, int]
    """User id → leads; unassigned leads are not counted here."""
    conversion: float
    """Won leads divided by all leads, 0 to 1; 0 without leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsPush:
    """The data of `stats.updated` on `private-cache-company.<id>.stats`."""

    stats: Stats
    position: int
    """The feed position that the figures reflect."""

    @property
    def data(self) -> str:
        """The JSON that clients get: the figures and, beside them, the position."""
        return compact_json(_STATS.dump_python(self.stats, mode="json") | {"position": self.position})


_SUMMARY: Final = TypeAdapter(LeadSummary)
_CHANGES: Final[TypeAdapter[Changes]] = TypeAdapter(Changes)
_STATS: Final = TypeAdapter(Stats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One event for one channel of one app."""

    app_id: str
    channel: str
    event: str
    data: str
    """JSON text, given to clients as it is."""
    key: str
    """What makes it unique on its channel: the event id; the message id is derived from it."""
    except_socket: str | None = None
    correlation_id: str | None = None

    @property
    def subject(self) -> str:
        """The JetStream subject it is stored on."""
        return subjects.push(self.app_id, self.channel)

    @property
    def headers(self) -> dict[str, str]:
        """The NATS headers: message id for de-duplication, the excluded socket, the correlation id."""
        headers = {MESSAGE_ID_HEADER: f"{self.key}:{subjects.token(self.channel)}"}
        if self.except_socket is not None:
            headers[EXCEPT_SOCKET_HEADER] = self.except_socket
        if self.correlation_id is not None:
            headers[CORRELATION_HEADER] = self.correlation_id
        return headers

    @property
    def body(self) -> bytes:
        """The Pusher frame."""
        return frame(self.event, self.channel, self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """The order to close every connection that is signed in as a user.

    It is stored where the user's events are, so that a gateway which is cut off gets it as soon as it catches up.
    """

    app_id: str
    channel: str
    """The user's: `#server-to-user-<id>`."""
    key: str
    """What makes it unique, as with a push."""

    @property
    def subject(self) -> str:
        return subjects.push(self.app_id, self.channel)

    @property
    def headers(self) -> dict[str, str]:
        return {MESSAGE_ID_HEADER: f"{self.key}:{subjects.token(self.channel)}", CONTROL_HEADER: TERMINATE}

    @property
    def body(self) -> bytes:
        return b""


def frame(event: str, channel: str, data: str) -> bytes:
    """Return a Pusher event frame: `data` is a JSON *string* (Pusher protocol, "double encoding")."""
    return compact_json({"event": event, "channel": channel, "data": data}).encode()


def compact_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return JSON without white space; other alphabets stay readable."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
