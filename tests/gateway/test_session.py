"""The session by strings alone: whatever is received, nothing is joined without authorisation."""

import json
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import signing
from gateway.pusher import channels, users
from gateway.pusher.allowance import Allowance
from gateway.pusher.app import App
from gateway.pusher.codes import UNAUTHORISED
from gateway.pusher.effects import Close, Complain, Join, Leave, Relay, Send, Tell, Watch
from gateway.pusher.members import Member
from gateway.pusher.session import Session
from gateway.pusher.users import User

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
user_data = st.one_of(
    st.sampled_from(['{"id":"1"}', '{"id":"2","watchlist":["1",2]}', '{"id":1}', '{"id":"1","user_info":[1e999]}']),
    json_values.map(json.dumps),
    st.text(),
)
sign_ins = st.builds(
    lambda data, good: {
        "event": "pusher:signin",
        "data": {"user_data": data, "auth": signing.user_auth(APP.key, APP.secret, SOCKET, data) if good else "x"},
    },
    user_data,
    st.booleans(),
)
messages = st.one_of(commands.map(json.dumps), sign_ins.map(json.dumps), json_values.map(json.dumps), st.text())


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
            assert isinstance(effect, Send | Join | Tell | Leave | Relay | Complain)
            assert not isinstance(effect, Close)
            match effect:
                case Join(channel, welcome, member):
                    assert channel.name not in joined
                    assert not channel.kind.authorised or authorised(channel.name, text)
                    assert may_hear(channel, text)
                    assert channel.kind.presence == (member is not None)
                    assert member is not None or json.loads(welcome).get("channel", channel.name) == channel.name
                    joined.add(channel.name)
                case Tell(channel, _):
                    assert channel in joined
                case Leave(channel):
                    joined.remove(channel)
                case Relay(app_id, channel, frame, sender):
                    assert (app_id, sender) == (APP.id, SOCKET)
                    assert channel in joined
                    assert channels.parse(channel).kind.authorised
                    assert set(json.loads(frame)) - {"user_id"} == {"event", "channel", "data"}
                case Send(frame):
                    assert json.loads(frame)["event"] in {"pusher:pong", "pusher:error", "pusher:subscription_error"}
        assert session.channels == joined


@given(messages)
def test_155_an_error_never_announces_a_close(text):
    for effect in new_session().receive(text, 0.0):
        if isinstance(effect, Send) and b"pusher:error" in effect.frame[:25]:
            assert json.loads(effect.frame)["data"]["code"] is None


def may_hear(channel, text):
    """Whether a channel is no user's, or the message is this user's signed sign-in."""
    data = json.loads(text)["data"]
    return channel.kind is not channels.Kind.USER or (
        data["auth"] == signing.user_auth(APP.key, APP.secret, SOCKET, data["user_data"])
        and channel.name == f"#server-to-user-{json.loads(data['user_data'])['id']}"
    )


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


def test_081_082_the_vector_of_the_specification_signs_in():
    auth = f"{APP.key}:30a4267750ad863fce59cee598ef8e3fe7141ac2eda87cc1626ecf9efb4307c9"
    data = {"user_data": '{"id": "42", "watchlist": ["7"]}', "auth": auth}

    (effect,) = new_session().receive(json.dumps({"event": "pusher:signin", "data": data}), 0.0)

    assert isinstance(effect, Join)
    assert effect.channel.name == "#server-to-user-42"


signed_objects = st.fixed_dictionaries({"id": st.text(min_size=1)}, optional={"user_info": json_values, "x": names})


@given(st.one_of(signed_objects, json_values).map(json.dumps) | st.text())
def test_who_signs_in_can_be_the_member_of_a_presence_channel(text):
    signed = users.parse(text)

    if signed is not None:
        member = json.loads(signed.user.member)
        assert member.pop("user_id") == signed.user.id == json.loads(text)["id"]
        assert member == {key: value for key, value in json.loads(text).items() if key == "user_info"}
        assert all(isinstance(name, str) for name in signed.watchlist)


def test_a_watchlist_names_nobody_twice_and_only_users():
    text = json.dumps({"id": "1", "watchlist": ["b", 7, "a", None, "b", "", "x" * 129]})

    assert users.parse(text).watchlist == ("b", "a")
    assert users.parse('{"id":"1","watchlist":{"a":1}}').watchlist == ()


def test_091_094_095_a_sign_in_watches_at_most_so_many_and_only_where_the_app_wants_it():
    data = '{"id":"1","watchlist":["a","b","c"]}'
    auth = signing.user_auth(APP.key, APP.secret, SOCKET, data)
    text = json.dumps({"event": "pusher:signin", "data": {"user_data": data, "auth": auth}})

    def effects(**changes):
        session = Session(replace(APP, **changes), SOCKET, max_channels=10)
        return list(session.receive(text, 0.0))

    assert [type(effect) for effect in effects()] == [Join]
    assert effects(watchlists=True)[1:] == [Watch("1", ("a", "b", "c"))]
    join, complaint, error, watch = effects(watchlists=True, max_watchlist=2)
    assert (type(join), type(complaint)) == (Join, Complain)
    assert json.loads(error.frame)["data"]["code"] == 4302
    assert watch == Watch("1", ("a", "b"))


