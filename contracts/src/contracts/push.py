"""Pushes: what browsers hear. A push travels as the finished Pusher frame, so that a gateway writes it unread."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from pydantic import TypeAdapter

from contracts import subjects
from contracts.events import Changes, ImportSummary, JobSummary, LeadSummary, Message

MESSAGE_ID_HEADER: Final = "Nats-Msg-Id"
"""JetStream drops a second message of the same id within the stream's duplicate window."""
EXCEPT_SOCKET_HEADER: Final = "Except-Socket"
"""The socket id that must not hear the push (Laravel's `toOthers`)."""
CORRELATION_HEADER: Final = "Correlation-Id"
TRACE_HEADER: Final = "traceparent"
"""W3C trace context: what continues the trace."""
SEQUENCE_HEADER: Final = "Nats-Sequence"
"""On `live.>`: the number under which the stream `PUSH` stored the message. What is not stored has none."""
PREDECESSOR_HEADER: Final = "Nats-Last-Sequence"
"""On `live.>`: the number of the message before it on the same channel, 0 for the first."""


CONTROL_HEADER: Final = "Control"
"""On a message that is no event but an order to the gateways; it reaches no client. Its value is the order."""
TERMINATE: Final = "terminate"
"""On a user's channel: close every connection that is this user's; an official client does not come back."""
SEND_BACK: Final = "send_back"
"""The same, but the client comes back at once and has to be let into its channels anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadPush:
    """The data of `lead.created`, `lead.updated` and `lead.deleted`."""

    lead: LeadSummary
    position: int
    """The company's feed position; a screen ignores what its page already reflects."""
    event_id: str
    epoch: str | None = None
    """The log's epoch. A screen whose page is of another one forgets its positions and loads everything again."""
    actor: str | None = None
    changed: Changes | None = None
    """Field → old and new value; only on `lead.updated`."""
    restored: bool = False
    """On `lead.created`: somebody took the deletion back."""
    merged_into: str | None = None
    """On `lead.deleted`: the lead that took it in."""

    @property
    def data(self) -> str:
        """The JSON that clients get: the lead's fields and, beside them, the others that say something."""
        place = {"position": self.position, "epoch": self.epoch, "event_id": self.event_id, "actor": self.actor}
        more = "" if self.changed is None else f',"changed":{_CHANGES.dump_json(self.changed).decode()}'
        if self.restored:
            more += ',"restored":true'
        if self.merged_into is not None:
            more += f',"merged_into":{compact_json(self.merged_into)}'
        # Spliced: half of the time of a fact would go into a dictionary that is made to be written down at once.
        return f"{_SUMMARY.dump_json(self.lead).decode()[:-1]},{compact_json(place)[1:-1]}{more}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePush:
    """The data of `message.posted` and `message.edited` on `presence-lead.<id>`."""

    message: Message
    lead_id: str
    position: int
    event_id: str
    epoch: str | None = None
    """The log's epoch."""
    actor: str | None = None

    @property
    def data(self) -> str:
        """The JSON that clients get: the message's fields and, beside them, the others."""
        fields = _MESSAGE.dump_python(self.message, mode="json")
        fields |= {"lead_id": self.lead_id} | _place(self)
        return compact_json(fields)


Reset: TypeAlias = Literal["epoch", "correction"]
"""`epoch`: an older state of the log was restored. `correction`: something was pushed that is not in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPush:
    """The data of `leads.changed` on `private-company.<id>`: leads have changed, fetch them again.

    A bulk job changes them, or, with `reset`, what was heard before does not hold: forget the positions of the page and
    load everything again.
    """

    job_id: str | None
    """None with `reset`."""
    count: int
    """The facts of the job so far; 0 with `reset`."""
    position: int
    """The feed position of the job's last fact so far; with `reset`, of the feed's last one."""
    epoch: str | None = None
    """The log's epoch."""
    reset: Reset | None = None

    @property
    def data(self) -> str:
        """The JSON that clients get."""
        fields = {"job_id": self.job_id, "count": self.count, "position": self.position, "epoch": self.epoch}
        return compact_json(fields if self.reset is None else fields | {"reset": self.reset})


