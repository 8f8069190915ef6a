"""Rooms and the ways out: order, joining of frames, exclusion, and sockets that take only a part."""

import socket
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from gateway.hub import Hub, Room
from gateway.outlet import Outlet


class FakeTransport:
    """A transport over one end of a socket pair, which never sends what it buffers until told."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.buffered = b""
        self.writes = 0

    def get_extra_info(self, name):
        return self.ours if name == "socket" else None

    def get_write_buffer_size(self):
        return len(self.buffered)

    def write(self, data):
        self.writes += 1
        self.buffered += data

    def drain(self):
        with suppress(BlockingIOError):
            self.buffered = self.buffered[self.ours.send(self.buffered) :]

    def read(self):
        try:
            return self.theirs.recv(1 << 22)
        except BlockingIOError:
            return b""

    def close(self):
        self.ours.close()
        self.theirs.close()


class Turn:
    """The event loop's next turn."""

    def __init__(self):
        self.callbacks = []

    def call_soon(self, callback):
        self.callbacks.append(callback)

    def end(self):
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


class Ready:
    """An interest that opens rooms at once and notes what it is asked."""

    def __init__(self):
        self.asked = []

    def acquire(self, room):
        self.asked.append(("acquire", room.channel))
        room.open()

    def release(self, room):
        self.asked.append(("release", room.channel))

    def follow(self, room):
        raise NotImplementedError

    def guard(self, room):
        self.asked.append(("guard", room.channel))


operations = st.one_of(
    st.tuples(st.just("join"), st.integers(0, 2)),
    st.tuples(st.just("leave"), st.integers(0, 2)),
    st.tuples(st.just("publish"), st.none() | st.integers(0, 2)),
    st.tuples(st.just("turn"), st.none()),
)


@given(st.lists(operations, max_size=40))
def test_everyone_hears_exactly_what_was_published_while_there_and_in_order(steps):
    turn = Turn()
    room = Room("1", "news", turn.call_soon)
    room.open()
    transports = [FakeTransport() for _ in range(3)]
    outlets = [Outlet(transport) for transport in transports]
    expected, present = [b"", b"", b""], set()
    for number, (verb, who) in enumerate(steps):
        text = b"<%d>" % number
        if verb == "join" and who not in present:
            present.add(who)
            room.join(str(who), outlets[who], b"welcome")
            expected[who] += b"welcome"
        elif verb == "leave":
            present.discard(who)
            room.leave(str(who))
        elif verb == "publish":
            heard = present - {who}
            assert room.publish(text, None if who is None else str(who)) == len(heard)
            for one in heard:
                expected[one] += text
        elif verb == "turn":
            turn.end()
    turn.end()

    assert [transport.read() for transport in transports] == expected
    for transport in transports:
        transport.close()


def test_frames_of_one_turn_leave_in_one_write():
    turn, transport = Turn(), FakeTransport()
    room = Room("1", "news", turn.call_soon)
    room.open()
    outlet = Outlet(transport)
    transport.buffered = b"earlier "  # so that writes go through the transport and can be counted
    room.join("1.1", outlet, b"welcome ")
    transport.writes = 0

    for text in (b"a", b"b", b"c"):
        room.publish(text)
    turn.end()

    assert transport.writes == 1
    assert transport.buffered == b"earlier welcome abc"
    transport.close()


def test_nobody_is_admitted_before_the_room_is_open():
    turn, first, second = Turn(), FakeTransport(), FakeTransport()
    room = Room("1", "news", turn.call_soon)
    room.join("1.1", Outlet(first), b"welcome")
    room.join("2.2", Outlet(second), b"welcome")
    room.leave("2.2")
    room.publish(b"too early")
    turn.end()
    assert first.read() == b""

    room.open()

    assert (first.read(), second.read()) == (b"welcome", b"")
    first.close()
    second.close()


def test_interest_follows_the_first_and_the_last_listener_and_apps_are_apart():
    interest, transport = Ready(), FakeTransport()
    hub = Hub(interest, lambda callback: None, lambda app_id, channel: None, lambda room: None, lambda room: None)
    outlet = Outlet(transport)

    hub.join("1", "news", "1.1", outlet, b"")
    hub.join("1", "news", "2.2", outlet, b"")
    hub.join("2", "news", "3.3", outlet, b"")
    hub.leave("1", "news", "1.1")
    hub.leave("1", "news", "2.2")

    assert interest.asked == [("acquire", "news"), ("acquire", "news"), ("release", "news")]
    transport.close()


def test_what_a_full_socket_does_not_take_goes_through_the_transport_in_order():
    transport = FakeTransport()
    outlet = Outlet(transport)
    sent = b"".join(b"%07d " % number for number in range(100_000))

    received = b""
    for start in range(0, len(sent), 8_000):
        outlet.write(sent[start : start + 8_000])
        if start % 400_000 == 0:
            received += transport.read()
            transport.drain()
    assert transport.buffered
    while transport.buffered:
        received += transport.read()
        transport.drain()
    received += transport.read()

    assert received == sent
    transport.close()


def test_a_broken_socket_is_left_to_the_transport_and_others_are_served():
    turn, broken, healthy = Turn(), FakeTransport(), FakeTransport()
    room = Room("1", "news", turn.call_soon)
    room.open()
    room.join("1.1", Outlet(broken), b"")
    room.join("2.2", Outlet(healthy), b"")
    broken.theirs.close()

    room.publish(b"news")
    turn.end()

    assert healthy.read() == b"news"
    assert broken.buffered == b"news"
    broken.ours.close()
    healthy.close()


def test_a_room_is_forgotten_once_and_never_in_place_of_its_successor():
    hub = Hub(Ready(), Turn().call_soon, lambda _app_id, _channel: None, lambda _room: None, lambda _room: None)
    transport = FakeTransport()
    rooms = []
    hub._interest.release = rooms.append
    hub.join("1", "news", "1.1", Outlet(transport), b"")
    hub.leave("1", "news", "1.1")

    assert hub.forget(rooms[0])
    assert not hub.forget(rooms[0])
    hub.join("1", "news", "1.1", Outlet(transport), b"")
    assert not hub.forget(rooms[0])
    hub.leave("1", "news", "1.1")
    assert hub.forget(rooms[1])
    transport.close()