def test_090_a_session_must_show_itself_only_where_the_app_wants_it():
    for app, due in ((APP, inf), (replace(APP, require_authorization=True, authorization_seconds=5.0), 105.0)):
        session = Session(app, SOCKET, max_channels=10)
        session.welcome(100.0)
        assert session.check(104.9) == (None, due)

    assert session.check(105.0) == (Close(UNAUTHORISED), inf)
    auth = signing.channel_auth(APP.key, APP.secret, SOCKET, "private-x")
    list(session.receive(subscribe("private-x", auth=auth), 104.0))
    assert session.check(105.0) == (None, inf)


def test_the_presence_vector_of_the_specification_joins_as_its_user():
    data = '{"user_id":"42","user_info":{"name":"Ada"}}'
    auth = f"{APP.key}:c314fc157482a92c4c2372b419bf76f56237e561e42ecc6241f98ee2832d5ad6"

    (effect,) = new_session().receive(subscribe("presence-room", auth=auth, channel_data=data), 0.0)

    assert effect.member == Member("42", '{"name":"Ada"}')


def presence(channel_data, **changes):
    """Subscribe to a presence channel, rightly signed; return the effects."""
    session = Session(replace(APP, **changes), SOCKET, max_channels=10)
    data = {} if channel_data is None else {"channel_data": channel_data}
    auth = signing.channel_auth(APP.key, APP.secret, SOCKET, "presence-x", channel_data or "")
    return list(session.receive(subscribe("presence-x", auth=auth, **data), 0.0))


def status(effects):
    """Return the status of a refused subscription."""
    _, refused, error = effects
    assert json.loads(error.frame)["data"]["code"] is None
    return json.loads(json.loads(refused.frame)["data"])["status"]


@pytest.mark.parametrize("user_id", ["null", "true", "{}", "[]", '""', "1.5", "-1.5e0", None])
def test_054_without_a_user_id_nobody_joins(user_id):
    assert status(presence("{}" if user_id is None else f'{{"user_id":{user_id}}}')) == 400


@pytest.mark.parametrize("channel_data", ["{", "x", "[]", "7", '"{}"', '{"user_id":"\\ud800"}', None])
def test_054_056_other_channel_data_is_refused(channel_data):
    assert status(presence(channel_data)) == 400


def test_046_a_number_is_the_same_user_as_its_text():
    for user_id in ("42", '"42"', "42.0", "4.2e1"):
        (effect,) = presence(f'{{"user_id":{user_id}}}')
        assert effect.member == Member("42")


def test_055_a_signed_in_user_joins_without_channel_data():
    session = new_session()
    session.user = User("u1", '{"user_id":"u1","user_info":{"name":"Ada"}}')
    auth = signing.channel_auth(APP.key, APP.secret, SOCKET, "presence-x")

    (effect,) = session.receive(subscribe("presence-x", auth=auth), 0.0)

    assert effect.member == Member("u1", '{"name":"Ada"}')


def test_the_limits_of_a_member_are_inclusive():
    info = json.dumps("x" * 98)

    assert len(presence(json.dumps({"user_id": "x" * 128}))) == 1
    assert status(presence(json.dumps({"user_id": "x" * 129}))) == 413
    assert status(presence('{"user_id":1e300}')) == 413
    assert status(presence('{"user_id":42.5}')) == 400
    assert len(presence(f'{{"user_id":1,"user_info":{info}}}', max_member_bytes=100)) == 1
    assert status(presence(f'{{"user_id":1,"user_info":{info}}}', max_member_bytes=99)) == 413


@given(st.text())
def test_any_channel_data_is_a_member_or_refused(channel_data):
    assert isinstance(presence(channel_data)[0], Join | Complain)


def test_a_refused_member_is_not_on_the_channel():
    session = new_session()
    auth = signing.channel_auth(APP.key, APP.secret, SOCKET, "presence-x", '{"user_id":1}')
    text = subscribe("presence-x", auth=auth, channel_data='{"user_id":1}')
    list(session.receive(text, 0.0))

    leave, *refusal = session.turn_away("presence-x")

    assert leave == Leave("presence-x")
    assert status(refusal) == 413
    assert session.channels == set()
    (again,) = session.receive(text, 0.0)
    assert isinstance(again, Join)


def test_deeply_nested_json_is_only_malformed():
    (complaint, error) = new_session().receive("[" * 50_000, 0.0)

    assert isinstance(complaint, Complain)
    assert json.loads(error.frame)["data"]["code"] is None


@given(st.text())
def test_a_channel_name_has_exactly_one_kind_and_only_by_its_beginning(name):
    channel = channels.parse(name)

    if channel is not None:
        assert 1 <= len(name) <= channels.MAX_USER + len("#server-to-user-")
        assert name.startswith(channel.kind.value)
        longer = [
            kind for kind in channels.Kind if name.startswith(kind.value) and len(kind.value) > len(channel.kind.value)
        ]
        assert not longer


@pytest.mark.parametrize(("occupied", "listeners", "joins"), [(1, 0, True), (2, 0, False), (2, 1, True)])
def test_an_app_may_have_so_many_channels_and_any_number_of_listeners_on_them(occupied, listeners, joins):
    app = replace(APP, max_channels=2)
    session = Session(
        app, SOCKET, max_channels=10, listeners=lambda _app, _channel: listeners, occupied=lambda _app: occupied
    )

    effects = list(session.receive(subscribe("news"), 0.0))

    assert any(isinstance(effect, Join) for effect in effects) == joins
    if not joins:
        assert json.loads(json.loads(effects[1].frame)["data"])["type"] == "LimitReached"
