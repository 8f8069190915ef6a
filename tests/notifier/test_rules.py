"""Who hears about which fact."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import envelope
from contracts.envelope import Envelope
from contracts.events import (
    NAMES,
    Change,
    Duplicate,
    Fact,
    ImportFinished,
    ImportProgressed,
    ImportReverted,
    ImportStarted,
    JobFinished,
    JobProgressed,
    JobStarted,
    JobSummary,
    LeadAssigned,
    LeadConverted,
    LeadCreated,
    LeadDeleted,
    LeadEvent,
    LeadMerged,
    LeadMessageEdited,
    LeadMessagePosted,
    LeadRestored,
    LeadStatusChanged,
    LeadTagged,
    LeadUpdated,
    Pipeline,
    PipelineChanged,
    Stage,
    UnknownEvent,
    UserDeactivated,
    UserSignedOut,
)
from contracts.push import Push, Termination
from notifier.notices import EXCERPT, NOTICES, NoSuchUser
from notifier.reaction import Reaction
from notifier.rules import RULES, react
from support.facts import facts
from support.notifiers import ACME, ANA, APP_ID, BEN, EVA, created, imported, message, summary, user, wrapped

COMPANY = f"private-company.{ACME}"
LEAD = "presence-lead.00000000-0000-4000-8000-000000000001"
NAME = {"name": Change(old="Ada", new="Eda")}


def heard(fact: Fact, **attributes: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (channel, event, data) of the pushes that follow from a fact."""
    pushes = react(wrapped(fact, **attributes), APP_ID).pushes
    return [(push.channel, push.event, json.loads(push.data)) for push in pushes if isinstance(push, Push)]


def told(fact: Fact, **attributes: Any) -> dict[str, str]:
    """Return user → kind of the notifications that follow from a fact; nobody gets two."""
    notifications = react(wrapped(fact, **attributes), APP_ID).notifications
    by_user = {told.user_id: told.notification.kind for told in notifications}
    assert len(by_user) == len(notifications)
    return dict(by_user)


def job() -> JobSummary:
    return JobSummary(id="j1", kind="bulk", action="tag", author=ANA, total=9, done=4, version=2)


def test_a_job_s_progress_says_how_far_it_is() -> None:
    ((_, _, data),) = heard(JobProgressed(job=job()))

    assert (data["state"], data["done"], data["total"], data["outcome"]) == ("running", 4, 9, None)


def test_every_fact_has_a_rule() -> None:
    assert RULES.keys() == NAMES.keys()


def test_every_kind_of_notification_has_a_rule() -> None:
    assert {kind for rule in RULES.values() for kind in rule.notices} == NOTICES.keys()


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (LeadCreated(lead=summary()), [(COMPANY, "lead.created")]),
        (LeadUpdated(lead=summary(), changes=NAME), [(COMPANY, "lead.updated"), (LEAD, "lead.updated")]),
        (LeadAssigned(lead=summary(), changes={}), [(COMPANY, "lead.updated"), (LEAD, "lead.updated")]),
        (LeadStatusChanged(lead=summary(), changes={}), [(COMPANY, "lead.updated"), (LEAD, "lead.updated")]),
        (LeadTagged(lead=summary()), [(COMPANY, "lead.updated"), (LEAD, "lead.updated")]),
        (LeadConverted(lead=summary()), [(COMPANY, "lead.updated"), (LEAD, "lead.updated")]),
        (
            LeadMerged(lead=summary(), merged=summary(2), changes={}),
            [(COMPANY, "lead.updated"), (LEAD, "lead.updated")],
        ),
        (
            LeadMessagePosted(lead=summary(), message=message()),
            [(COMPANY, "lead.updated"), (LEAD, "lead.updated"), (LEAD, "message.posted")],
        ),
        (
            LeadMessageEdited(lead=summary(), message=message(), before="Hi"),
            [(COMPANY, "lead.updated"), (LEAD, "lead.updated"), (LEAD, "message.edited")],
        ),
        (LeadDeleted(lead=summary()), [(COMPANY, "lead.deleted")]),
        (LeadRestored(lead=summary()), [(COMPANY, "lead.created")]),
        (ImportStarted(imported=imported()), [(COMPANY, "import.progress")]),
        (ImportFinished(imported=imported()), [(COMPANY, "import.progress")]),
        (ImportProgressed(imported=imported()), [(COMPANY, "import.progress")]),
        (ImportReverted(imported=imported()), [(COMPANY, "import.progress")]),
        (JobStarted(job=job()), [(COMPANY, "job.progress")]),
        (JobProgressed(job=job()), [(COMPANY, "job.progress")]),
        (JobFinished(job=job()), [(COMPANY, "job.progress")]),
        (PipelineChanged(pipeline=Pipeline(stages=(Stage(key="new", name="New"),), version=1)), []),
    ],
)
def test_the_table_of_pushes(fact: Fact, expected: list[tuple[str, str]]) -> None:
    assert [(channel, event) for channel, event, _data in heard(fact)] == expected


