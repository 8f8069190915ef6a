"""The session by strings alone: whatever is received, nothing is joined without authorisation."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from contracts import signing
from gateway.pusher import channels
from gateway.pusher.allowance import Allowance
from gateway.pusher.app import App
from gateway.pusher.effects import Close, Complain, Join, Leave, Relay, Send
from gateway.pusher.session import Session

APP = App(id="4242", key="gwkey0001", secret="gwsecret0001", client_events=True)
SOCKET = "1234.5678"

names = st.one_of(
    st.sampled_from(["news", "private-x", "private-cache-x", "private-encrypted-x", "presence-x", "#server-to-user-1"]),
    st.text(max_size=30),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("channel"), inner, max_size=4),
    max_leaves=8,
)
events = st.one_of(
    st.sampled_from(
        ["pusher:subscribe", "pusher:unsubscribe", "pusher:ping", "pusher:pong", "pusher:signin", "client-x"]
    ),
    st.text(),
)
signatures = st.one_of(
    st.none(), st.text(), st.just(""), names.map(lambda name: signing.channel_auth(APP.key, APP.secret, SOCKET, name))
)
commands = st.fixed_dictionaries(
    {"event": events},
    optional={
        "data": st.one_of(
            json_values,
            st.fixed_dictionaries(
                {"channel": names}, optional={"auth": signatures, "channel_data": st.none() | st.text()}
            ),
        ),
        "channel": names,
    },
)
messages = st.one_of(commands.map(json.dumps), json_values.map(json.dumps), st.text())


def new_session(**changes):
    return Session(APP, SOCKET, **{"max_channels": 10} | changes)


def subscribe(channel, **data):
    return json.dumps({"event": "pusher:subscribe", "data": {"channel": channel, **data}})


def authorised(name, text):
    """Whether a message carries what a protected channel demands; computed from the documentation."""
    data = json.loads(text)["data"]
    data = json.loads(data) if isinstance(data, str) else data
    signed = ":".join(filter(None, [SOCKET, name, data.get("channel_data")]))
    return data.get("auth") == f"{APP.key}:{signing.sign(APP.secret, signed)}"


@given(st.lists(messages, max_size=12))
def test_no_sequence_of_messages_raises_or_joins_without_authorisation(texts):
    session = new_session()
    joined = set()
    for text in texts:
        for effect in session.receive(text, 0.0):
            assert isinstance(effect, Send | Join | Leave | Relay | Complain)
            assert not isinstance(effect, Close)
            match effect:
                case Join(channel, welcome):
                    assert channel.name not in joined
                    assert not channel.kind.authorised or authorised(channel.name, text)
                    assert json.loads(welcome)["channel"] == channel.name
                    joined.add(channel.name)
                case Leave(channel):
                    joined.remove(channel)
                case Relay(app_id, channel, frame, sender):
                    assert (app_id, sender) == (APP.id, SOCKET)
                    assert channel in joined
                    assert channels.parse(channel).kind.authorised
                    assert set(json.loads(frame)) == {"event", "channel", "data"}
                case Send(frame):
                    assert json.loads(frame)["event"] in {"pusher:pong", "pusher:error", "pusher:subscription_error"}
        assert session.channels == joined


@given(messages)
def test_an_error_never_announces_a_close(text):
    for effect in new_session().receive(text, 0.0):
        if isinstance(effect, Send) and b"pusher:error" in effect.frame[:25]:
            assert json.loads(effect.frame)["data"]["code"] is None


def whispers(session, number, now):
    """Send client events; return how many were relayed."""
    text = json.dumps({"event": "client-x", "channel": "private-x", "data": {}})
    effects = [effect for _ in range(number) for effect in session.receive(text, now)]
    return sum(isinstance(effect, Relay) for effect in effects)


def whispering(app):
    session = Session(app, SOCKET, max_channels=10)
    auth = signing.channel_auth(app.key, app.secret, SOCKET, "private-x")
    list(session.receive(subscribe("private-x", auth=auth), 0.0))
    return session


def test_079_ten_client_events_at_once_then_ten_a_second():
    session = whispering(APP)

    assert whispers(session, 12, 1000.0) == 10
    assert whispers(session, 1, 1000.05) == 0
    assert whispers(session, 3, 1000.25) == 2
    assert whispers(session, 12, 1010.0) == 10


def test_079_the_error_has_code_4301_and_a_limit_of_the_app_counts():
    session = whispering(replace(APP, client_events_per_second=1))
    text = json.dumps({"event": "client-x", "channel": "private-x"})
    whispers(session, 1, 0.0)

    _, error = session.receive(text, 0.5)

    assert json.loads(error.frame)["data"]["code"] == 4301


def test_without_a_limit_every_client_event_is_relayed():
    assert whispers(whispering(replace(APP, client_events_per_second=None)), 500, 0.0) == 500


@given(st.integers(1, 20), st.lists(st.floats(0, 3), max_size=60))
def test_no_second_ever_sees_more_than_twice_the_rate(rate, pauses):
    allowance, now, taken = Allowance(rate, 0.0), 0.0, []
    for pause in pauses:
        now += pause / 10
        if allowance.take(now):
            taken.append(now)

    for start in taken:
        assert sum(start <= time < start + 1 for time in taken) <= 2 * rate


def test_vectors_of_the_specification_authorise():
    auth = f"{APP.key}:9705bf4a76d66e2ead150cd3288e795e68165558060797c5f42520687afb3667"

    (effect,) = new_session().receive(subscribe("private-orders", auth=auth), 0.0)

    assert isinstance(effect, Join)


def test_a_presence_channel_is_refused_only_after_its_signature_was_checked():
    data = '{"user_id":"42","user_info":{"name":"Ada"}}'
    good = f"{APP.key}:c314fc157482a92c4c2372b419bf76f56237e561e42ecc6241f98ee2832d5ad6"

    for auth, status in ((good, 501), ("x", 401)):
        _, refused, _ = new_session().receive(subscribe("presence-room", auth=auth, channel_data=data), 0.0)
        assert json.loads(json.loads(refused.frame)["data"])["status"] == status


def test_deeply_nested_json_is_only_malformed():
    (complaint, error) = new_session().receive("[" * 50_000, 0.0)

    assert isinstance(complaint, Complain)
    assert json.loads(error.frame)["data"]["code"] is None


@given(st.text())
def test_a_channel_name_has_exactly_one_kind_and_only_by_its_beginning(name):
    channel = channels.parse(name)

    if channel is not None:
        assert 1 <= len(name) <= channels.MAX_NAME + len("#server-to-user-")
        assert name.startswith(channel.kind.value)
        longer = [
            kind for kind in channels.Kind if name.startswith(kind.value) and len(kind.value) > len(channel.kind.value)
        ]
        assert not longer
