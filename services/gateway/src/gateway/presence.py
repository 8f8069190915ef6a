"""Who of a presence channel is connected here, and how each one is told about the others.

The first connection of a user publishes a record, and is admitted when that record comes back with the roster: whatever
changed before is in its snapshot, whatever changes after reaches it as a frame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway import wire
from gateway.cluster.records import member_token
from gateway.cluster.roster import Change, Joined
from gateway.cluster.watch import Watch, Watcher
from gateway.pusher import channels, frames
from gateway.pusher.members import Member


@dataclass(frozen=True, slots=True)
class Admission:
    """What a connection needs to enter a presence channel."""

    member: Member
    limit: int
    """Distinct users of the channel."""
    refuse: Callable[[], None]
    """Called when the channel is full; the connection must leave the channel in it."""


class Board(Protocol):
    """What all gateways know together; see `Cluster`."""

    def watch(self, app_id: str, topic: str, watcher: Watcher) -> Watch: ...

    def unwatch(self, watch: Watch, watcher: Watcher) -> None: ...

    def enter(self, app_id: str, topic: str, user_id: str, info: str | None = None) -> int: ...

    def leave(self, app_id: str, topic: str, user_id: str) -> None: ...

    def version(self, watch: Watch, user_id: str) -> int: ...


class Hall(Protocol):
    """The room of the channel."""

    app_id: str
    channel: str

    def publish(self, frame: bytes) -> int: ...

    def let_in(self, socket_id: str) -> None:
        """Admit a listener who waits, as soon as the room is open."""


@dataclass(slots=True)
class _Guest:
    """A user with connections here."""

    member: Member
    version: int
    """Of the record that tells the others."""
    admitted: bool = False
    sockets: set[str] = field(default_factory=set)


class Crowd:
    """The connections of one presence channel on this gateway."""

    def __init__(self, hall: Hall, board: Board) -> None:
        self._hall = hall
        self._board = board
        self._guests: dict[str, _Guest] = {}
        self._sockets: dict[str, Admission] = {}
        self._awaited: dict[str, int] = {}  # socket id → version that must have come back
        self._watch = board.watch(hall.app_id, hall.channel, self)

    def close(self) -> None:
        """Forget the channel; nobody is in it."""
        self._board.unwatch(self._watch, self)

    @property
    def user_ids(self) -> list[str]:
        """Who is here and known to all."""
        return [user_id for user_id, guest in self._guests.items() if guest.admitted]

    def welcome(self) -> bytes:
        """Return the first frame of a new listener: who is there, itself included."""
        return wire.text(frames.presence_succeeded(self._hall.channel, self._watch.roster.members))

    def admits(self, socket_id: str) -> bool:
        """Whether a connection may hear the channel already."""
        return socket_id in self._sockets and socket_id not in self._awaited

    def enter(self, socket_id: str, admission: Admission) -> None:
        """Take a connection; it is let in, or refused, as soon as all know of its user."""
        member = admission.member
        guest = self._guests.get(member.user_id)
        self._sockets[socket_id] = admission
        if guest is None and self._full(admission):
            admission.refuse()
            return
        if guest is None or guest.member != member:  # the latest information is the one that newcomers get
            version = self._board.enter(self._hall.app_id, self._hall.channel, member.user_id, member.info)
            guest = self._guests.setdefault(member.user_id, _Guest(member, version))
            guest.member, guest.version = member, version
        guest.sockets.add(socket_id)
        self._awaited[socket_id] = guest.version
        self._decide(socket_id)

    def leave(self, socket_id: str) -> None:
        """Let a connection go; with the last one of a user, all are told."""
        user_id = self._sockets.pop(socket_id).member.user_id
        self._awaited.pop(socket_id, None)
        guest = self._guests.get(user_id)
        if guest is None:
            return
        guest.sockets.discard(socket_id)
        if not guest.sockets:
            del self._guests[user_id]
            self._board.leave(self._hall.app_id, self._hall.channel, user_id)

    def changed(self, changes: Sequence[Change]) -> None:
        """Tell the listeners what changed, then let in whom everybody knows of by now."""
        for change in changes:
            self._hall.publish(wire.text(self._frame(change)))
        for socket_id in tuple(self._awaited):  # our records come back in the order in which they were asked for
            if not self._decide(socket_id):
                break

    def _decide(self, socket_id: str) -> bool:
        """Let a connection in, or refuse it; return whether it was time for that."""
        admission = self._sockets[socket_id]
        user_id = admission.member.user_id
        if not self._watch.ready or self._board.version(self._watch, user_id) < self._awaited[socket_id]:
            return False
        guest = self._guests[user_id]
        if not guest.admitted and self._beyond(admission):
            admission.refuse()
        else:
            guest.admitted = True
            del self._awaited[socket_id]
            self._hall.let_in(socket_id)
        return True

    def _full(self, admission: Admission) -> bool:
        """Whether a user who is not there yet would be one too many."""
        roster = self._watch.roster
        known = member_token(admission.member.user_id) in roster
        return self._watch.ready and not known and len(roster) >= admission.limit

    def _beyond(self, admission: Admission) -> bool:
        """Whether others took the last place at the same time; all gateways see the same order."""
        roster = self._watch.roster
        return len(roster) > admission.limit and roster.rank(member_token(admission.member.user_id)) >= admission.limit

    def _frame(self, change: Change) -> bytes:
        if isinstance(change, Joined):
            return frames.member_added(self._hall.channel, change.user_id, change.info)
        return frames.member_removed(self._hall.channel, change.user_id)


def for_hall(hall: Hall, board: Board) -> Crowd | None:
    """Return the crowd of a channel that has one; see `Crowd`."""
    return Crowd(hall, board) if channels.kind_of(hall.channel).presence else None
