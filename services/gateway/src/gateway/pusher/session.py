"""One established connection's side of the protocol: the text of a frame in, effects out.

A refusal never closes the connection: it is answered by `pusher:error` with a null code, or 4301 for too many client
events (for a channel, after `pusher:subscription_error`), as the hosted service does.
"""

from collections.abc import Callable, Iterator
from math import inf
from typing import Any, Final

import orjson

from contracts import signing
from gateway.pusher import channels, expiry, frames, members, owner, payload, resume, users
from gateway.pusher.allowance import Allowance
from gateway.pusher.app import App
from gateway.pusher.channels import Channel, Kind
from gateway.pusher.codes import CLIENT_EVENTS_TOO_FAST, UNAUTHORISED, WATCHLIST_TOO_LONG
from gateway.pusher.effects import Belong, Close, Complain, Effect, Join, Leave, Problem, Relay, Send, Tell, Watch
from gateway.pusher.expiry import Expired
from gateway.pusher.members import InvalidMember, Member, MemberTooLarge
from gateway.pusher.patterns import matches
from gateway.pusher.users import SignIn, User

CLIENT_EVENT: Final = "client-"  # how the names of clients' own events begin
EXPIRED: Final = 408  # the status of a subscription whose signature came too late; a new signature helps


def _nobody(_app_id: str, _channel: str) -> int:
    return 0


def _none(_app_id: str) -> int:
    return 0


def _long_ago() -> float:
    return 0.0


class _SignInRefused(Exception):
    """Nobody is signed in by this."""

    def __init__(self, problem: Problem, message: str) -> None:
        super().__init__(message)
        self.problem = problem
        self.message = message


