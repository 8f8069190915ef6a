"""The rules of the pipeline, of assignment and of conversion: given facts, when a command, then facts."""

from dataclasses import replace
from uuid import UUID

import pytest

from contracts.events import LeadConverted, LeadStatusChanged, LeadUpdated, Pipeline
from leads import domain
from leads.domain import Conversion
from leads.domain.company import Company, User
from leads.domain.refusals import (
    AlreadyConverted,
    IllegalTransition,
    NobodyToAssign,
    NoWonStage,
    ReasonMissing,
    ReasonWithoutLoss,
    UnknownStage,
    UnknownUser,
)

from .specs import ACME, ADA, BARE, BOB, CLEO, GONE, LATER, NOW, VERA, after, created, lead, told


def test_a_lead_moves_through_the_pipeline() -> None:
    given = lead(*created())

    (moved,) = domain.change_status(given, "contacted", None, ACME, LATER)

    assert told([moved]) == {"status": ("new", "contacted")}
    assert moved.lead.status_since == LATER
    assert domain.change_status(given, "new", None, ACME, LATER) == []


def test_only_transitions_that_the_pipeline_allows() -> None:
    given = lead(*created(status="contacted"))

    assert told(domain.change_status(given, "qualified", None, ACME, LATER)) == {"status": ("contacted", "qualified")}
    with pytest.raises(IllegalTransition):
        domain.change_status(given, "won", None, ACME, LATER)
    with pytest.raises(UnknownStage):
        domain.change_status(given, "nowhere", None, ACME, LATER)
    with pytest.raises(UnknownStage):
        created(status="nowhere")


def test_out_of_a_stage_that_is_no_more_any_way_is_fine() -> None:
    given = lead(*created(status="contacted"))
    stages = tuple(stage for stage in ACME.pipeline.stages if stage.key != "contacted")
    company = replace(ACME, pipeline=Pipeline(stages=stages, version=2))

    assert told(domain.change_status(given, "won", None, company, LATER)) == {"status": ("contacted", "won")}


def test_a_loss_has_its_reason() -> None:
    given = lead(*created())

    lost = domain.change_status(given, "lost", " Too dear ", ACME, LATER)
    back = domain.change_status(lead(*created(), *lost), "new", None, ACME, LATER)

    assert told(lost) == {"status": ("new", "lost"), "lost_reason": (None, "Too dear")}
    assert told(back) == {"status": ("lost", "new"), "lost_reason": ("Too dear", None)}
    assert told(domain.change_status(given, "asleep", None, ACME, LATER)) == {"status": ("new", "asleep")}
    for status, reason, refusal in (
        ("lost", None, ReasonMissing),
        ("lost", " ", ReasonMissing),
        ("won", "Luck", ReasonWithoutLoss),
    ):
        with pytest.raises(refusal):
            domain.change_status(given, status, reason, ACME, LATER)
        with pytest.raises(refusal):
            created(status=status, lost_reason=reason)


def test_the_reason_of_a_loss_is_corrected() -> None:
    given = lead(*created(status="lost", lost_reason="Too dear"))

    facts = domain.change(given, {"lost_reason": "Too late"}, ACME, LATER)

    assert [type(fact) for fact in facts] == [LeadUpdated]
    assert told(facts) == {"lost_reason": ("Too dear", "Too late")}
    assert domain.change_status(given, "lost", "Too dear", ACME, LATER) == []
    assert told(domain.change_status(given, "lost", "Too late", ACME, LATER)) == told(facts)
    with pytest.raises(ReasonMissing):
        domain.change(given, {"lost_reason": None}, ACME, LATER)


def test_a_reason_is_corrected_in_the_same_fact_as_anything_else() -> None:
    given = lead(*created(status="lost", lost_reason="Too dear"))

    facts = domain.change(given, {"lost_reason": "Too late", "name": "Bob"}, ACME, LATER)

    assert [type(fact) for fact in facts] == [LeadUpdated]
    assert told(facts) == {"name": ("Ada", "Bob"), "lost_reason": ("Too dear", "Too late")}


def test_a_form_that_sends_all_it_shows_changes_what_was_changed() -> None:
    asleep = lead(*created(status="asleep", lost_reason="Quiet"))
    without = lead(*created(status="lost", company=BARE))

    assert told(domain.change(asleep, {"status": "asleep", "lost_reason": None}, ACME, LATER)) == {
        "lost_reason": ("Quiet", None)
    }
    assert told(domain.change(without, {"status": "lost", "lost_reason": None, "name": "Bob"}, ACME, LATER)) == {
        "name": ("Ada", "Bob")
    }


