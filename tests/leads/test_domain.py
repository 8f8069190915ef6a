"""The rules about what is known of a lead: given facts, when a command, then facts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import (
    LeadAssigned,
    LeadCreated,
    LeadEvent,
    LeadStatusChanged,
    LeadSummary,
    LeadTagged,
    LeadUpdated,
)
from leads import domain
from leads.domain import LeadNotFound, LeadPatch, NameMissing, StaleVersion
from leads.domain.lead import get
from leads.domain.refusals import (
    CurrencyMissing,
    CurrencyWithoutValue,
    CustomValueMissing,
    InactiveCustomField,
    InvalidAmount,
    InvalidCustomValue,
    InvalidEmail,
    InvalidPhone,
    InvalidScore,
    InvalidTag,
    InvalidText,
    InvalidValue,
    LeadWasMerged,
    UnknownCurrency,
    UnknownCustomField,
    UnknownSource,
)

from .specs import ACME, ADA, BARE, BOB, GONE, ID, LATER, NOW, OTHER_ID, after, created, lead, requiring, told


def test_a_new_lead_is_in_the_first_stage_and_nobodys() -> None:
    facts = created()

    summary = LeadSummary(id=ID, name="Ada", status="new", status_since=NOW, created_at=NOW, updated_at=NOW, version=1)
    assert facts == [LeadCreated(lead=summary)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"name": " Ada "}, {"name": "Ada"}),
        ({"email": " Ada@Example.COM "}, {"email": "ada@example.com"}),
        ({"email": " "}, {"email": None}),
        ({"phone": "(11) 98765-4321"}, {"phone": "+5511987654321"}),
        ({"phone": "+44 20 7946 0000"}, {"phone": "+442079460000"}),
        ({"phone": " "}, {"phone": None}),
        ({"organisation": " Acme "}, {"organisation": "Acme"}),
        ({"title": " "}, {"title": None}),
        ({"source": "web"}, {"source": "web"}),
        ({"value": "1500"}, {"value": "1500.00", "currency": "BRL"}),
        ({"value": "1E+3", "currency": "eur"}, {"value": "1000.00", "currency": "EUR"}),
        ({"value": "-0"}, {"value": "0.00"}),
        ({"score": 100}, {"score": 100}),
        ({"tags": ["VIP", " hot  lead", "vip"]}, {"tags": ("hot lead", "vip")}),
        ({"custom": {"note": " x ", "size": 2.5, "vip": False}}, {"custom": {"note": "x", "size": 2.5, "vip": False}}),
        ({"custom": {"due": "2026-12-24", "plan": "pro"}}, {"custom": {"due": "2026-12-24", "plan": "pro"}}),
        ({"custom": {"likes": ["coffee", "tea", "tea"]}}, {"custom": {"likes": ("tea", "coffee")}}),
        ({"custom": {"site": "https://acme.example/x"}}, {"custom": {"site": "https://acme.example/x"}}),
        ({"custom": {"note": None, "old": None}}, {"custom": {}}),
    ],
)
def test_values_are_kept_in_one_form(given: dict[str, Any], kept: dict[str, Any]) -> None:
    summary = after(*created(**given))

    assert {field: getattr(summary, field) for field in kept} == kept


@pytest.mark.parametrize(
    ("given", "refusal", "pointer"),
    [
        ({"name": ""}, NameMissing, "/name"),
        ({"name": " \t "}, NameMissing, "/name"),
        ({"name": "x" * 201}, InvalidText, "/name"),
        ({"title": "a\nb"}, InvalidText, "/title"),
        ({"email": "ada"}, InvalidEmail, "/email"),
        ({"email": "ada@example.com bob@example.com"}, InvalidEmail, "/email"),
        ({"email": "a@" + "b" * 253}, InvalidEmail, "/email"),
        ({"phone": "+1"}, InvalidPhone, "/phone"),
        ({"phone": "call me"}, InvalidPhone, "/phone"),
        ({"phone": "11 98765-4321 ext. 5"}, InvalidPhone, "/phone"),
        ({"source": "fax"}, UnknownSource, "/source"),
        ({"source": "pigeon"}, UnknownSource, "/source"),
        ({"value": "much"}, InvalidAmount, "/value"),
        ({"value": "-1"}, InvalidAmount, "/value"),
        ({"value": "0.001"}, InvalidAmount, "/value"),
        ({"value": "1" + "0" * 13}, InvalidAmount, "/value"),
        ({"value": "Infinity"}, InvalidAmount, "/value"),
        ({"value": "1", "currency": "XYZ"}, UnknownCurrency, "/currency"),
        ({"currency": "EUR"}, CurrencyWithoutValue, "/currency"),
        ({"score": 101}, InvalidScore, "/score"),
        ({"score": -1}, InvalidScore, "/score"),
        ({"tags": [" "]}, InvalidTag, "/tags"),
        ({"tags": ["x" * 51]}, InvalidTag, "/tags"),
        ({"tags": [str(number) for number in range(51)]}, InvalidTag, "/tags"),
        ({"custom": {"colour": "red"}}, UnknownCustomField, "/custom/colour"),
        ({"custom": {"a/b": "red"}}, UnknownCustomField, "/custom/a~1b"),
        ({"custom": {"old": "x"}}, InactiveCustomField, "/custom/old"),
        ({"custom": {"note": 7}}, InvalidCustomValue, "/custom/note"),
        ({"custom": {"note": "x" * 1001}}, InvalidText, "/custom/note"),
        ({"custom": {"size": "7"}}, InvalidCustomValue, "/custom/size"),
        ({"custom": {"size": True}}, InvalidCustomValue, "/custom/size"),
        ({"custom": {"size": float("nan")}}, InvalidCustomValue, "/custom/size"),
        ({"custom": {"size": 10**400}}, InvalidCustomValue, "/custom/size"),
        ({"custom": {"vip": 1}}, InvalidCustomValue, "/custom/vip"),
        ({"custom": {"due": "24.12.2026"}}, InvalidCustomValue, "/custom/due"),
        ({"custom": {"due": "2026-02-30"}}, InvalidCustomValue, "/custom/due"),
        ({"custom": {"plan": "gold"}}, InvalidCustomValue, "/custom/plan"),
        ({"custom": {"likes": ["milk"]}}, InvalidCustomValue, "/custom/likes"),
        ({"custom": {"site": "javascript:alert(1)"}}, InvalidCustomValue, "/custom/site"),
        ({"custom": {"site": "https://["}}, InvalidCustomValue, "/custom/site"),
    ],
)
@pytest.mark.parametrize("is_new", [True, False])
def test_what_a_field_does_not_take_is_refused(
    given: dict[str, Any], refusal: type[InvalidValue], pointer: str, is_new: bool
) -> None:
    with pytest.raises(refusal) as refused:
        created(**given) if is_new else domain.change(lead(*created()), LeadPatch(**given), ACME, LATER)

    assert refused.value.pointer == pointer


def test_a_lead_needs_a_name() -> None:
    with pytest.raises(NameMissing):
        domain.create(ID, {}, ACME, NOW)


def test_a_company_that_settled_nothing_takes_any_source_but_needs_codes_of_countries_and_currencies() -> None:
    assert after(*created(company=BARE, source="pigeon")).source == "pigeon"
    with pytest.raises(InvalidPhone):
        created(company=BARE, phone="(11) 98765-4321")
    with pytest.raises(CurrencyMissing):
        created(company=BARE, value="1")


def test_a_source_that_is_not_used_any_more_may_stay() -> None:
    given = lead(*created(company=BARE, source="fax"))

    facts = domain.change(given, {"source": "fax", "name": "Bob"}, ACME, LATER)

    assert told(facts) == {"name": ("Ada", "Bob")}


def test_value_and_currency_go_together() -> None:
    given = lead(*created(value="10", currency="EUR"))

    assert told(domain.change(given, {"value": "12.5"}, ACME, LATER)) == {"value": ("10.00", "12.50")}
    assert told(domain.change(given, {"currency": "USD"}, ACME, LATER)) == {"currency": ("EUR", "USD")}
    assert told(domain.change(given, {"value": None}, ACME, LATER)) == {
        "value": ("10.00", None),
        "currency": ("EUR", None),
    }
    assert told(domain.change(given, {"currency": None}, ACME, LATER)) == {"currency": ("EUR", "BRL")}
    with pytest.raises(CurrencyMissing):
        domain.change(given, {"currency": None}, BARE, LATER)
    with pytest.raises(CurrencyWithoutValue):
        domain.change(given, {"value": None, "currency": "USD"}, ACME, LATER)


def test_fields_of_the_companys_own_change_one_by_one() -> None:
    given = lead(*created(custom={"note": "x", "size": 1}))

    facts = domain.change(given, {"custom": {"size": None, "vip": True}}, ACME, LATER)

    assert told(facts) == {"custom.size": (1, None), "custom.vip": (None, True)}
    assert after(*facts).custom == {"note": "x", "vip": True}


def test_what_a_field_of_the_companys_own_holds_may_stay_whatever_became_of_the_field() -> None:
    given = lead(*created(custom={"plan": "pro", "likes": ["tea", "coffee"], "size": 1}))
    fields = {
        **ACME.custom_fields,
        "plan": replace(ACME.custom_fields["plan"], choices=("basic",)),
        "likes": replace(ACME.custom_fields["likes"], active=False),
    }
    company = replace(ACME, custom_fields=fields)

    facts = domain.change(given, {"custom": {"plan": "pro", "likes": ["tea", "coffee"], "size": 2}}, company, LATER)

    assert told(facts) == {"custom.size": (1, 2)}
    for other, refusal in (({"likes": ["tea"]}, InactiveCustomField), ({"size": True}, InvalidCustomValue)):
        with pytest.raises(refusal):
            domain.change(given, {"custom": other}, company, LATER)


def test_a_required_field_is_required_of_new_leads_and_stays_filled() -> None:
    company = requiring("plan")
    old = lead(*created())
    filled = lead(*created(company=company, custom={"plan": "pro"}))

    with pytest.raises(CustomValueMissing):
        created(company=company)
    with pytest.raises(CustomValueMissing):
        domain.change(filled, {"custom": {"plan": None}}, company, LATER)
    assert told(domain.change(old, {"name": "Bob"}, company, LATER)) == {"name": ("Ada", "Bob")}


def test_a_patch_becomes_one_fact_of_each_kind() -> None:
    given = lead(*created(email="ada@example.com"))
    patch: LeadPatch = {"email": None, "tags": ["vip"], "assigned_to": ADA, "status": "won", "name": "Ada"}

    facts = domain.change(given, patch, ACME, LATER)

    assert [type(fact) for fact in facts] == [LeadUpdated, LeadTagged, LeadAssigned, LeadStatusChanged]
    assert told(facts) == {
        "email": ("ada@example.com", None),
        "tags": ((), ("vip",)),
        "assigned_to": (None, ADA),
        "status": ("new", "won"),
    }
    assert [fact.lead.version for fact in facts] == [2, 3, 4, 5]


def test_tags_come_and_go() -> None:
    given = lead(*created(tags=["cold", "vip"]))

    facts = domain.tag(given, ["HOT", "vip"], ["Cold"], LATER)

    assert told(facts) == {"tags": (("cold", "vip"), ("hot", "vip"))}
    assert domain.tag(given, ["vip"], ["warm"], LATER) == []
    with pytest.raises(InvalidTag):
        domain.tag(given, [str(number) for number in range(49)], [], LATER)


def test_a_deleted_lead_is_gone() -> None:
    given = lead(*created())
    (deleted,) = domain.delete(given, LATER)

    gone = domain.replay([deleted], given)

    assert deleted.lead.version == 2
    for decide in (
        lambda: domain.delete(gone, LATER),
        lambda: domain.change(gone, {"name": "Bob"}, ACME, LATER),
        lambda: domain.change(gone, {}, ACME, LATER),
        lambda: domain.assign(gone, None, ACME, LATER),
        lambda: domain.assign_by_turn(gone, None, ACME, LATER),
        lambda: domain.change_status(gone, "new", None, ACME, LATER),
        lambda: domain.tag(gone, ["vip"], [], LATER),
        lambda: domain.convert(gone, domain.Conversion(), ACME, LATER),
        lambda: domain.merge(gone, lead(*created(lead_id=OTHER_ID)), {}, ACME, LATER),
    ):
        with pytest.raises(LeadNotFound):
            decide()


def test_a_deletion_is_taken_back() -> None:
    facts = created(email="ada@example.com", assigned_to=ADA)
    facts += domain.delete(lead(*facts), LATER)

    restored = domain.restore(lead(*facts), ACME, LATER)

    assert [fact.lead.version for fact in restored] == [3]
    assert (after(*restored).email, after(*restored).assigned_to) == ("ada@example.com", ADA)
    assert domain.restore(lead(*facts, *restored), ACME, LATER) == []
    with pytest.raises(LeadNotFound):
        domain.restore(None, ACME, LATER)


def test_who_comes_back_finds_a_place_in_what_the_company_is_by_now() -> None:
    facts = created(company=BARE, status="qualified", assigned_to=BOB)
    facts += domain.delete(lead(*facts), LATER)
    pipeline = type(ACME.pipeline)(stages=ACME.pipeline.stages[:2], version=2)
    company = type(ACME)(id="c1", name="Acme", pipeline=pipeline, users={GONE: ACME.users[GONE]})

    restored = domain.restore(lead(*facts), company, LATER)

    assert told(restored) == {"status": ("qualified", "new"), "assigned_to": (BOB, None)}
    assert [fact.lead.version for fact in restored] == [3, 4, 5]


def test_a_merged_lead_is_not_restored() -> None:
    survivor, other = lead(*created()), created(lead_id=OTHER_ID)
    *_, deleted = domain.merge(survivor, lead(*other), {}, ACME, LATER)

    with pytest.raises(LeadWasMerged):
        domain.restore(lead(*other, deleted), ACME, LATER)


def test_who_looked_at_another_version_is_refused() -> None:
    given = lead(*created())

    domain.require_version(given, None)
    domain.require_version(given, 1)
    with pytest.raises(StaleVersion):
        domain.require_version(given, 2)
    with pytest.raises(LeadNotFound):
        domain.require_version(None, 1)


def test_a_clock_that_is_behind_does_not_turn_back_time() -> None:
    (fact,) = domain.change(lead(*created()), {"name": "Bob"}, ACME, NOW - timedelta(seconds=5))

    assert fact.lead.updated_at == NOW


texts = st.text("aBé'ß7-  ", max_size=8)
optional_texts = st.none() | texts
patches = st.fixed_dictionaries(
    {},
    optional={
        "name": texts.filter(lambda name: name.strip()),
        "email": st.sampled_from([None, " ", "Ada@example.com", "b@example.com"]),
        "phone": st.none() | st.integers(10**8, 10**9 - 1).map(lambda number: f"+55 11 {number}"),
        "organisation": optional_texts,
        "source": st.sampled_from([None, "web", "fair"]),
        "value": st.none() | st.integers(0, 10**6).map(str),
        "score": st.none() | st.integers(0, 100),
        "tags": st.lists(st.sampled_from(["vip", "hot", "cold"])),
        "custom": st.dictionaries(st.sampled_from(["note"]), optional_texts),
        "status": st.sampled_from(["new", "qualified", "won", "asleep"]),
        "assigned_to": st.sampled_from([None, ADA, BOB]),
    },
)


def history(patches: Sequence[LeadPatch]) -> list[LeadEvent]:
    facts = created()
    for hours, patch in enumerate(patches):
        facts += domain.change(lead(*facts), patch, ACME, NOW + timedelta(hours=hours))
    return facts


@given(st.lists(patches, max_size=5), st.booleans())
def test_the_fold_of_facts_equals_the_summary_that_each_carries(changes: list[LeadPatch], is_deleted: bool) -> None:
    facts = history(changes)
    if is_deleted:
        facts += domain.delete(lead(*facts), LATER)

    for count, fact in enumerate(facts, start=1):
        state = lead(*facts[:count])
        assert state is not None
        assert state.summary == fact.lead


@given(st.lists(patches, max_size=5))
def test_versions_are_dense(changes: list[LeadPatch]) -> None:
    facts = history(changes)

    assert [fact.lead.version for fact in facts] == list(range(1, len(facts) + 1))


@given(st.lists(patches, max_size=3), patches)
def test_a_patch_repeated_changes_nothing(changes: list[LeadPatch], patch: LeadPatch) -> None:
    patched = history([*changes, patch])

    assert domain.change(lead(*patched), patch, ACME, LATER) == []


@given(st.lists(patches, max_size=3), patches)
def test_only_what_really_changed_is_told(changes: list[LeadPatch], patch: LeadPatch) -> None:
    before = lead(*history(changes))
    assert before is not None

    facts = domain.change(before, patch, ACME, LATER)

    assert all(old != new for old, new in told(facts).values())
    assert all(old == get(before.summary, name) for name, (old, _) in told(facts).items())
    assert all(get(after(*facts), name) == new for name, (_, new) in told(facts).items())
