"""Small pure parts: who may connect, silence, deadlines, the bytes of a frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from gateway import wire
from gateway.pusher import codes, frames
from gateway.pusher.addresses import Addresses
from gateway.pusher.app import App, Apps
from gateway.pusher.effects import Close, Probe, Send
from gateway.pusher.handshake import Door, Visit, subprotocol
from gateway.pusher.liveness import Liveness, Patience
from runtime.server.timer_wheel import TimerWheel

APP = App(id="1", key="key", secret="s")


def new_door(prefix=""):
    return Door(
        Apps([APP]), Addresses(connections=None, handshakes=None), path_prefix=prefix, connections=lambda _app: 0
    )


def admit(door, target):
    return door.admit(Visit(target, "192.0.2.1"), 0.0)


@given(st.text())
def test_any_request_target_is_admitted_or_refused(target):
    admitted = admit(new_door(), target)

    assert admitted is APP or isinstance(admitted, codes.Refusal)


@pytest.mark.parametrize(
    "target", ["/app/key?protocol=7", "/app/key/?protocol=7&x=%zz", "ws://host/app/key?protocol=7"]
)
def test_good_targets(target):
    assert admit(new_door(), target) is APP


def test_012_a_draining_door_refuses_with_4100_whoever_comes():
    door = new_door()
    door.draining = True

    assert admit(door, "/app/key?protocol=7") == admit(door, "/app/unknown") == codes.DRAINING
    assert codes.DRAINING.code == 4100


@given(st.lists(st.text()))
def test_a_selected_subprotocol_was_offered(offered):
    assert subprotocol(offered) in {None, *offered}


def test_014_155_reasons_fit_into_a_close_frame_and_codes_are_never_43xx():
    refusals = [value for value in vars(codes).values() if isinstance(value, codes.Refusal)]

    assert refusals
    assert all(len(refusal.reason.encode()) <= 123 for refusal in refusals)
    assert all(4000 <= refusal.code < 4300 for refusal in refusals)


@given(st.lists(st.floats(0.1, 40)))
def test_whoever_is_heard_within_the_idle_time_is_never_closed(pauses):
    liveness, heard, now = Liveness(Patience(45, 30)), 0.0, 0.0
    for pause in pauses:
        now += pause
        effect, again = liveness.check(heard, now)
        assert effect is None
        assert again > now
        heard = now


def test_019_a_silent_peer_is_probed_reminded_and_given_up():
    liveness = Liveness(Patience(45, 30))
    seen, now = [], 45.0
    for _ in range(3):
        effect, now = liveness.check(0.0, now)
        seen.append(effect)

    assert seen == [Probe(), Send(frames.PING), Close(codes.NO_PONG)]
    assert now == 75


@given(st.integers(0, 300), st.binary(max_size=4))
def test_a_short_frame_is_the_one_of_the_websockets_library(size, filling):
    payload = (filling or b"x") * size
    assert wire.text(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@pytest.mark.parametrize("size", [125, 126, 65535, 65536, 200_000])
def test_frames_at_the_borders_of_the_length_forms(size):
    payload = b"x" * size
    assert wire.text(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


class Alarm:
    slot = 0
    rang = None

    def on_deadline(self, now):
        self.rang = now


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=30), st.floats(0.05, 3))
def test_a_wheel_calls_everyone_once_and_not_before_its_time(deadlines, tick):
    wheel, alarms = TimerWheel(tick, 0.0), []
    for deadline, cancelled in deadlines:
        alarm = Alarm()
        wheel.schedule(alarm, deadline)
        if cancelled:
            wheel.cancel(alarm)
        alarms.append((alarm, deadline, cancelled))

    now = 0.0
    while now < 105:
        now += tick
        wheel.sweep(now)

    for alarm, deadline, cancelled in alarms:
        assert (alarm.rang is None) == cancelled
        assert cancelled or deadline - 1e-6 <= alarm.rang <= deadline + 2 * tick + 1e-6
