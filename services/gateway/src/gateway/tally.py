"""How many listen to a channel: each gateway tells the others of its own, and its listeners of all together.

Only channels of apps that want to know have one. A burst of joins and leaves is told once.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway import wire
from gateway.cluster.roster import Change
from gateway.cluster.watch import Watch, Watcher
from gateway.pusher import channels, frames
from gateway.pusher.app import App, WebhookEvent
from gateway.pusher.channels import Kind

GATHER: Final = 0.05  # seconds from a join or leave until the others are told
MANY: Final = 100  # connections; above it, listeners are told now and then
PAUSE: Final = 5.0  # seconds between two frames to so many


class Board(Protocol):
    """What all gateways know together; see `Cluster`."""

    def watch(self, app_id: str, topic: str, watcher: Watcher) -> Watch: ...

    def unwatch(self, watch: Watch, watcher: Watcher) -> None: ...

    def tell_count(self, app_id: str, topic: str, number: int) -> None: ...

    def has_told_count(self, watch: Watch) -> bool: ...


class Hall(Protocol):
    """The room of the channel."""

    app_id: str
    channel: str

    @property
    def listeners(self) -> int: ...

    def publish(self, frame: bytes) -> int: ...


class Timer(Protocol):
    """One timer of a clock."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The event loop's clock."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer: ...


class Tally:
    """The count of one channel."""

    def __init__(self, hall: Hall, board: Board, clock: Clock, *, aloud: bool) -> None:
        """Begin to count.

        Args:
            hall: whose listeners.
            board: where the others are told.
            clock: for the pauses.
            aloud: whether the listeners are told, too.
        """
        self._hall = hall
        self._board = board
        self._clock = clock
        self._telling: Timer | None = None
        self._sending: Timer | None = None
        self._sent_at = -PAUSE
        self._sent = 0
        self._owed = False
        self._watch = board.watch(hall.app_id, hall.channel, self) if aloud else None

    def touch(self) -> None:
        """Take note that a listener came or went."""
        self._owed = True
        if self._telling is None:
            self._telling = self._clock.call_later(GATHER, self._tell)

    def changed(self, changes: Sequence[Change]) -> None:
        """Tell the listeners: a gateway has counted anew."""
        del changes  # members are another matter
        assert self._watch is not None
        number = self._watch.roster.count
        if self._sending is not None or not self._board.has_told_count(self._watch):
            return
        if not self._owed and number == self._sent:
            return
        pause = 0 if number <= MANY else max(0.0, self._sent_at + PAUSE - self._clock.time())
        self._sending = self._clock.call_later(pause, self._send)

    def close(self) -> None:
        """Forget the channel; nobody listens."""
        if self._telling is not None:
            self._telling.cancel()
        if self._sending is not None:
            self._sending.cancel()
        if self._watch is not None:
            self._board.unwatch(self._watch, self)
        self._board.tell_count(self._hall.app_id, self._hall.channel, 0)

    def _tell(self) -> None:
        self._telling = None
        self._board.tell_count(self._hall.app_id, self._hall.channel, self._hall.listeners)

    def _send(self) -> None:
        assert self._watch is not None
        self._sending = None
        self._owed = False
        self._sent, self._sent_at = self._watch.roster.count, self._clock.time()
        self._hall.publish(wire.text(frames.subscription_count(self._hall.channel, self._sent)))


def for_hall(hall: Hall, board: Board, clock: Clock, app: App | None) -> Tally | None:
    """Return the tally of a channel if its app, or an endpoint of it, wants to know; see `Tally`."""
    kind = channels.kind_of(hall.channel)
    if app is None or kind is Kind.USER:
        return None
    aloud = app.subscription_counting and not kind.presence
    told = app.notifies(WebhookEvent.CHANNEL_OCCUPIED, WebhookEvent.CHANNEL_VACATED, WebhookEvent.SUBSCRIPTION_COUNT)
    return Tally(hall, board, clock, aloud=aloud) if aloud or told else None
