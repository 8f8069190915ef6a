"""The rules of a merge: given facts of two leads, when merged, then facts of both."""

from typing import Any

import pytest

from contracts.events import LeadDeleted, LeadEvent, LeadMerged
from leads import domain
from leads.domain import Conversion
from leads.domain.duplicates import Contact, new_contacts
from leads.domain.merging import Side
from leads.domain.refusals import (
    BothConverted,
    CustomValueMissing,
    LeadNotFound,
    MergeWithItself,
    OtherLeadNotFound,
    UnknownMergeField,
)

from .specs import ACME, ADA, BARE, BOB, GONE, ID, LATER, OTHER_ID, created, lead, requiring, told


def merge(ours: list[LeadEvent], theirs: list[LeadEvent], **choices: Side) -> tuple[LeadMerged, LeadDeleted]:
    merged, deleted = domain.merge(lead(*ours), lead(*theirs), choices, ACME, LATER)
    assert isinstance(merged, LeadMerged)
    assert isinstance(deleted, LeadDeleted)
    return merged, deleted


def two(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[list[LeadEvent], list[LeadEvent]]:
    return created(**ours), created(lead_id=OTHER_ID, **theirs)


def test_the_survivor_keeps_what_it_has_and_takes_what_it_lacks() -> None:
    ours, theirs = two(
        {"name": "Ada", "email": "ada@example.com", "tags": ["vip"], "custom": {"note": "x"}},
        {"name": "A. L.", "email": "al@example.com", "phone": "+5511987654321", "value": "5", "tags": ["hot"],
         "custom": {"note": "y", "size": 3}, "assigned_to": ADA, "status": "won"},
    )  # fmt: skip

    merged, deleted = merge(ours, theirs)

    assert told([merged]) == {
        "phone": (None, "+5511987654321"),
        "assigned_to": (None, ADA),
        "value": (None, "5.00"),
        "currency": (None, "BRL"),
        "tags": (("vip",), ("hot", "vip")),
        "custom.size": (None, 3),
    }
    assert (merged.lead.version, merged.merged) == (2, theirs[-1].lead)
    assert (deleted.lead.id, deleted.lead.version, deleted.merged_into) == (OTHER_ID, 2, ID)


@pytest.mark.parametrize(
    ("choices", "changes"),
    [
        ({"name": "other"}, {"name": ("Ada", "Bea")}),
        ({"phone": "survivor"}, {}),
        ({"value": "other"}, {"value": ("1.00", "2.00"), "currency": ("EUR", "BRL")}),
        ({"status": "other"}, {"status": ("new", "lost"), "lost_reason": (None, "Dear")}),
        ({"tags": "other"}, {"tags": (("a",), ("b",))}),
        ({"tags": "survivor"}, {}),
        ({"custom.note": "other"}, {"custom.note": ("x", "y")}),
        ({"title": "other"}, {"title": ("Boss", None)}),
        ({"assigned_to": "other"}, {"assigned_to": (BOB, ADA)}),
    ],
)
def test_each_field_is_chosen_by_itself(choices: dict[str, Side], changes: dict[str, Any]) -> None:
    ours, theirs = two(
        {"name": "Ada", "title": "Boss", "value": "1", "currency": "EUR", "tags": ["a"], "custom": {"note": "x"},
         "assigned_to": BOB},
        {"name": "Bea", "phone": "+5511987654321", "value": "2", "tags": ["b"], "custom": {"note": "y"},
         "assigned_to": ADA, "status": "lost", "lost_reason": "Dear"},
    )  # fmt: skip
    by_itself = {"phone": (None, "+5511987654321"), "tags": (("a",), ("a", "b"))}
    by_itself = {name: change for name, change in by_itself.items() if name not in choices}

    merged, _ = merge(ours, theirs, **choices)

    assert told([merged]) == by_itself | changes
    if "status" in choices:
        assert merged.lead.status_since == LATER


def test_a_survivor_may_be_nobodys_as_the_other_was() -> None:
    ours, theirs = two({"assigned_to": ADA}, {})

    assert told([merge(ours, theirs, assigned_to="other")[0]]) == {"assigned_to": (ADA, None)}


def test_a_merge_clears_nothing_that_the_company_requires() -> None:
    ours, theirs = two({"custom": {"plan": "pro"}}, {})
    choices: dict[str, Side] = {"custom.plan": "other"}

    assert told(domain.merge(lead(*ours), lead(*theirs), choices, ACME, LATER)[:1]) == {"custom.plan": ("pro", None)}
    with pytest.raises(CustomValueMissing):
        domain.merge(lead(*ours), lead(*theirs), choices, requiring("plan"), LATER)


def test_nobody_who_has_left_gets_a_lead_by_a_merge() -> None:
    before = type(ACME)(id="c", name="C", users={GONE: type(ACME.users[GONE])(id=GONE, name="G", role="agent")})
    ours, theirs = created(), created(lead_id=OTHER_ID, company=before, assigned_to=GONE)

    merged, _ = merge(ours, theirs)

    assert merged.lead.assigned_to is None


def test_what_cannot_be_merged() -> None:
    ours, theirs = two({}, {})
    deleted = [*theirs, *domain.delete(lead(*theirs), LATER)]

    with pytest.raises(MergeWithItself):
        merge(ours, ours)
    with pytest.raises(LeadNotFound):
        merge([], theirs)
    for missing in ([], deleted):
        with pytest.raises(OtherLeadNotFound):
            merge(ours, missing)
    for name in ("surname", "currency", "messages", "custom.colour", "custom.size"):
        with pytest.raises(UnknownMergeField):
            merge(ours, theirs, **{name: "other"})


def test_a_conversion_survives() -> None:
    ours, theirs = two({}, {})
    ours_converted = [*ours, *domain.convert(lead(*ours), Conversion(), ACME, LATER)]
    theirs_converted = [*theirs, *domain.convert(lead(*theirs), Conversion(), ACME, LATER)]

    for left, right in ((ours_converted, theirs), (ours, theirs_converted)):
        merged, _ = merge(left, right)
        converted = left[-1].lead if left is ours_converted else right[-1].lead
        assert (merged.lead.contact_id, merged.lead.deal_id) == (converted.contact_id, converted.deal_id)
        assert merged.lead.converted_at == LATER
    with pytest.raises(BothConverted):
        merge(ours_converted, theirs_converted)


def test_what_can_be_a_duplicate_is_what_is_new() -> None:
    ours, theirs = two({"email": "ada@example.com"}, {"phone": "+5511987654321", "email": "x@example.com"})
    merged, gone = merge(ours, theirs)
    renamed = domain.change(lead(*ours), {"name": "Bob"}, ACME, LATER)
    moved = domain.change(lead(*ours), {"email": "b@example.com", "name": "Bob"}, ACME, LATER)
    deleted = domain.delete(lead(*ours), LATER)
    restored = domain.restore(lead(*ours, *deleted), ACME, LATER)

    assert new_contacts(ours) == [Contact(lead_id=ID, email="ada@example.com", phone=None)]
    assert new_contacts([*renamed, *deleted, gone]) == []
    assert new_contacts(moved) == [Contact(lead_id=ID, email="b@example.com", phone=None)]
    assert new_contacts(restored) == [Contact(lead_id=ID, email="ada@example.com", phone=None)]
    assert new_contacts([merged]) == [
        Contact(lead_id=ID, email=None, phone="+5511987654321", others=frozenset({OTHER_ID}))
    ]
    assert new_contacts(created(company=BARE)) == []