def test_a_created_lead_is_told_with_its_whole_summary() -> None:
    [(_channel, _event, data)] = heard(LeadCreated(lead=summary()), feedposition=7, id="e1", actor="u1")

    assert data == {
        **envelope.encode(LeadCreated(lead=summary()))["lead"],
        "position": 7,
        "event_id": "e1",
        "epoch": None,
        "actor": "u1",
    }


@pytest.mark.parametrize(
    ("fact", "changed"),
    [
        (LeadUpdated(lead=summary(), changes=NAME), {"name": {"old": "Ada", "new": "Eda"}}),
        (
            LeadTagged(lead=summary(tags=("vip",)), added=("vip",)),
            {"tags": {"old": [], "new": ["vip"]}},
        ),
        (
            LeadMessagePosted(lead=summary(messages=3), message=message()),
            {"messages": {"old": 2, "new": 3}},
        ),
        (LeadMessageEdited(lead=summary(messages=3), message=message(), before="Hi"), {}),
        (
            LeadConverted(lead=summary(contact_id="c1", deal_id="d1")),
            {"contact_id": {"old": None, "new": "c1"}, "deal_id": {"old": None, "new": "d1"}},
        ),
        (LeadMerged(lead=summary(), merged=summary(2), changes=NAME), {"name": {"old": "Ada", "new": "Eda"}}),
    ],
)
def test_an_update_says_what_changed(fact: LeadEvent, changed: dict[str, Any]) -> None:
    assert all(data["changed"] == changed for _channel, event, data in heard(fact) if event == "lead.updated")


def test_a_lead_that_comes_back_is_created_again_and_says_so() -> None:
    [(_channel, event, data)] = heard(LeadRestored(lead=summary()))

    assert (event, data["restored"]) == ("lead.created", True)


def test_a_lead_that_was_merged_names_the_one_that_took_it_in() -> None:
    [(_channel, event, data)] = heard(LeadDeleted(lead=summary(2), merged_into=summary(1).id))

    assert (event, data["merged_into"]) == ("lead.deleted", summary(1).id)


def test_a_message_is_told_to_those_who_look_at_its_lead() -> None:
    fact = LeadMessagePosted(lead=summary(), message=message(mentions=(BEN,)))

    *_others, (channel, event, data) = heard(fact, feedposition=7, id="e1", actor=ANA)

    assert (channel, event) == (LEAD, "message.posted")
    assert data == {
        "id": "m1",
        "author": ANA,
        "body": "Hello",
        "mentions": [BEN],
        "posted_at": "2026-03-01T12:00:00Z",
        "edited_at": None,
        "lead_id": summary().id,
        "position": 7,
        "event_id": "e1",
        "epoch": None,
        "actor": ANA,
    }


def test_an_import_is_told_with_its_counts() -> None:
    [(_channel, _event, data)] = heard(ImportFinished(imported=imported(created=7)), feedposition=7, id="e1")

    assert data == {
        **envelope.encode(ImportFinished(imported=imported(created=7)))["imported"],
        "state": "finished",
        "position": 7,
        "event_id": "e1",
        "epoch": None,
        "actor": None,
    }


def test_a_deactivated_user_is_cut_off() -> None:
    [push] = react(wrapped(UserDeactivated(user=user(ANA)), id="e1"), APP_ID).pushes

    assert push == Termination(app_id=APP_ID, channel=f"#server-to-user-{ANA}", key="e1")


def test_who_signed_out_is_cut_off_for_now() -> None:
    reaction = react(wrapped(UserSignedOut(user=user(ANA)), id="e1"), APP_ID)

    assert reaction.pushes == (Termination(app_id=APP_ID, channel=f"#server-to-user-{ANA}", key="e1", returns=True),)
    assert reaction.shut_out is not None


