"""Who listens to which channel. Plain memory, no awaits: nobody can see it half-changed.

A listener is a socket id and an outlet. Frames of one channel that arrive in the same turn of the event loop leave in
one write.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from gateway import metrics
from gateway.cache import Cache
from gateway.followers import Followers
from gateway.outlet import Fanout, Outlet
from gateway.presence import Admission, Crowd
from gateway.pusher.census import Question, Row
from gateway.pusher.channels import Kind
from gateway.pusher.resume import Resume
from gateway.tally import Tally
from gateway.wards import Admit, Moment, Wards

CallSoon = Callable[[Callable[[], None]], object]


class Room:
    """The local listeners of one channel of one app."""

    __slots__ = (
        "_call_soon", "_fanout", "_follow", "_members", "_pending", "_waiting",
        "app_id", "cache", "channel", "crowd", "followers", "opened", "tally", "wards",
    )  # fmt: skip

    def __init__(
        self,
        app_id: str,
        channel: str,
        call_soon: CallSoon,
        cache: Cache | None = None,
        follow: "Callable[[Room], Followers] | None" = None,
    ) -> None:
        self.app_id = app_id
        self.channel = channel
        self.cache = cache
        """What greets a new listener, on a cache channel; it is always as far as what was published."""
        self.crowd: Crowd | None = None
        """Who is there, on a presence channel; it decides who may be let in."""
        self.tally: Tally | None = None
        """Tells how many listen, where somebody wants to know."""
        self.opened = False
        """Whether every push from now on reaches this room."""
        self.followers: Followers | None = None
        """The listeners that hear positions, since the first of them came; the others are members."""
        self.wards: Wards | None = None
        """Connections that end when the user is sent away, on a user's channel; they hear nothing here."""
        self._call_soon = call_soon
        self._follow = follow
        self._members: dict[str, Outlet] = {}
        self._waiting: dict[str, tuple[Outlet, bytes, Resume | None]] = {}
        self._pending: list[bytes] = []
        self._fanout: Fanout | None = None

    def __len__(self) -> int:
        return self.audience + (0 if self.wards is None else len(self.wards))

    @property
    def audience(self) -> int:
        """How many listen, or wait to."""
        following = 0 if self.followers is None else len(self.followers)
        return len(self._members) + len(self._waiting) + following

    @property
    def listeners(self) -> int:
        """How many were admitted."""
        return len(self._members) + (0 if self.followers is None else self.followers.admitted)

    def join(
        self,
        socket_id: str,
        outlet: Outlet,
        welcome: bytes,
        admission: Admission | None = None,
        resume: Resume | None = None,
    ) -> None:
        """Admit a listener as soon as the room is open; `welcome` is the first thing it gets."""
        if self.crowd is not None:
            assert admission is not None
            self._waiting[socket_id] = (outlet, welcome, resume)
            self.crowd.enter(socket_id, admission)
        elif self.opened:
            self._admit(socket_id, outlet, welcome, resume)
        else:
            self._waiting[socket_id] = (outlet, welcome, resume)

    def tell(self, socket_id: str, frame: bytes) -> None:
        """Give an encoded frame to one listener, after its welcome."""
        if socket_id in self._waiting:
            outlet, welcome, resume = self._waiting[socket_id]
            self._waiting[socket_id] = (outlet, welcome + frame, resume)
        else:
            self.flush()
            self._members[socket_id].write(frame)

    def sockets(self) -> list[str]:
        """Return everyone's socket ids, each once."""
        wards = () if self.wards is None else self.wards.sockets()
        return list(dict.fromkeys([*self._members, *self._waiting, *wards]))

    def let_in(self, socket_id: str) -> None:
        """Admit a listener whom the crowd knows by now, as soon as the room is open."""
        if self.opened:
            self._admit(socket_id, *self._waiting.pop(socket_id))

    def leave(self, socket_id: str) -> None:
        """Let a listener go; it hears what was published before, and nothing after."""
        self.flush()
        self._members.pop(socket_id, None)
        self._fanout = None
        self._waiting.pop(socket_id, None)
        if self.followers is not None:
            self.followers.leave(socket_id)
        if self.crowd is not None:
            self.crowd.leave(socket_id)
        self.touch()

    def open(self) -> None:
        """Admit everyone who waits: the room hears every push from now on."""
        self.opened = True
        for socket_id in tuple(self._waiting):
            if self.crowd is None or self.crowd.admits(socket_id):
                self.let_in(socket_id)

    def publish(self, frame: bytes, except_socket: str | None = None, *, stored: bool = False) -> int:
        """Give an encoded frame to all listeners but one; return to how many."""
        followers = self.followers
        listeners = len(self._members)
        if followers is not None:
            listeners += len(followers)
            followers.take_note(frame, except_socket, stored=stored)
        if except_socket is not None and self._is_here(except_socket):
            self.flush()
            self._write(frame, except_socket)
            return listeners - 1
        if not self._pending:
            self._call_soon(self.flush)
        self._pending.append(frame)
        return listeners

    def flush(self) -> None:
        """Write what was published."""
        if not self._pending:
            return
        frames = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending.clear()
        self._write(frames)

    def touch(self) -> None:
        """Take note that there are more listeners, or fewer."""
        if self.tally is not None:
            self.tally.touch()

    def welcome(self, given: bytes) -> bytes:
        """Return `subscription_succeeded` as of now; on a presence channel it tells who is there."""
        return given if self.crowd is None else self.crowd.welcome()

    def greeting(self) -> bytes:
        """Return what follows `subscription_succeeded` for who is new."""
        return b"" if self.cache is None else self.cache.greeting()

    def _admit(self, socket_id: str, outlet: Outlet, welcome: bytes, resume: Resume | None) -> None:
        self.flush()  # what was published before belongs to those who were there
        if resume is not None:
            if self.followers is None:
                assert self._follow is not None
                self.followers = self._follow(self)
            self.followers.join(socket_id, outlet, welcome, resume)
            return
        outlet.write(self.welcome(welcome) + self.greeting())
        self._members[socket_id] = outlet
        self._fanout = None
        self.touch()

    def _is_here(self, socket_id: str) -> bool:
        return socket_id in self._members or (self.followers is not None and socket_id in self.followers)

    def _write(self, data: bytes, except_socket: str | None = None) -> None:
        if self._fanout is None:
            self._fanout = Fanout(self._members.values())
        excluded = None if except_socket is None else self._members.get(except_socket)
        self._fanout.write(data, None if excluded is None else excluded.descriptor)
        if self.followers is not None:
            self.followers.write(data, except_socket)


