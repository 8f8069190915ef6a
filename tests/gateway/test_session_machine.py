"""The session as a state machine: any history of messages, of new rules and of full channels, against a small model."""

import json
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from contracts import signing
from gateway.pusher import channels
from gateway.pusher.app import App
from gateway.pusher.channels import Kind
from gateway.pusher.effects import Belong, Close, Complain, Effect, Join, Leave, Relay, Send, Tell
from gateway.pusher.session import Session

APPS = [
    App(id="1", key="key", secret="secret", client_events=client_events, user_authentication=users)
    for client_events in (True, False)
    for users in (True, False)
] + [App(id="1", key="key", secret="renewed", client_events=True, max_connections_per_user=2)]
SOCKET = "1234.5678"
MOST = 4  # channels of the connection
NAMES = [
    "news", "cache-a", "private-a", "private-b", "private-cache-a", "private-encrypted-a", "presence-a", "presence-b",
    "presence-cache-a", "#server-to-user-1", "#server-to-user-2", "no such", "",
]  # fmt: skip


class Sessions(RuleBasedStateMachine):
    """What the pump knows: which channels it joined for the session, and nothing else."""

    signed = Bundle("signed")

    def __init__(self):
        super().__init__()
        self.app = APPS[0]
        self.signed_in_elsewhere = 0
        self.session = Session(self.app, SOCKET, max_channels=MOST, listeners=lambda *_: self.signed_in_elsewhere)
        self.joined: dict[str, Kind] = {}
        self.owners: tuple[str, ...] = ()
        self.cleared: set[str] = set()
        self.now = 0.0
        self.user: str | None = None

    def receive(self, message: object) -> list[Effect]:
        text = message if isinstance(message, str) else json.dumps(message)
        effects = list(self.session.receive(text, self.now))
        self.obey(effects)
        return effects

    def obey(self, effects):
        for effect in effects:
            assert isinstance(effect, Effect)
            assert not isinstance(effect, Close), "a refused message never closes"
            match effect:
                case Join(channel, _, member):
                    assert channel.name not in self.joined, "joined twice"
                    assert channel.kind.presence == (member is not None)
                    self.joined[channel.name] = channel.kind
                case Belong(user_id):
                    assert user_id not in self.owners
                    self.owners += (user_id,)
                case Leave(name):
                    del self.joined[name]
                case Tell(name, _):
                    assert name in self.joined
                case Relay(app_id, name, _, sender):
                    assert self.app.client_events
                    assert (app_id, sender) == (self.app.id, SOCKET)
                    assert self.joined[name].authorised
                case Send(frame):
                    assert isinstance(json.loads(frame), dict)
                case Complain(_, name):
                    assert name is None or channels.parse(name) is not None

    def auth(self, name, data=None):
        return signing.channel_auth(self.app.key, self.app.secret, SOCKET, name, data or "")

    @rule(target=signed, name=st.sampled_from(NAMES), user=st.sampled_from(["1", "2"]), data=st.booleans())
    def sign(self, name, user, data):
        """The application signs a subscription; it may be used at any time later, also under another secret."""
        channel_data = json.dumps({"user_id": user}) if data else None
        return {"channel": name, "auth": self.auth(name, channel_data), "channel_data": channel_data}, self.app.secret

    @rule(order=signed)
    def subscribe(self, order):
        data, secret = order
        before, owners = dict(self.joined), self.owners
        self.receive({"event": "pusher:subscribe", "data": data})

        owner = json.loads(data["channel_data"])["user_id"] if data["channel_data"] else None
        if self.owners != owners:
            assert data["channel"] in self.held() - before.keys()
            assert data["channel"].startswith("private-")
            assert self.owners == (*owners, owner)
        if data["channel"].startswith("private-") and owner not in self.cleared | {None}:
            assert self.joined == before, "nobody listens before the user's orders are known"
        if new := self.joined.keys() - before.keys():
            (name,) = new
            assert not self.joined[name].authorised or secret == self.app.secret
            assert len(before) < MOST

    def held(self):
        """Return the channels that wait until the orders of some user are known."""
        return self.session.channels - self.joined.keys()

    @rule(user=st.sampled_from(["1", "2"]))
    def the_users_orders_are_known(self, user):
        if user in self.owners and user not in self.cleared:
            before = self.held()
            self.cleared.add(user)
            self.obey(self.session.clear(user))
            assert self.held() <= before
            if self.cleared.issuperset(self.owners):
                assert not self.held()

    @rule(name=st.sampled_from(NAMES), auth=st.sampled_from(["", None, "key:", "key:00", 7, []]))
    def subscribe_without_authorisation(self, name, auth):
        before = dict(self.joined)
        owners, data = self.owners, {"channel": name, "auth": auth, "channel_data": '{"user_id":"1","terminable":true}'}
        self.receive({"event": "pusher:subscribe", "data": data})

        assert self.owners == owners
        assert not any(self.joined[new].authorised for new in self.joined.keys() - before.keys())

    @rule(name=st.sampled_from(NAMES))
    def unsubscribe(self, name):
        was_there = name in self.joined
        waited = name in self.held()
        effects = self.receive({"event": "pusher:unsubscribe", "data": {"channel": name}})

        assert effects == ([Leave(name)] if was_there and self.joined.keys().isdisjoint({name}) else [])
        assert not (waited and name in self.session.channels)
        assert self.receive({"event": "pusher:unsubscribe", "data": {"channel": name}}) == []

    @rule(user=st.sampled_from(["1", "2"]), good=st.booleans(), elsewhere=st.integers(0, 3))
    def sign_in(self, user, good, elsewhere):
        self.signed_in_elsewhere = elsewhere
        user_data = json.dumps({"id": user})
        auth = signing.user_auth(self.app.key, self.app.secret, SOCKET, user_data) if good else "key:00"
        self.receive({"event": "pusher:signin", "data": {"user_data": user_data, "auth": auth}})

        own = [name for name, kind in self.joined.items() if kind is Kind.USER]
        assert len(own) <= 1
        if own and self.user is None:
            assert good
            assert self.app.user_authentication
            assert elsewhere < self.app.max_connections_per_user
            self.user = user
        assert own == ([] if self.user is None else [channels.of_user(self.user)])

    @rule(name=st.sampled_from(NAMES), event=st.sampled_from(["client-x", "client-", "xclient-x", "pusher:x"]))
    def send_client_event(self, name, event):
        effects = self.receive({"event": event, "channel": name, "data": {"n": 1}})

        if any(isinstance(effect, Relay) for effect in effects):
            assert event.startswith("client-")
            assert len(effects) == 1

    @rule(name=st.sampled_from(["presence-a", "presence-b", "presence-cache-a"]))
    def the_room_is_full(self, name):
        """The pump learns only after the join that a presence channel has no place left."""
        if name in self.joined:
            self.obey(self.session.turn_away(name))
            assert name not in self.joined

    @rule(app=st.sampled_from(APPS))
    def the_rules_change(self, app):
        self.app = app
        self.session.obey(replace(app))

    @rule(
        text=st.text() | st.sampled_from(["{", "[]", "null", '{"event":null}', '{"event":"pusher:ping"}', "[" * 2000])
    )
    def send_anything(self, text):
        self.receive(text)

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds):
        self.now += seconds
        effect, again = self.session.check(self.now)
        assert effect is None
        assert again > self.now

    @invariant()
    def session_and_pump_agree(self):
        assert self.session.channels >= set(self.joined)
        assert self.cleared <= set(self.owners) == set(self.session.owners)
        assert len(self.held()) <= MOST
        assert self.session.owners == self.owners
        assert len(self.joined) <= MOST + 1  # the user's own besides

    def teardown(self):
        assert set(self.session.leave_all()) == set(self.joined)


TestSessions = Sessions.TestCase