def test_the_author_does_not_hear_itself_and_the_request_is_traced() -> None:
    fact = LeadMessagePosted(lead=summary(), message=message())
    pushes = react(wrapped(fact, id="e1", socketid="12.34", correlationid="r1"), APP_ID).pushes

    assert [push.headers["Nats-Msg-Id"] for push in pushes] == [
        f"e1:private-company=2E{ACME}",
        f"e1:presence-lead=2E{summary().id}",
        f"e1:message:presence-lead=2E{summary().id}",
    ]
    assert {(push.headers["Except-Socket"], push.headers["Correlation-Id"]) for push in pushes} == {("12.34", "r1")}


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (LeadCreated(lead=summary()), {}),
        (LeadCreated(lead=summary(assigned_to=BEN)), {BEN: "assigned"}),
        (LeadCreated(lead=summary(assigned_to=ANA)), {}),
        (
            LeadCreated(
                lead=summary(assigned_to=BEN),
                duplicates=(
                    Duplicate(id="l2", assigned_to=EVA),
                    Duplicate(id="l3", assigned_to=EVA),
                    Duplicate(id="l4", assigned_to=BEN),
                    Duplicate(id="l5", assigned_to=ANA),
                    Duplicate(id="l6"),
                ),
            ),
            {BEN: "assigned", EVA: "duplicate_found"},
        ),
        (
            LeadAssigned(lead=summary(assigned_to=BEN), changes={"assigned_to": Change(old=EVA, new=BEN)}),
            {BEN: "assigned", EVA: "unassigned"},
        ),
        (LeadAssigned(lead=summary(), changes={"assigned_to": Change(old=BEN, new=None)}), {BEN: "unassigned"}),
        (LeadAssigned(lead=summary(assigned_to=ANA), changes={"assigned_to": Change(old=None, new=ANA)}), {}),
        (
            LeadStatusChanged(
                lead=summary(assigned_to=BEN, status="won"), changes={"status": Change(old="new", new="won")}
            ),
            {BEN: "status_changed"},
        ),
        (LeadStatusChanged(lead=summary(status="won"), changes={"status": Change(old="new", new="won")}), {}),
        (
            LeadMessagePosted(
                lead=summary(assigned_to=BEN), message=message(mentions=(EVA, ANA)), participants=(ANA, BEN, EVA)
            ),
            {EVA: "mentioned", BEN: "message"},
        ),
        (
            LeadMessageEdited(
                lead=summary(assigned_to=BEN), message=message(mentions=(BEN, EVA)), before="Hi", mentioned=(EVA, ANA)
            ),
            {EVA: "mentioned"},
        ),
        (ImportFinished(imported=imported()), {ANA: "import_finished"}),
        (ImportStarted(imported=imported()), {}),
        (ImportProgressed(imported=imported()), {}),
        (JobFinished(job=job()), {}),
        (LeadUpdated(lead=summary(assigned_to=BEN), changes=NAME), {}),
        (LeadDeleted(lead=summary(assigned_to=BEN)), {}),
        (UserDeactivated(user=user(BEN)), {}),
    ],
)
def test_the_table_of_notifications(fact: Fact, expected: dict[str, str]) -> None:
    assert told(fact, actor=ANA) == expected


def test_what_the_system_did_is_told_to_everybody_but_a_messages_author() -> None:
    assigned = LeadAssigned(lead=summary(assigned_to=ANA), changes={"assigned_to": Change(old=None, new=ANA)})
    posted = LeadMessagePosted(lead=summary(), message=message(), participants=(ANA, BEN))

    assert told(assigned, actor=None) == {ANA: "assigned"}
    assert told(posted, actor=None) == {BEN: "message"}


def test_a_notification_says_what_happened() -> None:
    fact = LeadMessagePosted(lead=summary(), message=message(body="x" * 1000, mentions=(BEN,)))

    [notified] = react(wrapped(fact, id="e1", feedposition=7, actor=ANA), APP_ID).notifications

    assert notified.user_id == BEN
    assert notified.notification.critical
    assert notified.notification.lead is not None
    assert notified.notification.lead.name == "Ada 1"
    assert notified.notification.details == {"message_id": "m1", "excerpt": "x" * EXCERPT}
    assert (notified.notification.actor, notified.notification.position) == (ANA, 7)


def test_the_details_of_each_kind() -> None:
    duplicate = LeadCreated(lead=summary(), duplicates=(Duplicate(id="l2", assigned_to=BEN),))
    status = LeadStatusChanged(
        lead=summary(assigned_to=BEN, status="won"), changes={"status": Change(old="new", new="won")}
    )
    finished = ImportFinished(imported=imported(rows=10, created=7, duplicates=2, failed=1))

    def details(fact: Fact) -> Any:
        [notified] = react(wrapped(fact), APP_ID).notifications
        return notified.notification.details

    assert details(duplicate) == {"duplicate_of": "l2"}
    assert details(status) == {"old": "new", "new": "won"}
    assert details(finished) == {
        "import_id": "i1",
        "name": "leads.csv",
        "rows": 10,
        "created": 7,
        "duplicates": 2,
        "failed": 1,
    }


