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
    LeadAssigned,
    LeadCreated,
    LeadDeleted,
    LeadEvent,
    LeadStatusChanged,
    LeadUpdated,
    UnknownEvent,
)
from notifier.rules import COMPANY_HEARS, react
from support.facts import facts
from support.notifiers import ACME, APP_ID, NOW, created, summary

SUMMARY = {
    "id": "00000000-0000-4000-8000-000000000007",
    "name": "Ada 7",
    "email": "ada7@example.org",
    "phone": None,
    "organisation": None,
    "source": "web",
    "status": "new",
    "assigned_to": None,
    "created_at": "2026-03-01T12:00:00Z",
    "updated_at": "2026-03-01T12:00:00Z",
    "version": 1,
}


def wrapped(fact: LeadEvent, **attributes: Any) -> Envelope:
    attributes = {"id": "e1", "companyid": ACME, "feedposition": 7, "streamversion": 1, **attributes}
    return envelope.wrap(fact, time=NOW, **attributes)


def test_every_fact_has_a_rule() -> None:
    assert COMPANY_HEARS.keys() == NAMES.keys()


def test_a_created_lead_is_told_with_its_summary() -> None:
    [push] = react(created(ACME, 7, id="e1", actor="u1"), APP_ID).pushes

    assert (push.channel, push.event) == (f"private-company.{ACME}", "lead.created")
    assert json.loads(push.data) == {**SUMMARY, "position": 7, "event_id": "e1", "actor": "u1"}


@pytest.mark.parametrize("kind", [LeadUpdated, LeadAssigned, LeadStatusChanged])
def test_every_change_of_a_lead_is_an_update_with_what_changed(kind: Any) -> None:
    fact = kind(lead=summary(7), changes={"phone": Change(old=None, new="+351 1")})

    [push] = react(wrapped(fact), APP_ID).pushes

    assert push.event == "lead.updated"
    assert json.loads(push.data) == {
        **SUMMARY,
        "position": 7,
        "event_id": "e1",
        "actor": None,
        "changed": {"phone": {"old": None, "new": "+351 1"}},
    }


def test_a_deleted_lead_is_told_with_its_last_state() -> None:
    [push] = react(wrapped(LeadDeleted(lead=summary(7))), APP_ID).pushes

    assert push.event == "lead.deleted"
    assert json.loads(push.data) == {**SUMMARY, "position": 7, "event_id": "e1", "actor": None}


def test_the_author_does_not_hear_itself_and_the_request_is_traced() -> None:
    [push] = react(created(ACME, 7, id="e1", socketid="12.34", correlationid="r1"), APP_ID).pushes

    assert push.headers == {
        "Nats-Msg-Id": f"e1:private-company=2E{ACME}",
        "Except-Socket": "12.34",
        "Correlation-Id": "r1",
    }


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
        (LeadStatusChanged(lead=summary(), changes={"status": Change(old="new", new="won")}), True),
        (LeadAssigned(lead=summary(), changes={"assigned_to": Change(old=None, new="u1")}), True),
        (LeadUpdated(lead=summary(), changes={"source": Change(old="web", new="fair")}), True),
        (LeadUpdated(lead=summary(), changes={"name": Change(old="Ada", new="Eda")}), False),
    ],
)
def test_figures_change_when_something_counted_does(fact: LeadEvent, expected: bool) -> None:
    assert react(wrapped(fact), APP_ID).changes_stats is expected


@given(facts, st.integers(1, 2**63 - 1))
def test_a_company_hears_of_its_own_leads_only_and_all_of_the_summary(fact: LeadEvent, position: int) -> None:
    [push] = react(wrapped(fact, feedposition=position), APP_ID).pushes
    data = json.loads(push.data)

    assert push.channel == f"private-company.{ACME}"
    assert data["position"] == position
    assert {name: data[name] for name in SUMMARY} == envelope.encode(fact)["lead"]
    assert ("changed" in data) == (push.event == "lead.updated")
