"""One lead takes in another: nothing of either is lost."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from contracts.events import LeadDeleted, LeadEvent, LeadMerged, LeadSummary, Value
from leads.domain.assignment import may_have_leads
from leads.domain.company import Company
from leads.domain.lead import CUSTOM, Lead, after, changes_of, existing, get
from leads.domain.refusals import (
    BothConverted,
    CustomValueMissing,
    LeadNotFound,
    MergeWithItself,
    OtherLeadNotFound,
    UnknownMergeField,
)
from leads.domain.tags import MOST

Side: TypeAlias = Literal["survivor", "other"]

FIELDS: Final = ("name", "email", "phone", "organisation", "title", "source", "score", "assigned_to")
"""What is chosen by itself, besides the company's own fields (`custom.<key>`)."""
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "value": ("value", "currency"),
    "status": ("status", "lost_reason"),
    "tags": ("tags",),
}
"""What is chosen together, by the group's name."""
_CONVERTED: Final = ("contact_id", "deal_id", "converted_at")


def merge(
    survivor: Lead | None, other: Lead | None, choices: Mapping[str, Side], company: Company, now: datetime
) -> Sequence[LeadEvent]:
    """Merge one lead into another.

    Of a field that nobody chose, the survivor keeps its value, or takes the other's when it has none; tags are those of
    both. The stage is the survivor's unless the other's is chosen.
    """
    current = existing(survivor)
    try:
        merged = existing(other)
    except LeadNotFound as refusal:
        raise OtherLeadNotFound(refusal.merged_into) from None
    if current.id == merged.id:
        raise MergeWithItself
    if current.converted_at and merged.converted_at and _references(current) != _references(merged):
        raise BothConverted
    wanted = _chosen(current, merged, choices)
    _require(current, wanted, company)
    if wanted["assigned_to"] is not None and not may_have_leads(wanted["assigned_to"], company):
        wanted["assigned_to"] = current.assigned_to  # the other's assignee has left
    changes = changes_of(current, wanted)
    values = {} if current.converted_at else {field: getattr(merged, field) for field in _CONVERTED}
    if "status" in changes:
        values["status_since"] = max(now, current.updated_at)
    messages = current.messages + merged.messages
    return [
        LeadMerged(lead=after(current, changes, now, messages=messages, **values), merged=merged, changes=changes),
        LeadDeleted(lead=after(merged, {}, now), merged_into=current.id),
    ]


def _chosen(current: LeadSummary, merged: LeadSummary, choices: Mapping[str, Side]) -> dict[str, Value]:
    own = [CUSTOM + key for key in sorted({*current.custom, *merged.custom})]
    groups = {name: (name,) for name in (*FIELDS, *own)} | dict(GROUPS)
    for name in choices:
        if name not in groups:
            raise UnknownMergeField(_pointer(name))
    wanted: dict[str, Value] = {}
    for name, fields in groups.items():
        if name == "tags" and name not in choices:
            wanted["tags"] = tuple(sorted({*current.tags, *merged.tags}))[:MOST]
            continue
        fills_a_gap = get(current, name) is None and name not in choices
        source = merged if fills_a_gap or choices.get(name) == "other" else current
        wanted |= {field: get(source, field) for field in fields}
    if wanted["name"] is None:
        wanted["name"] = current.name
    return wanted


def _require(current: LeadSummary, wanted: Mapping[str, Value], company: Company) -> None:
    """Refuse a choice that would clear what the company requires."""
    for key, field in company.custom_fields.items():
        name = CUSTOM + key
        if field.required and field.active and get(current, name) is not None and wanted[name] is None:
            raise CustomValueMissing(_pointer(name))


def _pointer(name: str) -> str:
    return "/choose/" + name.replace("~", "~0").replace("/", "~1")


def _references(lead: LeadSummary) -> tuple[str | None, str | None]:
    return lead.contact_id, lead.deal_id