def test_the_same_notification_has_the_same_id_whenever_it_is_made() -> None:
    def ids(fact: Fact, **attributes: Any) -> list[str]:
        return [told.notification.id for told in react(wrapped(fact, **attributes), APP_ID).notifications]

    moved = LeadAssigned(lead=summary(assigned_to=BEN), changes={"assigned_to": Change(old=EVA, new=BEN)})

    assert ids(moved, id="e1") == ids(moved, id="e1")
    assert len({*ids(moved, id="e1"), *ids(moved, id="e2")}) == 4


def test_of_a_bulk_job_screens_hear_nothing_and_each_recipient_one_thing() -> None:
    def reaction(number: int) -> Reaction:
        fact = LeadAssigned(lead=summary(number, assigned_to=BEN), changes={"assigned_to": Change(old=None, new=BEN)})
        return react(wrapped(fact, id=f"e{number}", jobid="j1", actor=ANA), APP_ID)

    first, second = reaction(1), reaction(2)

    assert first.pushes == second.pushes == ()
    assert (first.job_id, first.changes_stats) == ("j1", True)
    assert first.notifications[0].notification.id == second.notifications[0].notification.id
    assert first.notifications[0].notification.job_id == "j1"


def test_an_import_is_told_even_though_its_leads_are_a_bulk_job() -> None:
    reaction = react(wrapped(ImportFinished(imported=imported()), jobid="j1"), APP_ID)

    assert len(reaction.pushes) == 1
    assert len(reaction.notifications) == 1
    assert reaction.job_id is None


def test_a_recipient_who_is_no_user_is_refused() -> None:
    fact = LeadMessagePosted(lead=summary(), message=message(mentions=("somebody",)))

    with pytest.raises(NoSuchUser):
        react(wrapped(fact), APP_ID)


def test_a_fact_of_a_later_release_is_refused() -> None:
    later = created(ACME, 1).model_copy(update={"type": "crm.lead.cloned.v1"})

    with pytest.raises(UnknownEvent):
        react(later, APP_ID)


def test_a_fact_that_does_not_fit_its_name_is_refused() -> None:
    misfit = created(ACME, 1).model_copy(update={"data": {"lead": {"name": "Ada"}}})

    with pytest.raises(ValidationError):
        react(misfit, APP_ID)


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (LeadCreated(lead=summary()), True),
        (LeadDeleted(lead=summary()), True),
        (LeadRestored(lead=summary()), True),
        (LeadConverted(lead=summary()), True),
        (LeadMerged(lead=summary(), merged=summary(2), changes={}), True),
        (LeadStatusChanged(lead=summary(), changes={"status": Change(old="new", new="won")}), True),
        (LeadAssigned(lead=summary(), changes={"assigned_to": Change(old=None, new=BEN)}), True),
        (LeadUpdated(lead=summary(), changes={"source": Change(old="web", new="fair")}), True),
        (LeadUpdated(lead=summary(), changes=NAME), False),
        (LeadTagged(lead=summary()), False),
        (LeadMessagePosted(lead=summary(), message=message()), False),
        (PipelineChanged(pipeline=Pipeline(stages=(), version=1)), True),
        (ImportFinished(imported=imported()), False),
    ],
)
def test_figures_change_when_something_counted_does(fact: Fact, expected: bool) -> None:
    assert react(wrapped(fact), APP_ID).changes_stats is expected


@given(facts, st.integers(1, 2**63 - 1))
def test_whatever_happens_reaches_its_own_company_its_lead_and_the_users_it_names(fact: Fact, position: int) -> None:
    fact_envelope: Envelope = wrapped(fact, feedposition=position)
    reaction = react(fact_envelope, APP_ID)
    named = json.dumps(fact_envelope.data)

    for push in reaction.pushes:
        assert push.channel in {
            COMPANY,
            f"presence-lead.{fact_envelope.subject}",
            f"#server-to-user-{fact_envelope.subject}",
        }
        if isinstance(push, Push):
            data = json.loads(push.data)
            assert data["position"] == position
            if push.event.startswith("lead."):
                lead = envelope.encode(fact)["lead"]
                assert {name: data[name] for name in lead} == lead
                assert ("changed" in data) == (push.event == "lead.updated")
    for notified in reaction.notifications:
        assert notified.user_id in named
