"""What facts add to the figures."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads import domain
from leads.domain import counters

from .specs import ACME, ADA, BOB, LATER, NOW, OTHER_ID, created, lead

FOREVER = timedelta(days=400 * 365)


def test_a_new_lead_is_counted_wherever_it_belongs() -> None:
    (fact,) = created(source="web", assigned_to=ADA, status="qualified")

    assert counters.count(None, fact) == {
        ("total", ""): 1,
        ("status", "qualified"): 1,
        ("source", "web"): 1,
        ("assignee", ADA): 1,
        ("month", "2026-11"): 1,
        ("day", "2026-11-23"): 1,
        ("entered", "qualified"): 1,
    }


def test_a_move_leaves_one_place_for_another_and_is_remembered() -> None:
    before = lead(*created())

    (moved,) = domain.change_status(before, "won", None, ACME, NOW + timedelta(seconds=60))

    stay = counters.bucket(timedelta(seconds=60))
    assert counters.count(before, moved) == {
        ("status", "new"): -1,
        ("status", "won"): 1,
        ("entered", "won"): 1,
        ("transition", "new>won"): 1,
        ("stay", f"new:{stay}"): 1,
    }


def test_who_comes_back_to_a_stage_has_entered_it_once() -> None:
    facts = created()
    for status in ("qualified", "new", "qualified"):
        facts += domain.change_status(lead(*facts), status, None, ACME, LATER)

    counted = counters.recount(facts)

    assert {key: number for (dimension, key), number in counted.items() if dimension == "entered"} == {
        "new": 1,
        "qualified": 1,
    }
    assert (counted["transition", "new>qualified"], counted["transition", "qualified>new"]) == (2, 1)


def test_a_deletion_takes_back_what_the_lead_is_counted_in_but_not_what_happened() -> None:
    facts = created(source="web", assigned_to=BOB)
    facts += domain.change_status(lead(*facts), "won", None, ACME, LATER)
    deleted = domain.delete(lead(*facts), LATER)
    restored = domain.restore(lead(*facts, *deleted), ACME, LATER)

    gone = counters.recount([*facts, *deleted])

    assert {dimension for dimension, _ in gone} == {"transition", "stay"}
    assert counters.recount([*facts, *deleted, *restored]) == counters.recount(facts)


def test_a_merge_leaves_one_lead() -> None:
    ours, theirs = created(source="web"), created(lead_id=OTHER_ID, source="fair")
    merge = domain.merge(lead(*ours), lead(*theirs), {"source": "other"}, ACME, LATER)

    counted = counters.recount([*ours, *theirs, *merge])

    assert counted == counters.recount(created(source="fair"))


def test_a_month_is_one_of_utc() -> None:
    beyond = datetime(2026, 12, 1, 1, 30, tzinfo=UTC).astimezone(tz=None)
    (fact,) = domain.create("x", {"name": "Ada"}, ACME, beyond)

    assert counters.count(None, fact)["month", "2026-12"] == 1


@given(st.timedeltas(min_value=timedelta(seconds=1), max_value=FOREVER))
def test_a_bucket_tells_a_stay_within_five_percent(stay: timedelta) -> None:
    assert counters.seconds(counters.bucket(stay)) == pytest.approx(stay.total_seconds(), rel=0.05)


@pytest.mark.parametrize("stay", [timedelta(), timedelta(milliseconds=999), timedelta(seconds=-5)])
def test_less_than_a_second_is_nothing(stay: timedelta) -> None:
    assert counters.seconds(counters.bucket(stay)) == 0


@given(
    st.lists(st.timedeltas(min_value=timedelta(seconds=1), max_value=FOREVER), min_size=1).filter(lambda x: len(x) % 2)
)
def test_a_median_is_right_within_five_percent(stays: list[timedelta]) -> None:
    found = counters.median_stay(Counter(map(counters.bucket, stays)))

    assert found == pytest.approx(median(stays).total_seconds(), rel=0.05)


def test_the_median_of_nothing_is_none() -> None:
    assert counters.median_stay({}) is None
