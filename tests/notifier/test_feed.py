"""Reading a company's feed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope
from notifier import feed
from notifier.feed import Entry, Unreadable, dense, read
from notifier.reaction import SILENCE
from support.notifiers import ACME, APP_ID, created


def entry(position: int) -> Entry:
    return Entry(body=b"", company_id=ACME, position=position, event="crm.lead.created.v1")


def changed(fact: Envelope, **attributes: Any) -> bytes:
    """Return a fact's JSON with other attributes: with None, without one."""
    attributes = json.loads(fact.to_json()) | attributes
    return json.dumps({name: value for name, value in attributes.items() if value is not None}).encode()


def test_a_fact_says_its_place_and_what_follows() -> None:
    fact = created(ACME, 3)

    entry = read(fact.to_json(), APP_ID)

    assert entry == Entry(
        body=fact.to_json(),
        company_id=ACME,
        position=3,
        event="crm.lead.created.v1",
        event_id=fact.id,
        epoch=fact.feedepoch,
        digest=entry.digest,
        correlation_id="request-3",
        recorded_at=fact.time,
        reaction=feed.react(fact, APP_ID),
    )


def test_a_fact_of_a_later_release_is_passed_over() -> None:
    later = read(changed(created(ACME, 3), type="crm.lead.cloned.v1"), APP_ID)

    assert isinstance(later, Entry)
    assert (later.position, later.is_known, later.failure, later.reaction) == (3, False, None, SILENCE)


@pytest.mark.parametrize(
    ("attributes", "failure"),
    [
        ({"data": {"lead": {"id": "x", "email": "ada@example.org"}}}, "lead.name: "),
        ({"data": None}, "data: Field required"),
        ({"time": "yesterday, ada@example.org"}, "time: "),
        ({"correlationid": "a\r\nExcept-Socket: 1.1"}, "correlationid: "),
        ({"socketid": "1.1\n"}, "socketid: "),
    ],
)
def test_a_broken_fact_keeps_its_place_and_says_why_without_its_values(
    attributes: dict[str, Any], failure: str
) -> None:
    broken = read(changed(created(ACME, 3), **attributes), APP_ID)

    assert isinstance(broken, Entry)
    assert (broken.company_id, broken.position, broken.reaction) == (ACME, 3, SILENCE)
    assert broken.failure is not None
    assert failure in broken.failure
    assert "ada" not in broken.failure


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        changed(created(ACME, 3), companyid="*"),
        changed(created(ACME, 3), companyid=ACME.upper()),
        changed(created(ACME, 3), companyid=None),
        changed(created(ACME, 3), feedposition=0),
        changed(created(ACME, 3), feedposition="x"),
        changed(created(ACME, 3), feedposition=True, time="x"),
    ],
)
def test_what_has_no_place_in_a_feed_is_unreadable(body: bytes) -> None:
    assert isinstance(read(body, APP_ID), Unreadable)


def test_a_push_that_nats_would_not_take_is_a_failure() -> None:
    # Quotation marks are escaped twice on their way into the frame.
    data = json.loads(created(ACME, 3).to_json())["data"]
    data["lead"]["name"] = '"' * 400_000

    huge = read(changed(created(ACME, 3), data=data), APP_ID)

    assert isinstance(huge, Entry)
    assert huge.failure == "a push larger than NATS takes"
    assert huge.reaction == SILENCE


def test_a_failing_rule_fails_one_fact_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "react", lambda _envelope, _app_id: 1 / 0)

    failed = read(created(ACME, 3).to_json(), APP_ID)

    assert isinstance(failed, Entry)
    assert failed.failure == "ZeroDivisionError in the rules"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_message_is_too_strange_to_be_read(body: bytes) -> None:
    content = read(body, APP_ID)

    assert content.failure
    assert content.body == body


@given(st.sampled_from(sorted(json.loads(created(ACME, 3).to_json()))), json_values)
def test_an_envelope_with_any_attribute_replaced_is_read(attribute: str, value: object) -> None:
    fact = json.loads(created(ACME, 3).to_json()) | {attribute: value}

    content = read(json.dumps(fact).encode(), APP_ID)

    assert isinstance(content, Entry | Unreadable)


@given(st.lists(st.integers(1, 12)), st.integers(0, 12))
def test_a_run_is_dense_and_as_long_as_can_be(positions: list[int], after: int) -> None:
    run = [found.position for found in dense(map(entry, positions), after=after)]

    assert run == list(range(after + 1, after + 1 + len(run)))
    assert after + len(run) + 1 not in positions
