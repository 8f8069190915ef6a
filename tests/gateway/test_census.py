"""Asking all gateways at once, without any network: what is told arrives, however it is cut into messages."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pusher import attributes, census
from gateway.pusher.attributes import COUNTS, Attribute
from gateway.pusher.census import PART, Poll, Question, Row, parts
from gateway.pusher.channels import Kind
from gateway.pusher.refusals import Invalid

names = st.text(min_size=1, max_size=8)
ids = st.sets(st.text(min_size=1, max_size=5), max_size=5)
nodes = st.lists(
    st.dictionaries(names, st.tuples(st.integers(1, 5), ids), max_size=6).map(
        lambda channels: [Row(name, number, users) for name, (number, users) in channels.items()]
    ),
    max_size=4,
)


@given(nodes, st.randoms())
def test_the_sum_of_all_answers_is_what_the_gateways_have(gateways, random):
    poll = Poll()
    messages = [part for number, rows in enumerate(gateways) for part in parts(f"node-{number}", rows)]
    random.shuffle(messages)
    for message in messages:
        poll.take(message)

    assert poll.answered == {f"node-{number}" for number in range(len(gateways))}
    rows = [row for gateway in gateways for row in gateway]
    assert set(poll.audiences) == {row.name for row in rows}
    for name, audience in poll.audiences.items():
        assert audience.subscriptions == sum(row.subscriptions for row in rows if row.name == name)
        assert set(audience.users) == {user for row in rows if row.name == name for user in row.users}


def test_a_long_answer_comes_in_messages_that_nats_takes():
    crowd = [f"{number}-" + "\x01" * 190 for number in range(5000)]
    rows = [Row(f"channel-{number}", 1) for number in range(40_000)] + [Row("presence-big", 6000, crowd)]
    messages = list(parts("a", rows))
    poll = Poll()

    assert len(messages) > 10
    assert all(len(message) <= PART for message in messages)
    for message in messages[:-1]:
        poll.take(message)
        assert not poll.answered
    poll.take(messages[-1])
    assert poll.answered == {"a"}
    assert len(poll.audiences) == 40_001
    assert poll.audiences["presence-big"].subscriptions == 6000
    assert list(poll.audiences["presence-big"].users) == crowd


def test_an_answer_with_a_lost_part_is_none():
    poll = Poll()
    for message in list(parts("a", [Row(str(number) * 200, 1) for number in range(10_000)]))[1:]:
        poll.take(message)

    assert not poll.answered


def test_who_has_no_channels_answers_too():
    poll = Poll()
    poll.take(*parts("a", []))

    assert poll.answered == {"a"}
    assert census.of(poll.audiences, "news").subscriptions == 0


@given(st.none() | st.lists(names), st.text(), st.booleans())
def test_a_question_arrives_as_it_was_asked(asked, prefix, users):
    question = Question(names=None if asked is None else tuple(asked), prefix=prefix, users=users)

    assert Question.decode(question.encode()) == question


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"7", b'{"names":7,"prefix":"","users":false}'])
def test_what_is_no_question_is_told_apart(body):
    with pytest.raises(ValueError, match=r"."):
        Question.decode(body)


def test_a_part_is_json():
    (part,) = parts("a", [Row("news", 2, ["ü"])])

    assert orjson.loads(part) == {"node": "a", "number": 0, "last": True, "rows": [["news", 2, ["ü"]]]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([("info", "user_count,subscription_count")], COUNTS),
        ([("info[0]", "user_count"), ("info[1]", "subscription_count")], COUNTS),
        ([("info[]", "user_count")], {Attribute.USER_COUNT}),
        ([("info", " user_count , ")], {Attribute.USER_COUNT}),
        ([("info", "")], set()),
        ([("other", "bogus"), ("infos", "bogus")], set()),
    ],
)
def test_124_how_sdks_ask_for_attributes(query, expected):
    assert attributes.parse(attributes.of_query(query), COUNTS) == expected


@pytest.mark.parametrize("info", ["bogus", "user_count,bogus", "cache", "USER_COUNT", 7, ["user_count"], "é\ud800"])
def test_124_other_attributes_are_refused(info):
    with pytest.raises(Invalid) as refused:
        attributes.parse(info, COUNTS)

    assert json.dumps(str(refused.value)).isascii()
    assert str(refused.value).encode()


@given(st.sampled_from(Kind), st.sets(st.sampled_from(Attribute)), st.integers(0, 9), ids)
def test_115_counts_are_told_only_where_they_mean_something(kind, asked, number, users):
    told = attributes.counts(frozenset(asked), kind, census.Audience(number, dict.fromkeys(users)))

    assert ("user_count" in told) == (Attribute.USER_COUNT in asked and kind.presence)
    assert ("subscription_count" in told) == (Attribute.SUBSCRIPTION_COUNT in asked and kind is not Kind.USER)
    assert told.get("user_count", len(users)) == len(users)
    assert told.get("subscription_count", number) == number
