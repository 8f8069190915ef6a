"""What surrounds a decision on its way to the log: who asks, since when, and what to answer when asked again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from contracts.events import LeadEvent, LeadSummary

_NAMESPACE: Final = UUID("5c1f7f0e-6d2b-5a43-9f0c-1d7b6a2f4e11")


class VersionConflict(Exception):
    """Somebody else appended to the lead's stream first."""

    code = "version_conflict"


class IdempotencyKeyReused(Exception):
    """The key was used before, for another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's promise that a request with the same key is the same request."""

    key: str
    fingerprint: str
    """A digest of the request, by which a broken promise is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One request to change one lead, apart from what it changes."""

    id: UUID
    company_id: UUID
    lead_id: UUID
    actor: UUID
    at: datetime
    expected_version: int | None = None
    """The version its author looked at (If-Match); None for any."""
    idempotency: IdempotencyKey | None = None
    correlation_id: str | None = None
    socket_id: str | None = None
    traceparent: str | None = None

    def event_id(self, index: int) -> UUID:
        """Return the id of the command's fact number `index`: a retried command cannot mint another."""
        return uuid5(self.id, str(index))


def keyed_command_id(company_id: UUID, actor: UUID, key: str) -> UUID:
    """Return the command id that every request with this key of this user shares."""
    return uuid5(_NAMESPACE, f"{company_id}:{actor}:{key}")


def keyed_lead_id(command_id: UUID) -> UUID:
    """Return the id of the lead that a create command with an Idempotency-Key makes."""
    return uuid5(command_id, "lead")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to."""

    lead: LeadSummary
    """The lead after it; for a deletion its last state."""
    position: int
    """The feed position that the answer reflects."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One lead's facts, oldest first, as read in one moment."""

    history: Sequence[LeadEvent]
    position: int
    """The company's feed position at that moment."""
    answer: Answer | None = None
    """What the same command was answered before."""
