"""Facts on the wire: CloudEvents 1.0 in structured JSON."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import envelope
from contracts.envelope import Envelope
from contracts.events import NAMES, TYPES, Fact, LeadCreated, UnknownEvent, event_of
from support.facts import facts, ids, summaries, times

ATTRIBUTES = st.fixed_dictionaries(
    {
        "id": ids,
        "companyid": ids,
        "feedposition": st.integers(1, 2**63 - 1),
        "streamversion": st.integers(1, 2**63 - 1),
    },
    optional={
        "actor": ids,
        "causationid": ids,
        "correlationid": st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True),
        "socketid": st.from_regex(r"[0-9]{1,9}\.[0-9]{1,9}", fullmatch=True),
        "jobid": ids,
        "traceparent": st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", fullmatch=True),
    },
)
Attributes = dict[str, object]
MINIMAL = {"id": "e1", "companyid": "c1", "feedposition": 1, "streamversion": 1}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@given(facts, times, ATTRIBUTES)
def test_every_fact_returns_from_the_wire_as_it_was(fact: Fact, time: datetime, attributes: dict[str, object]) -> None:
    sent = envelope.wrap(fact, time=time, **attributes)

    received = envelope.parse(sent.to_json())

    assert received == sent
    assert received.fact() == fact


@given(facts, times, ATTRIBUTES)
def test_a_sealed_envelope_says_the_same(fact: Fact, time: datetime, attributes: Attributes) -> None:
    sent = json.loads(envelope.wrap(fact, time=time, **attributes).to_json())
    data = json.dumps(sent.pop("data"))

    assert json.loads(envelope.seal(sent, data)) == {**sent, "data": json.loads(data)}


@given(facts, times, ATTRIBUTES)
def test_every_envelope_is_a_cloud_event(fact: Fact, time: datetime, attributes: Attributes) -> None:
    event = json.loads(envelope.wrap(fact, time=time, **attributes).to_json())

    # CloudEvents 1.0, §3.1: names; §2.1.1 and JSON format §2.2: required attributes, nothing null.
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in event)
    assert {"specversion", "id", "source", "type"} <= event.keys()
    assert event["specversion"] == "1.0"
    assert None not in event.values()
    assert all(isinstance(value, str | int) for name, value in event.items() if name != "data")
    assert datetime.fromisoformat(event["time"]) == time


@given(summaries)
def test_what_a_newer_producer_added_is_ignored(lead: object) -> None:
    event = json.loads(envelope.wrap(LeadCreated(lead=lead), time=NOW, **MINIMAL).to_json())
    event["newattribute"] = "x"
    event["data"]["new"] = {"a": 1}
    event["data"]["lead"]["new"] = [1]

    assert envelope.parse(json.dumps(event).encode()).fact() == LeadCreated(lead=lead)


@given(summaries)
def test_an_unknown_name_is_told_from_a_misfit(lead: object) -> None:
    sent = envelope.wrap(LeadCreated(lead=lead), time=NOW, **MINIMAL)

    with pytest.raises(UnknownEvent):
        sent.model_copy(update={"type": "crm.lead.created.v9"}).fact()
    with pytest.raises(ValidationError):
        sent.model_copy(update={"type": "crm.lead.updated.v1"}).fact()


@pytest.mark.parametrize(
    "attributes",
    [
        {"feedposition": 0},
        {"feedposition": 2**63},
        {"streamversion": 0},
        {"id": ""},
        {"id": "a b"},
        {"id": "a\nb"},
        {"socketid": "1.1\r\nNats-Rollup: all"},
        {"correlationid": "é"},
        {"correlationid": "x" * 129},
    ],
)
def test_what_could_break_a_header_or_a_feed_is_no_envelope(attributes: Attributes) -> None:
    lead = {"name": "crm.lead.created.v1"}

    with pytest.raises(ValidationError):
        Envelope(
            type="crm.lead.created.v1", subject="l1", time=NOW, dataschema="/x", data=lead, **{**MINIMAL, **attributes}
        )


def test_names_and_classes_are_one_to_one() -> None:
    assert len(set(NAMES.values())) == len(NAMES) == len(TYPES)
    assert all(re.fullmatch(r"crm\.(lead|user|pipeline|import|job)\.[a-z_]+\.v[0-9]+", name) for name in TYPES)
    assert event_of("crm.lead.status_changed.v1") == "status_changed"
