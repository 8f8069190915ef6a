"""Given facts, when a command, then facts: short ways to say so of one company's leads."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.events import LeadEvent, LeadSummary, Pipeline, Stage
from leads import domain
from leads.domain.company import Company, CustomField, Source, User
from leads.domain.lead import Lead

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ID = "0195b1de-0000-7000-8000-00000000000a"
OTHER_ID = "0195b1de-0000-7000-8000-00000000000b"
ADA = "0195b1de-0000-7000-8000-0000000000ad"
BOB = "0195b1de-0000-7000-8000-0000000000b0"
CLEO = "0195b1de-0000-7000-8000-0000000000c1"
VERA = "0195b1de-0000-7000-8000-0000000000fe"
GONE = "0195b1de-0000-7000-8000-0000000000ff"

PIPELINE = Pipeline(
    stages=(
        Stage(key="new", name="New"),
        Stage(key="contacted", name="Contacted", next=("qualified", "lost")),
        Stage(key="qualified", name="Qualified"),
        Stage(key="won", name="Won", kind="won"),
        Stage(key="signed", name="Signed", kind="won"),
        Stage(key="lost", name="Lost", kind="lost", reason_required=True),
        Stage(key="asleep", name="Asleep", kind="lost"),
    ),
    version=1,
)
ACME = Company(
    id="c1",
    name="Acme",
    region="BR",
    currency="BRL",
    pipeline=PIPELINE,
    users={
        user.id: user
        for user in (
            User(id=ADA, name="Ada", role="agent"),
            User(id=BOB, name="Bob", role="manager"),
            User(id=CLEO, name="Cleo", role="admin"),
            User(id=VERA, name="Vera", role="viewer"),
            User(id=GONE, name="Gone", role="agent", active=False),
        )
    },
    sources={key: Source(key=key, name=key, active=key != "fax") for key in ("web", "fair", "fax")},
    custom_fields={
        field.key: field
        for field in (
            CustomField(key="note", label="Note", kind="text"),
            CustomField(key="size", label="Size", kind="number"),
            CustomField(key="vip", label="VIP", kind="boolean"),
            CustomField(key="due", label="Due", kind="date"),
            CustomField(key="plan", label="Plan", kind="choice", choices=("basic", "pro")),
            CustomField(key="likes", label="Likes", kind="choices", choices=("tea", "coffee")),
            CustomField(key="site", label="Site", kind="url"),
            CustomField(key="old", label="Old", kind="text", active=False),
        )
    },
)
"""A company with some of everything."""
BARE = Company(id="c2", name="Bare", users=ACME.users)
"""A company that has settled nothing."""


def requiring(key: str, company: Company = ACME) -> Company:
    """Return the company, which requires one of its fields from now on."""
    field = replace(company.custom_fields[key], required=True)
    return replace(company, custom_fields={**company.custom_fields, key: field})


def created(*, lead_id: str = ID, company: Company = ACME, **values: Any) -> list[LeadEvent]:
    return list(domain.create(lead_id, domain.NewLead(**{"name": "Ada", **values}), company, NOW))


def lead(*facts: LeadEvent) -> Lead | None:
    return domain.replay(facts)


def after(*facts: LeadEvent) -> LeadSummary:
    """Return what the last of some facts says of the lead."""
    return facts[-1].lead


def told(facts: Sequence[LeadEvent]) -> dict[str, tuple[object, object]]:
    """Return what facts say has changed: field → old and new value."""
    return {name: (change.old, change.new) for fact in facts for name, change in getattr(fact, "changes", {}).items()}
