"""What gateways know together, without NATS: the records, who lives, the roster, and what is to be published."""

import json
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.cluster import records
from gateway.cluster.desired import Desired
from gateway.cluster.nodes import Nodes
from gateway.cluster.records import Record
from gateway.cluster.roster import Joined, Roster

NODES = ("n1", "n2", "n3")
USERS = ("a", "b", "c")


class Stream:
    """A stream that keeps the last record of each subject, and hands each one on."""

    def __init__(self):
        self.sequence = 0
        self.stored = {}

    def store(self, node, user, version, *, info=None, over=False):
        self.sequence += 1
        record = Record(
            app_id="1",
            topic="presence-x",
            node=node,
            member=user,
            version=version,
            sequence=self.sequence,
            over=over,
            user_id="" if over else user,
            info=info,
        )
        self.stored[node, user] = record
        return record


class Gateways(RuleBasedStateMachine):
    """Three nodes write, one of the gateways watches, and is cut off now and then."""

    @initialize()
    def begin(self):
        self.stream = Stream()
        self.versions = count(1)
        self.living = set(NODES)
        self.roster = Roster(self.living)
        self.seen = {}  # what a client would have by now
        self.connected = True
        self.reading = None

    def tell(self, changes):
        for change in changes or ():
            if isinstance(change, Joined):
                assert change.user_id not in self.seen, "joined twice"
                self.seen[change.user_id] = change.info
            else:
                del self.seen[change.user_id]

    def hand_on(self, record):
        if self.connected:
            self.tell(self.roster.apply(record))

    @rule(node=st.sampled_from(NODES), user=st.sampled_from(USERS), info=st.sampled_from(["1", "2"]))
    def enter(self, node, user, info):
        self.hand_on(self.stream.store(node, user, next(self.versions), info=info))

    @rule(node=st.sampled_from(NODES), user=st.sampled_from(USERS))
    def leave(self, node, user):
        self.hand_on(self.stream.store(node, user, next(self.versions), over=True))

    @rule(node=st.sampled_from(NODES))
    def publish_again(self, node):
        for (owner, user), record in list(self.stream.stored.items()):
            if owner == node and not record.over:
                self.hand_on(self.stream.store(node, user, record.version, info=record.info))

    @rule()
    def forget_what_is_over(self):
        self.stream.stored = {key: record for key, record in self.stream.stored.items() if not record.over}

    @rule(node=st.sampled_from(NODES))
    def node_comes_or_goes(self, node):
        self.living ^= {node}
        self.tell(self.roster.node_changed(node))

    @rule()
    def lose_the_connection(self):
        self.connected, self.reading = False, None

    @rule()
    def begin_to_read(self):
        self.connected = True
        self.roster.begin()
        self.reading = sorted(self.stream.stored.values(), key=lambda record: record.sequence)

    @rule(number=st.integers(1, 9))
    def read(self, number):
        if self.reading is not None:
            for record in self.reading[:number]:
                self.tell(self.roster.apply(record))
            self.reading = self.reading[number:]

    @rule()
    def read_to_the_end(self):
        if self.reading is not None:
            self.read(len(self.reading))
            self.tell(self.roster.finish(lambda node, member: False))
            self.reading = None
            self.complete()

    def complete(self):
        truth = {}
        for record in sorted(self.stream.stored.values(), key=lambda record: record.sequence):
            if not record.over and record.node in self.living:
                truth[record.user_id] = record.info
        assert set(self.roster.members) == set(truth)

    @invariant()
    def clients_know_what_the_roster_says(self):
        assert set(self.seen) == set(self.roster.members)
        assert len(self.roster) == len(self.seen)


TestGateways = Gateways.TestCase
TestGateways.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def entered(stream, *users, node="n1", living=NODES):
    roster = Roster(set(living))
    for version, user in enumerate(users, 1):
        roster.apply(stream.store(node, user, version, info=f'"{user}"'))
    return roster


def test_the_latest_information_is_the_one_of_the_highest_sequence():
    stream = Stream()
    roster = entered(stream, "a")
    assert roster.apply(stream.store("n2", "a", 1, info="2")) == []
    assert roster.members == {"a": "2"}

    assert roster.apply(stream.store("n1", "a", 7, info="3")) == []

    assert roster.members == {"a": "3"}


