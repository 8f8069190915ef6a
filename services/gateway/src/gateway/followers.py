"""The listeners of a room that opted in to resume: they hear positions, and what they missed before anything newer.

Who comes back waits here, without hearing anything, until the room's window reaches back to where it left off. What is
published meanwhile goes into the window, so that replay and live meet without a seam: both are read from one list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway import metrics, wire
from gateway.outlet import Fanout, Outlet
from gateway.pusher import frames
from gateway.pusher.resume import Resume
from gateway.window import Bounds, Event, Window


class Heard(Protocol):
    """How far a channel is."""

    @property
    def sequence(self) -> int:
        """The number of the stream up to which nothing is missing."""


class Epoch(Protocol):
    """Which stream it is."""

    @property
    def value(self) -> str: ...


class Surroundings(Protocol):
    """The room around the followers."""

    channel: str

    def flush(self) -> None:
        """Write what was published to those who are here."""

    def touch(self) -> None:
        """Take note that there are more listeners, or fewer."""

    def welcome(self, given: bytes) -> bytes:
        """Return `subscription_succeeded` as of now."""

    def greeting(self) -> bytes:
        """Return what follows `subscription_succeeded` for who is new."""


@dataclass(slots=True)
class _Joiner:
    socket_id: str
    outlet: Outlet
    welcome: bytes
    offset: int
    excluded: frozenset[str]
    welcomed: bool = False
    replayed: int = 0


class Followers:
    """Of one room."""

    __slots__ = (
        "_bounds", "_epoch", "_fanout", "_heard", "_hopeless", "_joiners", "_members", "_replay", "_room", "_told",
        "spoke", "window",
    )  # fmt: skip

    def __init__(
        self, room: Surroundings, *, heard: Heard, epoch: Epoch, bounds: Bounds, replay: Callable[[], None]
    ) -> None:
        """Make an empty set.

        Args:
            room: where they are.
            heard: the room's tail.
            epoch: of the stream.
            bounds: of a replay.
            replay: asks for the window to be extended until nobody waits.
        """
        self.window: Window | None = None
        self.spoke = False
        """Whether everybody was told a position since this was last set to false."""
        self._room = room
        self._heard = heard
        self._epoch = epoch
        self._bounds = bounds
        self._replay = replay
        self._members: dict[str, Outlet] = {}
        self._joiners: dict[str, _Joiner] = {}
        self._fanout: Fanout | None = None
        self._told = (epoch.value, heard.sequence)  # who comes is told its own
        self._hopeless = 0  # no smaller offset can be resumed from: there is too much after it, or it is deleted

    def __len__(self) -> int:
        return len(self._members) + len(self._joiners)

    def __contains__(self, socket_id: str) -> bool:
        return socket_id in self._members

    @property
    def admitted(self) -> int:
        """How many have got everything they missed."""
        return len(self._members)

    @property
    def waiting(self) -> bool:
        """Whether somebody has not got everything it missed."""
        return bool(self._joiners)

    @property
    def heard(self) -> int:
        """Up to which number the room has heard everything."""
        return self._heard.sequence

    def join(self, socket_id: str, outlet: Outlet, welcome: bytes, resume: Resume) -> None:
        """Admit a listener after what it missed, or at once when that cannot be given."""
        excluded = resume.excluded | {socket_id}
        joiner = _Joiner(socket_id, outlet, welcome, resume.offset or 0, excluded)
        if resume.offset is None or resume.epoch != self._epoch.value or resume.offset < self._hopeless:
            self._admit(joiner, resumed=False)
            return
        self._joiners[socket_id] = joiner
        self._continue(joiner)
        if joiner.socket_id in self._joiners:
            self._replay()

    def leave(self, socket_id: str) -> None:
        self._members.pop(socket_id, None)
        self._joiners.pop(socket_id, None)
        self._fanout = None

    def take_note(self, frame: bytes, except_socket: str | None, *, stored: bool) -> None:
        """Take note of what was just published, for those who are no members yet."""
        if stored:
            if self.window is not None and not self.window.append(Event(self.heard, frame, except_socket)):
                self.window = None
            return
        for joiner in self._joiners.values():
            if joiner.welcomed and joiner.socket_id != except_socket:  # what is not stored is in no window
                joiner.outlet.write(frame)

    def write(self, data: bytes, except_socket: str | None = None) -> None:
        """Give encoded frames to all members but one, and their new position to all."""
        if not self._members:
            return
        position = self._position()
        excluded = None if except_socket is None else self._members.get(except_socket)
        self._fan_out(data + position, excluded)
        if excluded is not None and position:
            excluded.write(position)

    def announce(self) -> None:
        """Tell the members their position, if it is another than the one they know."""
        position = self._position()
        if position:
            self._fan_out(position)

    def restart(self) -> None:
        """The stream is another one: nobody can resume, and nobody knows what was lost with the old one."""
        self.window = None
        self._hopeless = 0
        self._told, self.spoke = (self._epoch.value, self.heard), True
        if self._members:
            position = frames.position(self._room.channel, *self._told, resumed=False, replayed=0)
            self._fan_out(wire.text(position))
        for joiner in tuple(self._joiners.values()):
            self._admit(joiner, resumed=False)

    # For those who extend the window.

    def missing(self) -> int | None:
        """Return the smallest offset from which somebody wants to go on and the window does not reach."""
        unreached = (joiner.offset for joiner in self._joiners.values() if not self._reaches(joiner.offset))
        return min(unreached, default=None)

    def open_window(self) -> Window:
        """Return the window; from now on what is published goes into it."""
        if self.window is None:
            self.window = Window(self.heard, self._bounds)
        return self.window

    def serve(self) -> None:
        """Write to all who wait what the window has for them."""
        for joiner in tuple(self._joiners.values()):
            self._continue(joiner)

    def give_up(self, offset: int) -> None:
        """Let all who wait for this offset or a smaller one go on without what they missed."""
        self._hopeless = max(self._hopeless, offset + 1)
        for joiner in tuple(self._joiners.values()):
            if joiner.offset <= offset:
                self._admit(joiner, resumed=False)

    def refuse_beyond(self, last: int) -> None:
        """Let all who claim to have heard more than there is go on like newcomers."""
        for joiner in tuple(self._joiners.values()):
            if joiner.offset > last:
                self._admit(joiner, resumed=False)

    # Small steps.

    def _reaches(self, offset: int) -> bool:
        start = self.heard if self.window is None else self.window.start
        return start <= offset <= self.heard

    def _continue(self, joiner: _Joiner) -> None:
        if not self._reaches(joiner.offset) or joiner.outlet.backlog > self._bounds.chunk:
            return
        if self.window is None:
            self._admit(joiner, resumed=True)
            return
        portion = self.window.after(joiner.offset, joiner.excluded)
        joiner.replayed += portion.events
        metrics.REPLAYED.inc(portion.events)
        if portion.is_last:
            self._admit(joiner, portion.data, resumed=True)
            return
        joiner.offset = portion.offset
        position = wire.text(frames.position(self._room.channel, self._epoch.value, portion.offset))
        self._write(joiner, portion.data + position)

    def _admit(self, joiner: _Joiner, missed: bytes = b"", *, resumed: bool) -> None:
        self._room.flush()  # what was published before belongs to those who were there
        self._joiners.pop(joiner.socket_id, None)
        position = frames.position(
            self._room.channel, self._epoch.value, self.heard, resumed=resumed, replayed=joiner.replayed
        )
        greeting = b"" if resumed else self._room.greeting()
        self._write(joiner, missed + greeting + wire.text(position))
        self._members[joiner.socket_id] = joiner.outlet
        self._fanout = None
        self._room.touch()
        metrics.RESUMES.labels("resumed" if resumed else "not resumed").inc()

    def _write(self, joiner: _Joiner, data: bytes) -> None:
        joiner.outlet.write(data if joiner.welcomed else self._room.welcome(joiner.welcome) + data)
        joiner.welcomed = True

    def _position(self) -> bytes:
        """Return a position, encoded, or nothing when everybody knows it."""
        now = (self._epoch.value, self.heard)
        if now == self._told:
            return b""
        self._told, self.spoke = now, True
        return wire.text(frames.position(self._room.channel, *now))

    def _fan_out(self, data: bytes, excluded: Outlet | None = None) -> None:
        if self._fanout is None:
            self._fanout = Fanout(self._members.values())
        self._fanout.write(data, None if excluded is None else excluded.descriptor)
