"""What is known of a lead, checked and as it is kept: everything but its stage, its assignee, its tags and its chat."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypedDict

from contracts.events import LeadEvent, LeadSummary, LeadUpdated, Value
from leads.domain import custom
from leads.domain.company import Company
from leads.domain.lead import CUSTOM, Lead, after, changes_of, existing
from leads.domain.money import money
from leads.domain.phone import phone
from leads.domain.refusals import InvalidScore, NameMissing, UnknownSource
from leads.domain.text import email, line


class LeadPatch(TypedDict, total=False):
    """New values of those fields that are to change; an absent field stays, None clears one."""

    name: str
    email: str | None
    phone: str | None
    organisation: str | None
    title: str | None
    source: str | None
    value: str | None
    """Decimal text."""
    currency: str | None
    score: int | None
    custom: Mapping[str, object]
    """By key; a key that is absent stays."""
    tags: Sequence[str]
    status: str
    lost_reason: str | None
    assigned_to: str | None


class NewLead(LeadPatch, total=False):
    """What a new lead is made of; only `name` is needed."""


LENGTHS: Final = {"name": 200, "organisation": 200, "title": 200, "source": 100, "lost_reason": 500}
BEST_SCORE: Final = 100


def update(
    lead: Lead | None,
    patch: LeadPatch,
    company: Company,
    now: datetime,
    also: Mapping[str, Value] = MappingProxyType({}),
) -> Sequence[LeadEvent]:
    """Change what is known of a lead, and `also` what others have checked; what has facts of its own is left out."""
    current = existing(lead)
    changes = changes_of(current, details(patch, current, company) | dict(also))
    return [LeadUpdated(lead=after(current, changes, now), changes=changes)] if changes else []


def details(given: Mapping[str, Any], current: LeadSummary | None, company: Company) -> dict[str, Value]:
    """Return new values, as they are kept, by the names that a fact's changes give them.

    Raises:
        InvalidValue: a subclass of it says what is wrong.
    """
    kept: dict[str, Value] = {
        field: line(given[field], f"/{field}", longest=LENGTHS[field])
        for field in ("name", "organisation", "title")
        if field in given
    }
    if "name" in kept and kept["name"] is None:
        raise NameMissing("/name")
    if "email" in given:
        kept["email"] = email(given["email"])
    if "phone" in given:
        kept["phone"] = phone(given["phone"], company.region)
    if "source" in given:
        kept["source"] = _source(given["source"], current, company)
    if "score" in given:
        kept["score"] = _score(given["score"])
    kept |= money(given, current, company)
    own = custom.values(given.get("custom", {}), current.custom if current else {}, company)
    return kept | {CUSTOM + key: value for key, value in own.items()}


def _source(value: str | None, current: LeadSummary | None, company: Company) -> str | None:
    key = line(value, "/source", longest=LENGTHS["source"])
    if key is None or (current and key == current.source):
        return key
    active = {source.key for source in company.sources.values() if source.active}
    if active and key not in active:
        raise UnknownSource("/source")
    return key


def _score(value: int | None) -> int | None:
    if value is not None and not 0 <= value <= BEST_SCORE:
        raise InvalidScore("/score")
    return value