@pytest.mark.parametrize("user_id", [VERA, GONE, "0195b1de-0000-7000-8000-000000000000"])
def test_leads_go_to_active_users_who_may_work_on_them(user_id: str) -> None:
    given = lead(*created())

    with pytest.raises(UnknownUser):
        domain.assign(given, user_id, ACME, LATER)
    with pytest.raises(UnknownUser):
        created(assigned_to=user_id)


def test_a_lead_is_given_and_taken_away() -> None:
    given = lead(*created(assigned_to=ADA))

    assert told(domain.assign(given, BOB, ACME, LATER)) == {"assigned_to": (ADA, BOB)}
    assert told(domain.assign(given, None, ACME, LATER)) == {"assigned_to": (ADA, None)}
    assert domain.assign(given, ADA, ACME, LATER) == []


def test_a_lead_may_stay_with_somebody_who_has_left() -> None:
    given = lead(
        *created(company=replace(ACME, users={GONE: User(id=GONE, name="Gone", role="agent")}), assigned_to=GONE)
    )

    assert told(domain.change(given, {"assigned_to": GONE, "name": "Bob"}, ACME, LATER)) == {"name": ("Ada", "Bob")}


@pytest.mark.parametrize(("drawn", "turn"), [(None, ADA), (ADA, ADA), (BOB, BOB), (CLEO, ADA), (GONE, ADA), ("0", ADA)])
def test_a_turn_goes_to_an_active_agent_or_manager_whoever_was_drawn(drawn: str | None, turn: str) -> None:
    assert after(*domain.assign_by_turn(lead(*created()), drawn, ACME, LATER)).assigned_to == turn


def test_a_turn_needs_somebody_to_take_it() -> None:
    with pytest.raises(NobodyToAssign):
        domain.assign_by_turn(lead(*created()), None, replace(ACME, users={CLEO: ACME.users[CLEO]}), LATER)


CONTACT, DEAL = "0195b1de-0000-7000-8000-00000000c0de", "0195b1de-0000-7000-8000-00000000dea1"


def test_a_lead_becomes_a_contact_and_a_deal() -> None:
    facts = domain.convert(lead(*created()), Conversion(contact_id=CONTACT, deal_id=DEAL), ACME, LATER)

    assert [type(fact) for fact in facts] == [LeadStatusChanged, LeadConverted]
    lead_after = after(*facts)
    assert (lead_after.status, lead_after.contact_id, lead_after.deal_id) == ("won", CONTACT, DEAL)
    assert (lead_after.converted_at, lead_after.version) == (LATER, 3)


def test_what_is_not_named_is_made_up_the_same_each_time() -> None:
    one, again = (after(*domain.convert(lead(*created()), Conversion(), ACME, LATER)) for _ in range(2))

    assert (one.contact_id, one.deal_id) == (again.contact_id, again.deal_id)
    assert len({UUID(one.id), UUID(one.contact_id or ""), UUID(one.deal_id or "")}) == 3


def test_a_conversion_repeated_changes_nothing_and_contradicted_is_refused() -> None:
    facts = created()
    facts += domain.convert(lead(*facts), Conversion(contact_id=CONTACT), ACME, LATER)
    converted = lead(*facts)

    for same in (Conversion(), Conversion(contact_id=CONTACT), Conversion(deal_id=after(*facts).deal_id)):
        assert domain.convert(converted, same, ACME, LATER) == []
    for other in (Conversion(contact_id=DEAL), Conversion(contact_id=CONTACT, deal_id=CONTACT)):
        with pytest.raises(AlreadyConverted):
            domain.convert(converted, other, ACME, LATER)


def test_a_conversion_keeps_to_the_pipeline() -> None:
    won, contacted = lead(*created(status="signed")), lead(*created(status="contacted"))
    lossy = Company(id="c3", name="Lossy", pipeline=Pipeline(stages=ACME.pipeline.stages[:3], version=1))

    assert [type(fact) for fact in domain.convert(won, Conversion(), ACME, NOW)] == [LeadConverted]
    assert after(*domain.convert(won, Conversion(status="won"), ACME, NOW)).status == "won"
    with pytest.raises(IllegalTransition):
        domain.convert(contacted, Conversion(), ACME, NOW)
    with pytest.raises(UnknownStage):
        domain.convert(won, Conversion(status="qualified"), ACME, NOW)
    with pytest.raises(NoWonStage):
        domain.convert(lead(*created(company=BARE)), Conversion(), lossy, NOW)
