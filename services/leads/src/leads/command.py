"""What surrounds a decision on its way to the log: who asks, since when, and what to answer when asked again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID, uuid5

from contracts.events import LeadEvent, LeadSummary, Message
from leads.access import Permit
from leads.domain.lead import Lead

Dated: TypeAlias = Callable[[datetime], Sequence[LeadEvent]]
"""Facts that were decided, as they are when they are recorded at a time."""

_NO_VERSION: Final = -1
_NAMESPACE: Final = UUID("5c1f7f0e-6d2b-5a43-9f0c-1d7b6a2f4e11")


class VersionConflict(Exception):
    """Somebody else appended to the stream first."""

    code = "version_conflict"


class SettingsChanged(Exception):
    """The company's settings are newer than those by which something was decided: decide anew."""

    code = "settings_changed"

    def __init__(self, settings_version: int) -> None:
        super().__init__(settings_version)
        self.settings_version = settings_version


class IdempotencyKeyReused(Exception):
    """The key was used before, for another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's promise that a request with the same key is the same request."""

    key: str
    fingerprint: str
    """A digest of the request, by which a broken promise is noticed."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A company's feed row: one indexed read tells whether anything at all has changed."""

    position: int
    settings_version: int
    epoch: str
    """The log's: positions of different epochs are not comparable."""
    at: datetime = field(compare=False)
    """When it was read, by PostgreSQL's clock (`feed_clock`): what is recorded now bears this time."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The state that the author of a change looked at, as `If-Match` names it."""

    version: int
    epoch: str | None = None
    """The log's epoch that the version belongs to; None: its author did not say."""


def version_in(epoch: str, expected: Expected | None) -> int | None:
    """Return the version that a change expects in an epoch of the log.

    Returns:
        None for any version; -1, which nothing ever has, when the author looked at another epoch.
    """
    if expected is None:
        return None
    return expected.version if expected.epoch in {None, epoch} else _NO_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who changes something, and because of what. When, only its recording tells: see `store.feed`."""

    id: UUID
    """The request's: the ids of its facts derive from it."""
    company_id: UUID
    actor: UUID
    permit: Permit | None = None
    """What its author claims to be allowed; None: nobody asked, as in a job of our own."""
    correlation_id: str | None = None
    socket_id: str | None = None
    traceparent: str | None = None
    job_id: UUID | None = None
    """The bulk job that it is a step of."""

    def event_id(self, index: int) -> UUID:
        """Return the id of its fact number `index`: a retried command cannot mint another."""
        return uuid5(self.id, str(index))

    def metadata(self) -> dict[str, str]:
        """Return what the log keeps beside each of its facts."""
        values = {
            "actor": str(self.actor),
            "causation_id": str(self.id),
            "correlation_id": self.correlation_id,
            "socket_id": self.socket_id,
            "traceparent": self.traceparent,
            "job_id": None if self.job_id is None else str(self.job_id),
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Origin):
    """One request to change one lead, apart from what it changes. What it does to others comes with it."""

    lead_id: UUID
    message_id: UUID | None = None
    """The message of the lead that it is about."""
    expected: Expected | None = None
    """What its author looked at (`If-Match`); None for any version."""
    allow_duplicate: bool = False
    """Whether there may be another lead with the same e-mail address or phone number."""
    idempotency: IdempotencyKey | None = None

    def metadata(self) -> dict[str, str]:
        key = {"idempotency_key": self.idempotency.key} if self.idempotency else {}
        return Origin.metadata(self) | key  # not super(): slots make another class of this one


def keyed_command_id(company_id: UUID, actor: UUID, key: str) -> UUID:
    """Return the command id that every request with this key of this user shares."""
    return uuid5(_NAMESPACE, f"{company_id}:{actor}:{key}")


def keyed_lead_id(command_id: UUID) -> UUID:
    """Return the id of the lead that a create command with an Idempotency-Key makes."""
    return uuid5(command_id, "lead")


def message_id_of(command_id: UUID) -> UUID:
    """Return the id of the message that a command posts."""
    return uuid5(command_id, "message")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to."""

    lead: LeadSummary
    """The command's lead after it; for a deletion its last state."""
    position: int
    """The feed position that the answer reflects."""
    message: Message | None = None
    """The command's message after it."""
    epoch: str | None = None
    """The log's epoch of that position; None in answers that were kept before the log had epochs."""

    @classmethod
    def of(cls, command: Command, lead: Lead, feed: Feed) -> "Answer":
        """Return what to answer when this is what became of the command's lead."""
        message = lead.messages[str(command.message_id)] if command.message_id else None
        return cls(lead.summary, feed.position, message, feed.epoch)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a decision is based on, all of it read in one moment."""

    feed: Feed
    """The company's feed row at that moment."""
    leads: Mapping[UUID, Lead | None] = field(default_factory=dict)
    """The leads that were asked for, by id; None: there never was such a lead."""
    answer: Answer | None = None
    """What the same command was answered before."""
