"""A lead as its facts left it: the state that decisions look at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from contracts.events import (
    Change,
    LeadDeleted,
    LeadEvent,
    LeadMessageEdited,
    LeadMessagePosted,
    LeadStatusChanged,
    LeadSummary,
    Message,
    Value,
)
from leads.domain.refusals import LeadNotFound, StaleVersion

CUSTOM: Final = "custom."
"""What the name of a company's own field begins with in a fact's changes."""
UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the time in a fact that is decided before it is known when it will be recorded."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead after some facts."""

    summary: LeadSummary
    deleted: bool = False
    merged_into: str | None = None
    reached: frozenset[str] = frozenset()
    """The stages it has ever been in."""
    messages: Mapping[str, Message] = field(default_factory=lambda: MappingProxyType({}))
    """Its chat by message id, in order."""


def replay(history: Iterable[LeadEvent], lead: Lead | None = None) -> Lead | None:
    """Return the state after a lead's facts, oldest first; None without any."""
    for fact in history:
        lead = evolve(lead, fact)
    return lead


def evolve(lead: Lead | None, fact: LeadEvent) -> Lead:
    """Return the state after one more fact. It never refuses: the past is not up for debate."""
    summary = _with_status_since(lead, fact)
    return Lead(
        summary,
        deleted=isinstance(fact, LeadDeleted),
        merged_into=fact.merged_into if isinstance(fact, LeadDeleted) else None,
        reached=(lead.reached if lead else frozenset()) | {summary.status},
        messages=_chat(lead, fact),
    )


def with_messages(lead: Lead | None, merged: Iterable[LeadEvent]) -> Lead | None:
    """Return a lead with the messages of leads that were merged into it, given their facts."""
    theirs = {
        fact.message.id: fact.message for fact in merged if isinstance(fact, LeadMessagePosted | LeadMessageEdited)
    }
    return replace(lead, messages={**theirs, **lead.messages}) if lead and theirs else lead


def require_version(lead: Lead | None, version: int | None) -> None:
    """Refuse a command whose author looked at another version of the lead; None stands for any."""
    if version is None:
        return
    if lead is None:
        raise LeadNotFound
    if lead.summary.version != version:
        raise StaleVersion


def existing(lead: Lead | None) -> LeadSummary:
    """Return the summary of a lead that is there."""
    if lead is None or lead.deleted:
        raise LeadNotFound(lead.merged_into if lead else None)
    return lead.summary


def get(summary: LeadSummary, name: str) -> Value:
    """Return a field's value by the name that a fact's changes give it."""
    if name.startswith(CUSTOM):
        return summary.custom.get(name.removeprefix(CUSTOM))
    value: Value = getattr(summary, name)
    return value


def changes_of(current: LeadSummary, wanted: Mapping[str, Value]) -> dict[str, Change]:
    """Return what new values, already normalised, really change."""
    return {
        name: Change(old=get(current, name), new=value) for name, value in wanted.items() if value != get(current, name)
    }


def after(current: LeadSummary, changes: Mapping[str, Change], now: datetime, **values: Any) -> LeadSummary:  # noqa: ANN401 - fields of a summary
    """Return the summary one version later, with changes and other new values."""
    custom = dict(current.custom)
    for name, changed in changes.items():
        if not name.startswith(CUSTOM):
            values[name] = changed.new
        elif changed.new is None:
            custom.pop(name.removeprefix(CUSTOM), None)
        else:
            custom[name.removeprefix(CUSTOM)] = changed.new
    # Another process' clock may be behind: a lead's facts never go back in time.
    updated_at = max(now, current.updated_at)
    return replace(current, **{**values, "custom": custom, "updated_at": updated_at, "version": current.version + 1})


def _with_status_since(lead: Lead | None, fact: LeadEvent) -> LeadSummary:
    """Return a fact's summary; facts of the first release do not say since when the lead is in its stage."""
    summary = fact.lead
    if summary.status_since is not None:
        return summary
    if lead is None or isinstance(fact, LeadStatusChanged):
        return replace(summary, status_since=summary.updated_at)
    return replace(summary, status_since=lead.summary.status_since)


def _chat(lead: Lead | None, fact: LeadEvent) -> Mapping[str, Message]:
    messages = lead.messages if lead else MappingProxyType({})
    if isinstance(fact, LeadMessagePosted | LeadMessageEdited):
        return {**messages, fact.message.id: fact.message}
    return messages
