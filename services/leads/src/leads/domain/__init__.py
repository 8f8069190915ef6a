"""The rules about a lead: pure functions from state and command to facts, or a refusal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypedDict

from contracts.events import (
    Change,
    LeadAssigned,
    LeadCreated,
    LeadDeleted,
    LeadEvent,
    LeadStatusChanged,
    LeadSummary,
    LeadUpdated,
)


class Status(StrEnum):
    """Where a lead stands in the sales process."""

    NEW = "new"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    WON = "won"
    LOST = "lost"


class LeadRefusal(Exception):
    """A command that the rules do not allow.

    - LeadRefusal
      - LeadNotFound
      - StaleVersion
      - NameMissing
    """

    code = "lead_refused"


class LeadNotFound(LeadRefusal):
    """There is no such lead, or it was deleted."""

    code = "lead_not_found"


class StaleVersion(LeadRefusal):
    """The lead is no longer at the version the author looked at."""

    code = "stale_version"


class NameMissing(LeadRefusal):
    """A lead without a name."""

    code = "name_missing"


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead as its facts left it."""

    summary: LeadSummary
    deleted: bool = False


class NewLead(TypedDict, total=False):
    """What a new lead is made of; only `name` is needed."""

    name: str
    email: str | None
    phone: str | None
    organisation: str | None
    source: str | None
    status: Status
    assigned_to: str | None


class LeadPatch(NewLead, total=False):
    """New values of those fields that are to change; an absent field stays, None clears one."""


Decide: TypeAlias = Callable[[Lead | None], Sequence[LeadEvent]]
"""A command with everything but the state: state in, facts out, or a `LeadRefusal`."""

_DETAILS: Final = ("name", "email", "phone", "organisation", "source")


def replay(history: Iterable[LeadEvent], lead: Lead | None = None) -> Lead | None:
    """Return the state after a lead's facts, oldest first; None without any."""
    for fact in history:
        lead = evolve(lead, fact)
    return lead


def evolve(_lead: Lead | None, fact: LeadEvent) -> Lead:
    """Return the state after one more fact. It never refuses: the past is not up for debate."""
    return Lead(fact.lead, deleted=isinstance(fact, LeadDeleted))


def create(lead_id: str, values: NewLead, now: datetime) -> Sequence[LeadEvent]:
    fields = {field: _normalised(field, value) for field, value in values.items()}
    if fields.get("name") is None:
        raise NameMissing
    status = fields.pop("status", None) or Status.NEW.value
    summary: dict[str, Any] = {**fields, "id": lead_id, "status": status, "version": 1}
    return [LeadCreated(lead=LeadSummary(**summary, created_at=now, updated_at=now))]


def change(lead: Lead | None, patch: LeadPatch, now: datetime) -> Sequence[LeadEvent]:
    """Return what a patch amounts to: at most one fact of each kind, none when nothing would change."""
    facts: list[LeadEvent] = list(update(lead, patch, now))
    if "assigned_to" in patch:
        facts += assign(replay(facts, lead), patch["assigned_to"], now)
    if "status" in patch:
        facts += change_status(replay(facts, lead), patch["status"], now)
    return facts


def update(lead: Lead | None, patch: LeadPatch, now: datetime) -> Sequence[LeadEvent]:
    """Change what is known of a lead; status and assignee have facts of their own."""
    current = _existing(lead)
    details = {field: value for field, value in patch.items() if field in _DETAILS}
    if "name" in details and _normalised("name", details["name"]) is None:
        raise NameMissing
    changes = _changes(current, details)
    return [LeadUpdated(lead=_after(current, changes, now), changes=changes)] if changes else []


def assign(lead: Lead | None, user_id: str | None, now: datetime) -> Sequence[LeadEvent]:
    current = _existing(lead)
    changes = _changes(current, {"assigned_to": user_id})
    return [LeadAssigned(lead=_after(current, changes, now), changes=changes)] if changes else []


def change_status(lead: Lead | None, status: Status, now: datetime) -> Sequence[LeadEvent]:
    current = _existing(lead)
    changes = _changes(current, {"status": status})
    return [LeadStatusChanged(lead=_after(current, changes, now), changes=changes)] if changes else []


def delete(lead: Lead | None, now: datetime) -> Sequence[LeadEvent]:
    return [LeadDeleted(lead=_after(_existing(lead), {}, now))]


def require_version(lead: Lead | None, version: int | None) -> None:
    """Refuse a command whose author looked at another version of the lead; None stands for any."""
    if version is not None and _existing(lead).version != version:
        raise StaleVersion


def _existing(lead: Lead | None) -> LeadSummary:
    if lead is None or lead.deleted:
        raise LeadNotFound
    return lead.summary


def _changes(current: LeadSummary, values: Mapping[str, object]) -> dict[str, Change]:
    wanted = {field: _normalised(field, value) for field, value in values.items()}
    return {
        field: Change(old=getattr(current, field), new=value)
        for field, value in wanted.items()
        if value != getattr(current, field)
    }


def _after(current: LeadSummary, changes: Mapping[str, Change], now: datetime) -> LeadSummary:
    values: dict[str, Any] = {field: changed.new for field, changed in changes.items()}
    # Another process' clock may be behind: a lead's facts never go back in time.
    return replace(current, **values, updated_at=max(now, current.updated_at), version=current.version + 1)


def _normalised(field: str, value: object) -> str | None:
    """Return a value as it is kept: trimmed, an e-mail address in lower case, nothing instead of blank."""
    text = str(value).strip() if value is not None else ""
    return (text.lower() if field == "email" else text) or None