class Session:
    """The state of one connection: who it is, what it listens to."""

    __slots__ = (
        "_allowance", "_authorise_by", "_cleared", "_clock", "_held", "_listeners", "_max_channels", "_members",
        "_occupied", "_signing_in", "app", "channels", "owners", "socket_id", "user",
    )  # fmt: skip

    def __init__(
        self,
        app: App,
        socket_id: str,
        *,
        max_channels: int,
        listeners: Callable[[str, str], int] = _nobody,
        occupied: Callable[[str], int] = _none,
        clock: Callable[[], float] = _long_ago,
    ) -> None:
        """Begin.

        Args:
            app: whose connection it is.
            socket_id: its name.
            max_channels: it may listen to at once.
            listeners: app id, channel → how many connections of this process listen.
            occupied: app id → on how many channels somebody of this process listens.
            clock: tells the seconds since 1970, by which signatures expire.
        """
        self.app = app
        self.socket_id = socket_id
        self.channels: set[str] = set()
        """Also the one of the user who is signed in."""
        self.user: User | None = None
        self.owners: tuple[str, ...] = ()
        """Ids of the users whose connection it is, as signatures said; mostly one, and never fewer."""
        self._cleared: tuple[str, ...] = ()  # those of them of whom it is known that they were not sent away
        self._held: dict[str, tuple[str, Join]] = {}  # channel → whose signature it is, what waits until that is known
        self._signing_in: tuple[SignIn, str] | None = None  # likewise
        self._members: dict[str, Member] = {}  # presence channel → who this connection is there
        self._max_channels = max_channels
        self._listeners = listeners
        self._occupied = occupied
        self._clock = clock
        self._allowance: Allowance | None = None  # most connections never send an event
        self._authorise_by = inf

    def welcome(self, now: float) -> bytes:
        """Return the frame that establishes the connection; nothing may be sent before it.

        Args:
            now: see `receive`.
        """
        if self.app.require_authorization:
            self._authorise_by = now + self.app.authorization_seconds
        return frames.established(self.socket_id, self.app.activity_timeout)

    def obey(self, app: App) -> None:
        """Go on under the app's new rules; what was allowed before stays."""
        self.app = app
        self._allowance = None

    def receive(self, text: str, now: float) -> Iterator[Effect]:
        """Handle one text message. Consume the iterator to its end: state changes as it goes.

        Args:
            text: what came.
            now: seconds of any monotonic clock.
        """
        match _decode(text):
            case {"event": "pusher:ping"}:
                yield Send(frames.PONG)
            case {"event": "pusher:pong"}:
                pass
            case {"event": "pusher:subscribe", **rest}:
                yield from self._subscribe(_object(rest.get("data")))
            case {"event": "pusher:signin", **rest}:
                yield from self._sign_in(_object(rest.get("data")))
            case {"event": "pusher:unsubscribe", **rest}:
                yield from self._unsubscribe(_object(rest.get("data")))
            case {"event": str(event), **rest} if event.startswith(CLIENT_EVENT):
                yield from self._client_event(event, rest, now)
            case {"event": str()}:
                yield from _error(Problem.UNSUPPORTED, "Unsupported event")
            case _:
                yield from _error(Problem.MALFORMED, "Malformed message: expected a JSON object with an event name")

    def check(self, now: float) -> tuple[Effect | None, float]:
        """Return what is to be done now, if anything, and when to check again: perhaps never.

        Args:
            now: see `receive`.
        """
        if now >= self._authorise_by:
            return Close(UNAUTHORISED), inf
        return None, self._authorise_by

    def _sign_in(self, data: dict[str, Any]) -> Iterator[Effect]:
        try:
            signed, user_data, expires = self._verified_sign_in(data)
        except _SignInRefused as refused:
            yield from _error(refused.problem, refused.message)
            return
        if not expires or self.user is not None or signed.user.id in self._cleared:
            yield from self._complete_sign_in(signed, user_data)
            return
        self._authorise_by = inf
        self._signing_in = signed, user_data
        yield from self._belong(signed.user.id)

    def _verified_sign_in(self, data: dict[str, Any]) -> tuple[SignIn, str, bool]:
        """Return what the application signed, its text, and whether the signature expires.

        Raises:
            _SignInRefused: it does not count.
        """
        auth, user_data = data.get("auth"), data.get("user_data")
        if not self.app.user_authentication:
            raise _SignInRefused(Problem.UNSUPPORTED, "Signing in is not enabled for this application")
        if not isinstance(auth, str) or not isinstance(user_data, str):
            raise _SignInRefused(Problem.MALFORMED, "Signing in needs auth and user_data")
        accepted = (signing.user_auth(self.app.key, secret, self.socket_id, user_data) for secret in self.app.secrets)
        if not any(signing.equal(ours, auth) for ours in accepted):
            raise _SignInRefused(Problem.BAD_AUTH, "Signing in failed: invalid signature")
        signed = users.parse(user_data)
        if signed is None:
            length = f"1 to {channels.MAX_USER} characters of text"
            raise _SignInRefused(Problem.BAD_AUTH, f"Signing in failed: the user's id must be {length}")
        if self._signing_in is not None:
            raise _SignInRefused(Problem.UNSUPPORTED, "Signing in is under way already")
        try:
            expires = self._unexpired(user_data) is not None
        except ValueError as error:
            raise _SignInRefused(Problem.BAD_AUTH, f"Signing in failed: {error}") from error
        if expires and self._has_too_many_owners(signed.user.id):
            raise _SignInRefused(Problem.LIMIT, "Signing in failed: the connection is of too many users")
        return signed, user_data, expires

    def _complete_sign_in(self, signed: SignIn, user_data: str) -> Iterator[Effect]:
        yield from self._become(signed.user, frames.signin_success(user_data))
        if self.app.watchlists and self.user == signed.user:
            yield from self._watch(signed)

    def clear(self, user_id: str) -> Iterator[Effect]:
        """Go on with what waited: the user was not sent away since the connection was established."""
        self._cleared = (*self._cleared, user_id)
        held = [join for owner_id, join in self._held.values() if owner_id == user_id]
        for join in held:
            del self._held[join.channel.name]
            yield join
        if self._signing_in is not None and self._signing_in[0].user.id == user_id:
            signing_in, self._signing_in = self._signing_in, None
            yield from self._complete_sign_in(*signing_in)

    def leave_all(self) -> list[str]:
        """End; return the channels on which the connection was admitted, or waits to be."""
        joined = [name for name in self.channels if name not in self._held]
        self.channels.clear()
        self._held.clear()
        return joined

    def _become(self, user: User, success: bytes) -> Iterator[Effect]:
        limit = self.app.max_connections_per_user
        if self.user is None and limit is not None and self._listeners(self.app.id, user.channel) >= limit:
            yield from _error(Problem.LIMIT, f"Signing in failed: the user has {limit} connections already")
        elif self.user is None:
            self.user = user
            self._authorise_by = inf
            self.channels.add(user.channel)
            yield Join(Channel(user.channel, Kind.USER), success)
        elif self.user.id == user.id:
            self.user = user
            yield Tell(user.channel, success)
        else:
            yield from _error(Problem.UNSUPPORTED, "Already signed in as another user")

    def _watch(self, signed: SignIn) -> Iterator[Effect]:
        user, most = signed.user, self.app.max_watchlist
        if len(signed.watchlist) > most:
            message = f"The watchlist is too long: only its first {most} users are watched"
            yield Complain(Problem.LIMIT)
            yield Tell(user.channel, frames.error(WATCHLIST_TOO_LONG, message))
        yield Watch(user.id, signed.watchlist[:most])

    def _subscribe(self, data: dict[str, Any]) -> Iterator[Effect]:
        name = data.get("channel")
        if not isinstance(name, str):
            yield from _error(Problem.MALFORMED, "Subscribe needs a channel name")
            return
        if self._own(name):  # heard since signing in
            yield Tell(name, frames.subscription_succeeded(name))
            return
        if name in self.channels:
            yield from _error(Problem.UNSUPPORTED, f"Already subscribed to {name}")
            return
        channel = channels.parse(name, self.app.max_channel_name)
        if channel is None:
            yield Complain(Problem.BAD_CHANNEL)
            yield from _refuse(name, "InvalidChannel", 400, "Invalid channel name")
            return
        refusal = self._refusal(channel, data)
        if refusal is not None:
            yield from _deny(name, *refusal)
            return
        try:
            asked = resume.parse(data.get("channel_data")) if channel.kind.authorised else None
        except ValueError as error:
            self._members.pop(name, None)
            yield from _deny(name, Problem.BAD_AUTH, "AuthError", 400, f"Invalid channel_data: {error}")
            return
        user_id = None
        if channel.kind.authorised:
            self._authorise_by = inf
            user_id = owner.parse(data.get("channel_data"), channel.kind)
        self.channels.add(name)
        if channel.kind.presence:
            join = Join(channel, b"", self._members[name], asked)
        else:
            join = Join(channel, frames.subscription_succeeded(name), resume=asked)
        if user_id is None or user_id in self._cleared:
            yield join
        else:
            self._held[name] = user_id, join
            yield from self._belong(user_id)

    def _belong(self, user_id: str) -> Iterator[Effect]:
        """Take note of whose connection it is. Leaving the channel changes nothing: its signature may be used again."""
        if user_id not in self.owners:
            self.owners = (*self.owners, user_id)
            yield Belong(user_id)

    def turn_away(self, name: str) -> Iterator[Effect]:
        """Leave a presence channel that turned out to be full."""
        self._forget(name)
        yield Leave(name)
        yield from _deny(name, Problem.LIMIT, "LimitReached", 413, "The channel has its maximum of members")

    def _own(self, channel: str) -> bool:
        """Whether it is the channel of the user who is signed in."""
        return self.user is not None and channel == self.user.channel

    def _refusal(self, channel: Channel, data: dict[str, Any]) -> tuple[Problem, str, int, str] | None:
        """Return (problem, error type, status, message) when the connection may not listen to a channel."""
        if len(self.channels) >= self._max_channels:
            return Problem.LIMIT, "LimitReached", 413, "Too many channels on this connection"
        if channel.kind is Kind.USER:
            return Problem.BAD_AUTH, "AuthError", 403, "Not signed in as this user"
        if channel.kind.authorised and (refusal := self._signature_refusal(channel, data)) is not None:
            return refusal
        if self._is_one_too_many(channel):
            return Problem.LIMIT, "LimitReached", 413, "The application has too many channels"
        return self._membership_refusal(channel, data) if channel.kind.presence else None

    def _signature_refusal(self, channel: Channel, data: dict[str, Any]) -> tuple[Problem, str, int, str] | None:
        """Return why the signature of a subscription does not count, or None when it does."""
        if not self._authorised(channel, data):
            return Problem.BAD_AUTH, "AuthError", 401, "Invalid signature"
        channel_data = data.get("channel_data")
        try:
            expires_at = self._unexpired(channel_data)
            user_id = owner.parse(channel_data, channel.kind)
        except Expired as error:
            return Problem.BAD_AUTH, "AuthError", EXPIRED, str(error)
        except ValueError as error:
            return Problem.BAD_AUTH, "AuthError", 400, f"Invalid channel_data: {error}"
        if (user_id is None or expires_at is None) and matches(channel.name, self.app.bound_channels):
            message = "The signature must say whose the connection is, and until when it may be used"
            return Problem.BAD_AUTH, "AuthError", 401, message
        if user_id is not None and self._has_too_many_owners(user_id):
            return Problem.LIMIT, "LimitReached", 413, "The connection is of too many users"
        return None

    def _unexpired(self, signed: object) -> int | None:
        """Return when a signature expires, None for never.

        Raises:
            Expired: it has.
            ValueError: what it says is wrong.
        """
        expires_at = expiry.parse(signed)
        if expires_at is not None:
            expiry.check(expires_at, self._clock())
        return expires_at

    def _has_too_many_owners(self, user_id: str) -> bool:
        return user_id not in self.owners and len(self.owners) >= self._max_channels

    def _is_one_too_many(self, channel: Channel) -> bool:
        """Whether nobody listens to a channel yet, and the app must not have more."""
        limit = self.app.max_channels
        return (
            limit is not None
            and self._occupied(self.app.id) >= limit
            and not self._listeners(self.app.id, channel.name)
        )

    def _membership_refusal(self, channel: Channel, data: dict[str, Any]) -> tuple[Problem, str, int, str] | None:
        """Return why the connection cannot be a member of a presence channel, or take note of who it is there."""
        try:
            self._members[channel.name] = self._member(data.get("channel_data"))
        except InvalidMember as error:
            return Problem.BAD_AUTH, "AuthError", 400, str(error)
        except MemberTooLarge as error:
            return Problem.LIMIT, "LimitReached", 413, str(error)
        return None

    def _member(self, channel_data: str | None) -> Member:
        """Return who the connection is on a presence channel: as signed for it, else as signed in."""
        if not channel_data:
            if self.user is None:
                raise InvalidMember("A presence channel needs channel_data, or a signed-in user")
            channel_data = self.user.member
        return members.parse(channel_data, max_bytes=self.app.max_member_bytes)

    def _authorised(self, channel: Channel, data: dict[str, Any]) -> bool:
        """Whether `auth` was signed with a secret of this app for this socket and channel.

        `channel_data` is part of what was signed whenever it is a non-empty string, also on private channels.
        """
        auth, channel_data = data.get("auth"), data.get("channel_data") or ""
        if not isinstance(auth, str) or not isinstance(channel_data, str):
            return False
        accepted = (
            signing.channel_auth(self.app.key, secret, self.socket_id, channel.name, channel_data)
            for secret in self.app.secrets
        )
        return any(signing.equal(ours, auth) for ours in accepted)

    def _unsubscribe(self, data: dict[str, Any]) -> Iterator[Effect]:
        name = data.get("channel")
        if isinstance(name, str) and name in self.channels and not self._own(name):
            self._forget(name)
            if self._held.pop(name, None) is None:
                yield Leave(name)

    def _forget(self, name: str) -> None:
        self.channels.remove(name)
        self._members.pop(name, None)

    def _client_event(self, event: str, rest: dict[Any, Any], now: float) -> Iterator[Effect]:
        name = rest.get("channel")
        if not self.app.client_events:
            yield from _error(Problem.UNSUPPORTED, "Client events are not enabled for this application")
        elif not isinstance(name, str) or len(event) > self.app.max_event_name:
            message = f"A client event needs a channel, and a name of at most {self.app.max_event_name} characters"
            yield from _error(Problem.MALFORMED, message)
        elif not channels.kind_of(name).authorised:
            yield from _error(Problem.UNSUPPORTED, "Client events need a private or presence channel")
        elif name not in self.channels or name in self._held:
            yield from _error(Problem.UNSUPPORTED, f"Client events need a subscription to {name}")
        elif (data := self._client_data(rest)) is None:
            message = f"The data of a client event must not exceed {self.app.max_event_bytes} bytes"
            yield from _error(Problem.LIMIT, message)
        elif not self._allowed(now):
            rate = self.app.client_events_per_second
            message = f"Too many client events: {rate} a second are allowed on a connection"
            yield from _error(Problem.TOO_FAST, message, CLIENT_EVENTS_TOO_FAST)
        else:
            member = self._members.get(name)
            frame = frames.client_event(event, name, data, None if member is None else member.user_id)
            yield Relay(self.app.id, name, frame, self.socket_id)

    def _client_data(self, frame: dict[Any, Any]) -> str | None:
        """Return a client event's data as text, or None when it is too much to relay."""
        try:
            data = payload.text(frame.get("data", {}))
        except ValueError:
            return None
        return data if payload.fits(data, self.app.max_event_bytes) else None

    def _allowed(self, now: float) -> bool:
        """Whether one more client event may be sent now; it counts."""
        rate = self.app.client_events_per_second
        if rate is None:
            return True
        if self._allowance is None:
            self._allowance = Allowance(rate, now)
        return self._allowance.take(now)


def _decode(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _object(data: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return a command's `data`; old clients encode the object once more as a string."""
    value = _decode(data) if isinstance(data, str) else data
    return value if isinstance(value, dict) else {}


def _error(problem: Problem, message: str, code: int | None = None) -> Iterator[Effect]:
    yield Complain(problem)
    yield Send(frames.error(code, message))


def _deny(channel: str, problem: Problem, kind: str, status: int, message: str) -> Iterator[Effect]:
    """Refuse a valid channel, and make a note of it."""
    yield Complain(problem, channel)
    yield from _refuse(channel, kind, status, message)


def _refuse(channel: str, kind: str, status: int, message: str) -> Iterator[Effect]:
    yield Send(frames.subscription_error(channel, kind, status, message))
    yield Send(frames.error(None, f"Subscription to {channel} failed: {message[0].lower()}{message[1:]}"))