def test_a_rank_is_the_number_of_those_who_were_there_before():
    roster = entered(Stream(), "c", "a", "b")

    assert [roster.rank(user) for user in ("c", "a", "b")] == [0, 1, 2]


def test_a_snapshot_that_is_older_than_what_came_live_changes_nothing():
    stream = Stream()
    roster = Roster(set(NODES))
    roster.begin()
    old = stream.store("n1", "a", 1)
    roster.apply(stream.store("n1", "a", 2, over=True))

    assert roster.apply(old) is None
    assert roster.finish(lambda node, member: False) == []
    assert roster.members == {}


def test_our_own_records_stand_although_the_stream_lost_them():
    stream = Stream()
    roster = entered(stream, "a", "b")
    roster.begin()

    changes = roster.finish(lambda node, member: member == "a")

    assert [change.user_id for change in changes] == ["b"]
    assert set(roster.members) == {"a"}


def test_counts_of_living_nodes_are_added_up():
    living = set(NODES)
    roster = Roster(living)
    for number, node in enumerate(NODES, 1):
        record = {"app_id": "1", "topic": "x", "node": node, "member": "", "version": 1, "sequence": number}
        assert roster.apply(Record(**record, over=False, count=number)) == []
    assert roster.count == 6

    living.remove("n3")
    roster.node_changed("n3")

    assert roster.count == 3
    assert roster.members == {}


# Who lives.


def look(nodes, *times, connected=True):
    return [nodes.look(time, connected=connected) for time in times]


def every(seconds, start, end):
    return [start + number * seconds for number in range(int((end - start) / seconds) + 1)]


def test_who_is_not_heard_for_a_lease_is_gone():
    nodes = Nodes("own", 10.0)
    assert nodes.hear("other", {"1": 3})
    assert not nodes.hear("other", {"1": 5})
    assert nodes.connections("1") == 5

    assert look(nodes, *every(0.5, 0, 9.5)) == [[]] * 20
    assert look(nodes, 10.0) == [["other"]]

    assert nodes.living == {"own"}
    assert nodes.connections("1") == 0
    assert nodes.hear("other", {})


def test_our_own_sleep_is_nobody_elses_death():
    nodes = Nodes("own", 10.0)
    nodes.hear("other", {})

    assert look(nodes, 0.0, 500.0, 1000.0) == [[], [], []]


def test_the_clock_stands_still_while_nobody_can_reach_us_and_all_have_a_lease_then():
    nodes = Nodes("own", 10.0)
    nodes.hear("other", {})
    look(nodes, *every(0.5, 0, 9))
    assert look(nodes, *every(0.5, 9.5, 60), connected=False) == [[]] * 102

    assert look(nodes, *every(0.5, 60.5, 70)) == [[]] * 20
    assert look(nodes, 70.5, 71.0) == [["other"], []]


def test_after_a_reconnect_that_no_look_noticed_all_have_a_lease():
    nodes = Nodes("own", 10.0)
    nodes.hear("other", {})
    look(nodes, *every(0.5, 0, 9))
    nodes.excuse()

    assert look(nodes, *every(0.5, 9.5, 18.5)) == [[]] * 19
    assert look(nodes, 19.0) == [["other"]]


def test_our_own_node_always_lives():
    nodes = Nodes("own", 10.0)

    assert not nodes.retire("own")
    assert not nodes.hear("own", {"1": 9})
    assert nodes.connections("1") == 0
    look(nodes, *every(0.5, 0, 30))
    assert nodes.living == {"own"}


def test_who_gives_the_lease_back_is_gone_at_once():
    nodes = Nodes("own", 10.0)
    nodes.hear("other", {})

    assert nodes.retire("other")
    assert not nodes.retire("other")
    assert nodes.living == {"own"}


# What is to be published.


