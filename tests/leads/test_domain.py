"""The rules about a lead: given facts, when a command, then facts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from leads import domain
from leads.domain import Lead, LeadNotFound, LeadPatch, NameMissing, NewLead, StaleVersion, Status

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ID = "0195b1de-0000-7000-8000-00000000000a"
ADA = "0195b1de-0000-7000-8000-0000000000ad"


def created(**values: Any) -> Sequence[LeadEvent]:
    return domain.create(ID, NewLead(**{"name": "Ada", **values}), NOW)


def lead(*facts: LeadEvent) -> Lead | None:
    return domain.replay(facts)


def test_a_new_lead_is_new_and_nobodys() -> None:
    facts = created()

    summary = LeadSummary(id=ID, name="Ada", status="new", created_at=NOW, updated_at=NOW, version=1)
    assert facts == [LeadCreated(lead=summary)]


def test_values_are_kept_trimmed_and_addresses_in_lower_case() -> None:
    (fact,) = created(name=" Ada ", email=" Ada@Example.COM ", phone="  ", source="web")

    assert (fact.lead.name, fact.lead.email, fact.lead.phone, fact.lead.source) == (
        "Ada",
        "ada@example.com",
        None,
        "web",
    )


@pytest.mark.parametrize("name", ["", " \t "])
def test_a_lead_needs_a_name(name: str) -> None:
    with pytest.raises(NameMissing):
        created(name=name)
    with pytest.raises(NameMissing):
        domain.change(lead(*created()), {"name": name}, LATER)


def test_a_patch_becomes_one_fact_of_each_kind() -> None:
    given = lead(*created(email="ada@example.com"))

    facts = domain.change(given, {"email": None, "assigned_to": ADA, "status": Status.WON, "name": "Ada"}, LATER)

    assert [type(fact) for fact in facts] == [LeadUpdated, LeadAssigned, LeadStatusChanged]
    assert [fact.changes for fact in facts if not isinstance(fact, LeadCreated | LeadDeleted)] == [
        {"email": Change(old="ada@example.com", new=None)},
        {"assigned_to": Change(old=None, new=ADA)},
        {"status": Change(old="new", new="won")},
    ]
    assert [fact.lead.version for fact in facts] == [2, 3, 4]


def test_a_deleted_lead_is_gone() -> None:
    given = lead(*created())
    (deleted,) = domain.delete(given, LATER)

    gone = domain.replay([deleted], given)

    assert deleted.lead.version == 2
    for decide in (
        lambda: domain.delete(gone, LATER),
        lambda: domain.change(gone, {"name": "Bob"}, LATER),
        lambda: domain.assign(gone, None, LATER),
        lambda: domain.change_status(gone, Status.NEW, LATER),
        lambda: domain.require_version(gone, 2),
    ):
        with pytest.raises(LeadNotFound):
            decide()


def test_who_looked_at_another_version_is_refused() -> None:
    given = lead(*created())

    domain.require_version(given, None)
    domain.require_version(given, 1)
    with pytest.raises(StaleVersion):
        domain.require_version(given, 2)


def test_a_clock_that_is_behind_does_not_turn_back_time() -> None:
    (fact,) = domain.change(lead(*created()), {"name": "Bob"}, NOW - timedelta(seconds=5))

    assert fact.lead.updated_at == NOW


texts = st.text(max_size=8)
optional_texts = st.none() | texts
names = texts.filter(lambda name: name.strip())
statuses = st.sampled_from(Status)
users = st.none() | st.sampled_from([ADA, ID])
patches = st.fixed_dictionaries(
    {},
    optional={
        "name": names,
        "email": optional_texts,
        "phone": optional_texts,
        "organisation": optional_texts,
        "source": optional_texts,
        "status": statuses,
        "assigned_to": users,
    },
)


def history(patches: Sequence[LeadPatch]) -> list[LeadEvent]:
    facts = list(created())
    for hours, patch in enumerate(patches):
        facts += domain.change(lead(*facts), patch, NOW + timedelta(hours=hours))
    return facts


@given(st.lists(patches, max_size=5), st.booleans())
def test_the_fold_of_facts_equals_the_summary_that_each_carries(changes: list[LeadPatch], is_deleted: bool) -> None:
    facts = history(changes)
    if is_deleted:
        facts += domain.delete(lead(*facts), LATER)

    for count, fact in enumerate(facts, start=1):
        assert lead(*facts[:count]) == Lead(fact.lead, deleted=isinstance(fact, LeadDeleted))


@given(st.lists(patches, max_size=5))
def test_versions_are_dense(changes: list[LeadPatch]) -> None:
    facts = history(changes)

    assert [fact.lead.version for fact in facts] == list(range(1, len(facts) + 1))


@given(st.lists(patches, max_size=3), patches)
def test_a_patch_repeated_changes_nothing(changes: list[LeadPatch], patch: LeadPatch) -> None:
    patched = history([*changes, patch])

    assert domain.change(lead(*patched), patch, LATER) == []


@given(st.lists(patches, max_size=3), patches)
def test_only_what_really_changed_is_told(changes: list[LeadPatch], patch: LeadPatch) -> None:
    before = lead(*history(changes))
    assert before is not None

    told = {
        field: change
        for fact in domain.change(before, patch, LATER)
        if isinstance(fact, LeadUpdated | LeadAssigned | LeadStatusChanged)
        for field, change in fact.changes.items()
    }

    assert told.keys() <= patch.keys()
    assert all(change.old != change.new for change in told.values())
    assert all(change.old == getattr(before.summary, field) for field, change in told.items())