ImportState: TypeAlias = Literal["started", "running", "finished", "reverted"]
JobProgressState: TypeAlias = Literal["started", "running", "finished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPush:
    """The data of `import.progress` on `private-company.<id>`."""

    imported: ImportSummary
    state: ImportState
    position: int
    event_id: str
    epoch: str | None = None
    """The log's epoch."""
    actor: str | None = None

    @property
    def data(self) -> str:
        """The JSON that clients get: the import's fields and, beside them, the others."""
        fields = _IMPORT.dump_python(self.imported, mode="json")
        fields |= {"state": self.state} | _place(self)
        return compact_json(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressPush:
    """The data of `job.progress` on `private-company.<id>`."""

    job: JobSummary
    state: JobProgressState
    position: int
    event_id: str
    epoch: str | None = None
    """The log's epoch."""
    actor: str | None = None

    @property
    def data(self) -> str:
        """The JSON that clients get: the job's fields and, beside them, the others."""
        fields = _JOB.dump_python(self.job, mode="json")
        fields |= {"state": self.state} | _place(self)
        return compact_json(fields)


NotificationKind: TypeAlias = Literal[
    "assigned", "unassigned", "status_changed", "mentioned", "message", "import_finished", "duplicate_found"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedLead:
    """The lead that a notification is about."""

    id: str
    name: str
    """As it was then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What one user is told of one fact, as the inbox keeps it."""

    id: str
    """Derived from the fact, the recipient and the kind."""
    kind: NotificationKind
    critical: bool
    at: datetime
    """When it happened."""
    actor: str | None = None
    """The id of the user who did it."""
    lead: NotifiedLead | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """By kind: `status_changed`: `old`, `new`; `mentioned` and `message`: `message_id`, `excerpt`; `duplicate_found`:
    `duplicate_of`; `import_finished`: `import_id`, `name`, `rows`, `created`, `duplicates`, `failed`."""
    position: int
    """The feed position of the fact."""
    event_id: str
    epoch: str | None = None
    """The log's epoch then."""
    job_id: str | None = None
    """The bulk job: the one notification stands for all of its facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxState:
    """What every push on `private-user.<id>` says of the inbox after it; the highest `revision` counts."""

    unread: int
    revision: int
    """Dense from 1: each change of the inbox is one, and one push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPush:
    """The data of `notification.created` on `private-user.<id>`."""

    notification: Notification
    number: int
    """Dense from 1 in the inbox."""
    state: InboxState

    @property
    def data(self) -> str:
        """The JSON that clients get: the notification's fields and, beside them, the others."""
        fields = _NOTIFICATION.dump_python(self.notification, mode="json")
        fields |= {"number": self.number, "unread": self.state.unread, "revision": self.state.revision}
        return compact_json(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPush:
    """The data of `notification.read` on `private-user.<id>`: of the ids, or of all numbers below `all_before`."""

    ids: tuple[str, ...] = ()
    all_before: int | None = None
    read: bool = True
    """False when they were marked as unread again."""
    state: InboxState

    @property
    def data(self) -> str:
        """The JSON that clients get."""
        which = {"ids": list(self.ids)} if self.all_before is None else {"all_before": self.all_before}
        return compact_json({**which, "read": self.read, "unread": self.state.unread, "revision": self.state.revision})


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStage:
    """What became of a company's leads in one stage of its pipeline."""

    stage: str
    entered: int
    """Leads that are there and have ever been in it."""
    rate: float | None = None
    """`entered` divided by that of the stage before it which is not lost; more than 1 when leads start later
    than there; None for the first stage, and when nobody came to the one before."""
    median_seconds: float | None = None
    """How long stays that ended took, the median, within 5 %; None without any."""


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
    new_last_month: int = 0
    """Created in the calendar month before the current one, UTC."""
    new_per_day: Mapping[str, int] = field(default_factory=dict)
    """The last 30 days, UTC, oldest first: `2026-11-23` → leads created on it that are still there."""
    won: int = 0
    """Leads in stages of that kind."""
    lost: int = 0
    """Leads in stages of that kind."""
    funnel: tuple[FunnelStage, ...] = ()
    """The stages in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsPush:
    """The data of `stats.updated` on `private-cache-company.<id>.stats`."""

    stats: Stats
    position: int
    """The feed position that the figures reflect."""
    epoch: str | None = None
    """The log's epoch."""

    @property
    def data(self) -> str:
        """The JSON that clients get: the figures and, beside them, the position."""
        place = {"position": self.position, "epoch": self.epoch}
        return compact_json(_STATS.dump_python(self.stats, mode="json") | place)


def _place(push: MessagePush | ImportPush | JobProgressPush) -> dict[str, Any]:
    """Return which fact a push tells of."""
    return {"position": push.position, "epoch": push.epoch, "event_id": push.event_id, "actor": push.actor}


_SUMMARY: Final = TypeAdapter(LeadSummary)
_MESSAGE: Final = TypeAdapter(Message)
_IMPORT: Final = TypeAdapter(ImportSummary)
_JOB: Final = TypeAdapter(JobSummary)
_NOTIFICATION: Final = TypeAdapter(Notification)
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
    traceparent: str | None = None

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
        if self.traceparent is not None:
            headers[TRACE_HEADER] = self.traceparent
        return headers

    @property
    def body(self) -> bytes:
        """The Pusher frame."""
        return frame(self.event, self.channel, self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """The order to close every connection that is a user's.

    It is stored where the user's events are, so that a gateway which is cut off gets it as soon as it catches up.
    """

    app_id: str
    channel: str
    """The user's: `#server-to-user-<id>`."""
    key: str
    """What makes it unique, as with a push."""
    returns: bool = False
    """Whether clients come back at once."""

    @property
    def subject(self) -> str:
        return subjects.push(self.app_id, self.channel)

    @property
    def headers(self) -> dict[str, str]:
        order = SEND_BACK if self.returns else TERMINATE
        return {MESSAGE_ID_HEADER: f"{self.key}:{subjects.token(self.channel)}", CONTROL_HEADER: order}

    @property
    def body(self) -> bytes:
        return b""


_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def frame(event: str, channel: str, data: str) -> bytes:
    """Return a Pusher event frame: `data` is a JSON *string* (Pusher protocol, "double encoding")."""
    return compact_json({"event": event, "channel": channel, "data": data}).encode()


def compact_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return JSON without white space; other alphabets stay readable."""
    return _ENCODE(value)