class Publishing(RuleBasedStateMachine):
    """Wishes change while publishing fails and the stream loses what it had."""

    @initialize()
    def begin(self):
        self.desired, self.stream, self.wanted = Desired(), {}, {}

    @rule(subject=st.sampled_from("xyz"), body=st.sampled_from([b"1", b"2"]))
    def put(self, subject, body):
        self.wanted[subject] = body
        self.desired.put(subject, body)

    @rule(subject=st.sampled_from("xyz"))
    def remove(self, subject):
        self.wanted.pop(subject, None)
        self.desired.remove(subject)

    @rule(most=st.integers(1, 3))
    def publish(self, most):
        for wish in self.desired.take(most):
            self.stream[wish.subject] = wish

    @rule(most=st.integers(1, 3))
    def fail(self, most):
        self.desired.failed(self.desired.take(most))

    @rule()
    def publish_everything(self):
        self.desired.everything()

    @rule(subject=st.sampled_from("xyz"))
    def lose(self, subject):
        self.stream.pop(subject, None)

    @rule()
    def compare(self):
        over = {subject for subject, wish in self.stream.items() if not wish.body}
        self.desired.compare({subject: wish.version for subject, wish in self.stream.items()}, over)

    def teardown(self):
        self.compare()
        while self.desired.dirty:
            self.publish(2)
        assert {subject: wish.body for subject, wish in self.stream.items() if wish.body} == self.wanted


TestPublishing = Publishing.TestCase
TestPublishing.settings = settings(max_examples=200, deadline=None)


def test_the_last_wish_of_a_subject_counts_and_a_failed_one_does_not_overwrite_it():
    desired = Desired()
    desired.put("x", b"1")
    failed = desired.take(5)
    desired.put("x", b"2")

    desired.failed(failed)

    assert [wish.body for wish in desired.take(5)] == [b"2"]


# What stands on the wire.


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200), st.none() | st.text())
def test_a_member_record_says_what_was_written(topic, user_id, info):
    subject = records.member("4242", topic, "n1", user_id)
    headers = {records.VERSION_HEADER: "7", records.SEQUENCE_HEADER: "9"}

    for where in (subject, records.live(subject)):
        record = records.parse(where, headers, records.member_body(user_id, info))
        assert (record.app_id, record.topic, record.node, record.user_id) == ("4242", topic, "n1", user_id)
        assert (record.info, record.version, record.sequence, record.over) == (info, 7, 9, False)
        assert records.parse(where, headers, records.OVER).member == record.member == records.member_token(user_id)


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_no_subject_is_too_long_for_nats_and_users_are_apart(first, second):
    one = records.member("4" * 20, "#server-to-user-" + first, "n" * 16, first)

    assert len(one) < 3500
    assert " " not in one
    assert (records.member_token(first) == records.member_token(second)) == (first == second)


def test_a_count_is_told_apart_from_members():
    headers = {records.VERSION_HEADER: "7", records.SEQUENCE_HEADER: "9"}

    record = records.parse(records.count("1", "news", "n1"), headers, records.count_body(12))

    assert (record.member, record.count) == ("", 12)


@pytest.mark.parametrize(
    ("subject", "headers", "body"),
    [
        ("roster.topic.1", {}, b"{}"),
        ("roster.topic.1.x.n1.u.v", {"Record-Version": "1", "Nats-Sequence": "1"}, b"{}"),
        ("roster.topic.1.x.n1.u", {}, b"{}"),
        ("roster.topic.1.x.n1.u", {"Record-Version": "x", "Nats-Sequence": "1"}, b"{}"),
        ("roster.topic.1.=x.n1.u", {"Record-Version": "1", "Nats-Sequence": "1"}, b"{}"),
        ("roster.topic.1.x.n1.u", {"Record-Version": "1", "Nats-Sequence": "1"}, b"{"),
        ("roster.topic.1.x.n1.u", {"Record-Version": "1", "Nats-Sequence": "1"}, b"[]"),
        ("roster.topic.1.x.n1", {"Record-Version": "1", "Nats-Sequence": "1"}, b'{"count":[]}'),
    ],
)
def test_what_is_no_record_of_ours_is_passed_over(subject, headers, body):
    assert records.parse(subject, headers, body) is None


def test_a_lease_says_how_many_connections():
    assert records.connections(records.lease_body({"4242": 17})) == {"4242": 17}
    assert json.loads(records.lease_body({})) == {"connections": {}}