def counts(channel: str) -> bool:
    """Whether a channel is one of the app's; those of users concern nobody else."""
    return not channel.startswith(Kind.USER.value)


class Interest(Protocol):
    """What keeps rooms supplied with pushes."""

    def acquire(self, room: Room) -> None:
        """The room got its first listener: open it once nothing published can be missed any more."""

    def release(self, room: Room) -> None:
        """The room lost its last listener."""

    def follow(self, room: Room) -> Followers:
        """An open room got its first opted-in listener: return what keeps those."""

    def guard(self, room: Room) -> None:
        """The room of a user got a ward: find out whether the user was sent away since it connected."""


class Hub:
    """All rooms of this process."""

    def __init__(
        self,
        interest: Interest,
        call_soon: CallSoon,
        new_cache: Callable[[str, str], Cache | None],
        new_crowd: Callable[[Room], Crowd | None],
        new_tally: Callable[[Room], Tally | None],
    ) -> None:
        """Make an empty hub.

        Args:
            interest: supplies the rooms.
            call_soon: calls a function in the event loop's next turn.
            new_cache: app id, channel → its cache, None when it is no cache channel.
            new_crowd: room → who is there, None when it is no presence channel.
            new_tally: room → its tally, None when nobody wants to know.
        """
        self._interest = interest
        self._call_soon = call_soon
        self._new_cache = new_cache
        self._new_crowd = new_crowd
        self._new_tally = new_tally
        self._rooms: dict[tuple[str, str], Room] = {}
        self._of_app: Counter[str] = Counter()

    def join(  # noqa: PLR0913, PLR0917 - where, who, and what it brings along
        self,
        app_id: str,
        channel: str,
        socket_id: str,
        outlet: Outlet,
        welcome: bytes,
        admission: Admission | None = None,
        resume: Resume | None = None,
    ) -> None:
        """Add a listener; `welcome` is written before the first event. A presence channel needs an admission."""
        room = self._acquire(app_id, channel)
        metrics.SUBSCRIPTIONS.inc()
        room.join(socket_id, outlet, welcome, admission, resume)

    def guard(self, app_id: str, channel: str, socket_id: str, since: Moment, admit: Admit) -> None:
        """Let a connection end when the user of a channel is sent away.

        Args:
            app_id: whose user it is.
            channel: the user's own.
            socket_id: the connection.
            since: when it was established: nothing before concerns it.
            admit: called, perhaps at once, when the user was not sent away since then. Otherwise the connection is
                closed.
        """
        room = self._acquire(app_id, channel)
        if room.wards is None:
            room.wards = Wards()
        room.wards.add(socket_id, since, admit)
        self._interest.guard(room)

    def release(self, app_id: str, channel: str, socket_id: str) -> None:
        """Undo `guard`."""
        room = self._rooms[app_id, channel]
        assert room.wards is not None
        room.wards.remove(socket_id)
        if not room:
            self._interest.release(room)

    def tell(self, app_id: str, channel: str, socket_id: str, frame: bytes) -> None:
        """Give an encoded frame to one listener of a channel, after its welcome."""
        self._rooms[app_id, channel].tell(socket_id, frame)

    def leave(self, app_id: str, channel: str, socket_id: str) -> None:
        """Remove a listener of a channel."""
        room = self._rooms[app_id, channel]
        room.leave(socket_id)
        metrics.SUBSCRIPTIONS.dec()
        if not room:
            self._interest.release(room)

    def listeners(self, app_id: str, channel: str) -> int:
        """Return how many connections of this process listen to a channel, or wait to."""
        room = self._rooms.get((app_id, channel))
        return 0 if room is None else room.audience

    def channels(self, app_id: str) -> int:
        """Return how many channels of an app have listeners here, or had them a moment ago."""
        return self._of_app[app_id]

    def rows(self, app_id: str, question: Question) -> Iterator[Row]:
        """Yield what a question about an app's channels is after; the channels of users concern nobody."""
        for room in self._asked(app_id, question):
            if room.listeners and counts(room.channel):
                users = room.crowd.user_ids if question.users and room.crowd is not None else ()
                yield Row(room.channel, room.listeners, users)

    def _acquire(self, app_id: str, channel: str) -> Room:
        """Return the room of a channel that somebody is about to enter."""
        room = self._rooms.get((app_id, channel))
        if room is None:
            cache = self._new_cache(app_id, channel)
            room = self._rooms[app_id, channel] = Room(app_id, channel, self._call_soon, cache, self._interest.follow)
            room.crowd = self._new_crowd(room)
            room.tally = self._new_tally(room)
            self._of_app[app_id] += counts(channel)
            metrics.CHANNELS.inc()
        if not room:
            self._interest.acquire(room)
        return room

    def _asked(self, app_id: str, question: Question) -> list[Room]:
        if question.names is not None:
            return [self._rooms[app_id, name] for name in question.names if (app_id, name) in self._rooms]
        rooms = self._rooms.values()
        return [room for room in rooms if room.app_id == app_id and room.channel.startswith(question.prefix)]

    def forget(self, room: Room) -> bool:
        """Drop a room that is still empty, and not dropped before; return whether it was."""
        if room or self._rooms.get((room.app_id, room.channel)) is not room:
            return False
        del self._rooms[room.app_id, room.channel]
        self._of_app[room.app_id] -= counts(room.channel)
        if room.crowd is not None:
            room.crowd.close()
        if room.tally is not None:
            room.tally.close()
        metrics.CHANNELS.dec()
        return True
