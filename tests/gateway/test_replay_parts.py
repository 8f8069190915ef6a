"""The pure parts of resume: what is asked for, windows, epochs, and the seam between replay and live."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.epoch import Change, Epoch
from gateway.followers import Followers
from gateway.outlet import CLOGGED
from gateway.pusher.resume import Resume, parse
from gateway.tail import Tail, Verdict
from gateway.window import Bounds, Event, Window

LARGE = Bounds(events=1000, bytes=1 << 20, chunk=1 << 16)


# What is asked for.


@pytest.mark.parametrize(
    ("channel_data", "asked"),
    [
        (None, None),
        ("", None),
        ("leadwire is not JSON", None),
        ('"leadwire"', None),
        ('{"user_id":"leadwire"}', None),
        ('{"leadwire":{}}', Resume()),
        ('{"user_id":"7","leadwire":{"epoch":"a-0","offset":3}}', Resume("a-0", 3)),
        ('{"leadwire":{"epoch":null,"offset":null}}', Resume()),
        ('{"leadwire":{"except":["1.2","3.4"],"future":1}}', Resume(excluded=frozenset({"1.2", "3.4"}))),
    ],
)
def test_a_subscription_opts_in_by_the_member_alone(channel_data, asked):
    assert parse(channel_data) == asked


@pytest.mark.parametrize(
    "member",
    [
        None, [], "x", 1, {"offset": True}, {"offset": 1.5}, {"offset": -1}, {"offset": 1 << 63}, {"offset": "1"},
        {"epoch": 1}, {"epoch": "e" * 65}, {"except": "1.2"}, {"except": ["1"]}, {"except": [1.2]}, {"except": None},
        {"except": ["1.2"] * 11}, {"except": ["1." + "2" * 21]}, {"except": ["\u0661.\u0662"]},
    ],
)  # fmt: skip
def test_a_malformed_member_is_refused(member):
    with pytest.raises(ValueError, match="leadwire"):
        parse(json.dumps({"leadwire": member}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["epoch", "offset", "except"]), inner),
)


@given(json_values)
def test_whatever_is_signed_nothing_but_a_bounded_wish_comes_out(value):
    try:
        asked = parse(json.dumps({"leadwire": value}))
    except ValueError:
        return
    if asked is None:  # a number that no parser takes: not JSON at all
        return
    assert asked.offset is None or 0 <= asked.offset < 1 << 63
    assert asked.epoch is None or len(asked.epoch) <= 64
    assert len(asked.excluded) <= 10


# Windows.


@given(st.integers(0, 20), st.lists(st.integers(1, 4), max_size=30), st.data())
def test_a_window_gives_exactly_what_follows_and_never_more_than_its_bounds(start, steps, data):
    window = Window(start, Bounds(events=10, bytes=200, chunk=50))
    stored, number = [], start
    for step in steps:
        number += step
        stored.append(Event(number, b"<%d>" % number, data.draw(st.sampled_from([None, "1.1"]))))
        assert window.append(stored[-1])
    kept = [event for event in stored if event.sequence > window.start]
    assert len(kept) <= 10
    assert window.size == sum(len(event.frame) for event in kept) <= 200
    assert window.start == start or window.start in {event.sequence for event in stored}

    offset = data.draw(st.integers(window.start, number))
    expected = [event for event in kept if event.sequence > offset and event.except_socket != "1.1"]
    heard, count = b"", 0
    while True:
        portion = window.after(offset, frozenset({"1.1"}))
        heard, count, offset = heard + portion.data, count + portion.events, portion.offset
        if portion.is_last:
            break
    assert heard == b"".join(event.frame for event in expected)
    assert count == len(expected)


def test_a_window_reaches_back_unless_that_is_too_much():
    window = Window(10, Bounds(events=3, bytes=1000))
    window.append(Event(11, b"c", None))

    assert not window.prepend(0, [Event(number, b"x", None) for number in (1, 2, 3)])
    assert window.prepend(4, [Event(5, b"a", None), Event(9, b"b", None)])
    assert window.start == 4
    assert window.after(4, frozenset()).data == b"abc"
    assert window.after(5, frozenset()).data == b"bc"


def test_a_number_that_was_there_already_is_of_another_stream():
    window = Window(10, LARGE)
    assert not window.append(Event(10, b"", None))
    assert window.append(Event(11, b"", None))
    assert not window.append(Event(3, b"", None))


# Epochs.


def info(last, created=0):
    born = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=created)
    return SimpleNamespace(created=born, state=SimpleNamespace(last_seq=last))


def seen(last=10):
    epoch = Epoch()
    assert epoch.observe(info(last), epoch.floor(0)) is None
    return epoch


def test_an_epoch_lasts_while_the_stream_grows():
    epoch = seen()
    value = epoch.value

    assert epoch.observe(info(10), epoch.floor(10)) is None
    assert epoch.observe(info(12), epoch.floor(11)) is None
    assert epoch.value == value != ""


def test_a_stream_that_falls_back_or_is_made_anew_has_another_epoch():
    epoch = seen()
    values = {epoch.value}

    assert epoch.observe(info(9), epoch.floor(0)) is Change.FELL
    values.add(epoch.value)
    assert epoch.observe(info(9), epoch.floor(0)) is None
    assert epoch.observe(info(20), epoch.floor(21)) is Change.FELL  # it was heard, and is gone
    values.add(epoch.value)
    assert epoch.observe(info(50, created=1), epoch.floor(0)) is Change.ANOTHER
    values.add(epoch.value)
    assert epoch.observe(info(51, created=1), epoch.floor(50)) is None
    assert len(values) == 4


def test_an_answer_that_was_overtaken_proves_nothing():
    epoch = seen(10)
    floor = epoch.floor(0)
    epoch.observe(info(15), floor)

    assert epoch.observe(info(12), floor) is None


def test_an_epoch_of_others_counts_from_the_next_look_on_and_explains_the_fall():
    epoch = seen(10)
    value = epoch.value

    assert epoch.hear(3)
    assert epoch.value == value
    assert epoch.observe(info(5), epoch.floor(10)) is Change.FELL
    assert epoch.value.endswith("-3")
    assert not epoch.hear(3)
    assert not epoch.hear(2)
    assert epoch.observe(info(5), epoch.floor(0)) is None


def test_a_gateway_that_starts_takes_the_epoch_of_the_others():
    epoch = Epoch()
    epoch.hear(3)

    assert epoch.observe(info(5), epoch.floor(0)) is None
    assert epoch.value.endswith("-3")


# The seam.


descriptors = count(2)


class Screen:
    """What one socket got."""

    def __init__(self):
        self.got = b""
        self.backlog = 0
        self.deflates = False
        self.descriptor = -next(descriptors)
        CLOGGED.add(self.descriptor)  # so that a fan-out writes through us

    def write(self, data):
        self.got += data

    def names(self):
        """Return the numbers of the events, in the order in which they came, without positions."""
        frames, at = [], 0
        while at < len(self.got):
            size, begin = self.got[at + 1], at + 2
            if size == 126:
                size, begin = int.from_bytes(self.got[at + 2 : at + 4], "big"), at + 4
            frames.append(self.got[begin : begin + size])
            at = begin + size
        return [int(frame[1:]) for frame in frames if frame.startswith(b"#")]

    def positions(self):
        return [json.loads(json.loads(part)["data"]) for part in self._texts() if b"leadwire:position" in part]

    def _texts(self):
        return [b'{"event"' + part.split(b'}"}')[0] + b'}"}' for part in self.got.split(b'{"event"')[1:]]


@dataclass
class Channel:
    """A room, its tail and the stream behind them, without NATS: messages get lost on the way, or wait to be filled."""

    channel: str = "private-x"
    stored: list = field(default_factory=list)
    tail: Tail = field(default_factory=lambda: Tail(0))
    pending: list = field(default_factory=list)
    asked: int = 0

    def __post_init__(self):
        self.followers = Followers(
            self, heard=self.tail, epoch=SimpleNamespace(value="e"), bounds=LARGE, replay=self._ask
        )

    def _ask(self):
        self.asked += 1

    def touch(self):
        pass

    def welcome(self, given):
        return given

    def greeting(self):
        return b""

    def flush(self):
        frames, self.pending = b"".join(self.pending), []
        if frames:
            self.followers.write(frames)

    def store(self, *, arrives, except_socket=None):
        number = len(self.stored) + 1
        self.stored.append((number, except_socket))
        if arrives:
            self.take(number)

    def take(self, number):
        verdict = self.tail.judge(number, number - 1)
        if verdict is Verdict.GIVE:
            self.give(number)
        elif verdict is Verdict.HOLD:
            self.tail.held.append(number)
            self.tail.filling = True

    def give(self, number):
        frame, except_socket = framed(number), self.stored[number - 1][1]
        self.followers.take_note(frame, except_socket, stored=True)
        if except_socket is None:
            self.pending.append(frame)
        else:
            self.flush()
            self.followers.write(frame, except_socket)

    def fill_one(self):
        """Give the next that is missing; at the end of the stream, what was held."""
        if not self.tail.filling:
            return
        if self.tail.sequence < len(self.stored):
            self.tail.fill(self.tail.sequence + 1)
            self.give(self.tail.sequence)
        else:
            for held in self.tail.release():
                self.take(held)

    def fetch(self):
        """Begin to look into the stream; return what ends it, or None when nobody needs it."""
        offset = self.followers.missing()
        if offset is None:
            return None
        if offset > self.followers.heard:
            self.tail.filling = True
            return None
        window = self.followers.open_window()
        start = window.start
        events = [Event(n, framed(n), x) for n, x in self.stored if offset < n <= start]

        def end():
            if self.followers.window is window and window.start == start:
                window.prepend(offset, events)
            self.followers.serve()

        return end


def framed(number):
    text = b"#%d" % number
    return bytes([0x81, len(text)]) + text


class Seam(RuleBasedStateMachine):
    """Three sockets come and go while events are stored, lost on their way, filled and fetched, in any order."""

    def __init__(self):
        super().__init__()
        self.channel = Channel()
        self.fetching = None
        self.here: dict[int, tuple[Screen, int]] = {}

    who = st.integers(0, 2)

    @rule(arrives=st.booleans(), except_socket=st.sampled_from([None, None, "0.0", "1.1", "2.2"]))
    def store(self, arrives, except_socket):
        self.channel.store(arrives=arrives, except_socket=except_socket)

    @rule()
    def end_turn(self):
        self.channel.flush()

    @rule()
    def fill(self):
        self.channel.fill_one()

    @rule(who=who, offset=st.integers(0, 10))
    def come(self, who, offset):
        if who not in self.here:
            offset = min(offset, len(self.channel.stored))
            screen, _ = self.here[who] = (Screen(), offset)
            self.channel.flush()
            self.channel.followers.join(f"{who}.{who}", screen, b"", Resume("e", offset))

    @rule(who=who)
    def go(self, who):
        if who in self.here:
            self.channel.flush()
            self.channel.followers.leave(f"{who}.{who}")
            del self.here[who]

    @rule()
    def begin_fetch(self):
        if self.fetching is None:
            self.fetching = self.channel.fetch()

    @rule()
    def end_fetch(self):
        if self.fetching is not None:
            fetching, self.fetching = self.fetching, None
            fetching()

    @rule(who=who, backlog=st.sampled_from([0, 1 << 20]))
    def clog(self, who, backlog):
        if who in self.here:
            self.here[who][0].backlog = backlog

    @rule()
    def serve(self):
        self.channel.followers.serve()

    @invariant()
    def what_came_is_the_beginning_of_what_is_owed(self):
        for who in self.here:
            came, owed = self.account(who)
            assert came == owed[: len(came)]

    def teardown(self):
        """Let everything come to an end: then nothing is missing."""
        for screen, _ in self.here.values():
            screen.backlog = 0
        self.end_fetch()
        self.channel.tail.filling = True  # the regular look
        while self.channel.tail.filling:
            self.fill()
        while self.channel.followers.waiting:
            self.begin_fetch()
            self.end_fetch()
            self.serve()
        self.channel.flush()
        for who in self.here:
            came, owed = self.account(who)
            assert came == owed

    def account(self, who):
        """Return the events that came, and those that had to come."""
        screen, offset = self.here[who]
        owed = [number for number, excluded in self.channel.stored if number > offset and excluded != f"{who}.{who}"]
        return screen.names(), owed


test_at_the_seam_nothing_is_lost_doubled_or_out_of_order_whatever_comes_between = Seam.TestCase
Seam.TestCase.settings = settings(max_examples=200, stateful_step_count=40)


def test_who_needs_more_than_there_is_goes_on_without_it():
    channel = Channel()
    for _ in range(3):
        channel.store(arrives=True)
    channel.flush()
    screens = [Screen() for _ in range(3)]
    for number, screen in enumerate(screens):
        channel.followers.join(f"{number}.0", screen, b"", Resume("e", number))

    channel.followers.give_up(1)

    assert [screen.positions() for screen in screens[:2]] == [
        [{"channel": "private-x", "epoch": "e", "offset": 3, "resumed": False, "replayed": 0}]
    ] * 2
    assert screens[2].got == b""
    late = Screen()
    channel.followers.join("late", late, b"", Resume("e", 1))
    assert not late.positions()[0]["resumed"]


def test_a_restart_ends_all_waiting_and_tells_the_new_epoch():
    channel = Channel()
    epoch = SimpleNamespace(value="e")
    channel.followers._epoch = epoch
    channel.store(arrives=True)
    channel.flush()
    member, waiting = Screen(), Screen()
    channel.followers.join("1.1", member, b"", Resume())
    channel.followers.join("2.2", waiting, b"", Resume("e", 0))

    epoch.value = "f"
    channel.followers.restart()

    assert [(told["epoch"], told["resumed"]) for told in member.positions()] == [("e", False), ("f", False)]
    assert [(told["epoch"], told["resumed"]) for told in waiting.positions()] == [("f", False)]
    assert not channel.followers.waiting


def test_what_is_stored_nowhere_reaches_who_is_in_the_middle_of_a_replay():
    channel, screen = Channel(), Screen()
    for _ in range(3):
        channel.store(arrives=True)
    channel.flush()
    channel.followers.open_window().prepend(0, [Event(n, framed(n) * 20_000, None) for n in (1, 2, 3)])
    channel.followers.join("1.1", screen, b"", Resume("e", 0))
    screen.backlog = 1 << 20
    assert channel.followers.waiting

    channel.followers.take_note(framed(77), None, stored=False)
    channel.followers.take_note(framed(88), "1.1", stored=False)

    assert screen.names().count(77) == 1
    assert 88 not in screen.names()


def test_who_has_no_welcome_yet_hears_nothing():
    channel, screen = Channel(), Screen()
    channel.store(arrives=True)
    channel.flush()
    channel.followers.join("1.1", screen, b"", Resume("e", 0))

    channel.followers.take_note(framed(77), None, stored=False)

    assert screen.got == b""
