"""The facts of the log: frozen, in the past tense, each with one name that never changes.

A lead's fact carries the lead's summary *after* it, so that a consumer needs no second source. A new field gets a
default; a new meaning gets a new name (`.v2`) and an upcaster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadSummary:
    """What a list row shows of one lead, as it is after a fact."""

    id: str
    name: str
    email: str | None = None
    phone: str | None = None
    organisation: str | None = None
    source: str | None = None
    status: str
    assigned_to: str | None = None
    """The id of the user who works on it."""
    created_at: datetime
    updated_at: datetime
    version: int
    """The lead's stream version: 1 for its first fact, then dense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field's value before and after."""

    old: str | None
    new: str | None


Changes: TypeAlias = Mapping[str, Change]
"""Field name → its change; only fields that really changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadCreated:
    """Somebody entered a lead."""

    lead: LeadSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadUpdated:
    """Somebody changed what is known of a lead (neither its status nor its assignee)."""

    lead: LeadSummary
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadAssigned:
    """A lead got another assignee, or none."""

    lead: LeadSummary
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadStatusChanged:
    """A lead moved to another status."""

    lead: LeadSummary
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadDeleted:
    """Somebody deleted a lead; the summary is its last state."""

    lead: LeadSummary


LeadEvent: TypeAlias = LeadCreated | LeadUpdated | LeadAssigned | LeadStatusChanged | LeadDeleted

NAMES: Final[Mapping[type[LeadEvent], str]] = MappingProxyType(
    {
        LeadCreated: "crm.lead.created.v1",
        LeadUpdated: "crm.lead.updated.v1",
        LeadAssigned: "crm.lead.assigned.v1",
        LeadStatusChanged: "crm.lead.status_changed.v1",
        LeadDeleted: "crm.lead.deleted.v1",
    }
)
"""Fact class → the name it has in the log, on the wire and in the schema files. Classes may move; names may not."""

TYPES: Final[Mapping[str, type[LeadEvent]]] = MappingProxyType({name: fact for fact, name in NAMES.items()})
"""The same table read backwards."""


class UnknownEvent(Exception):
    """A fact's name is in no table of this release: a newer producer, or a stranger."""


def event_of(name: str) -> str:
    """Return the short event of a fact's name: `crm.lead.status_changed.v1` → `status_changed`."""
    return name.split(".")[2]
