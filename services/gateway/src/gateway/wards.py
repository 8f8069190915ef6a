"""Connections that end when their user is sent away, although nobody signed in on them. They hear nothing of the user.

An application may have signed a subscription before it sent the user away, and the client may use that signature only
afterwards. No signature for a connection is older than the connection. So an order concerns every connection that was
established before it, and a connection is let in only once all orders since then are known.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Moment(NamedTuple):
    """When a connection was established."""

    at: float
    """Seconds since 1970."""
    epoch: str
    """Which stream `sequence` belongs to; empty when the stream had not been looked at."""
    sequence: int
    """A number that the stream had reached by then: what is stored under it or a smaller one came before."""


Admit = Callable[[], None]


class Wards:
    """The connections of one user of one app on this gateway."""

    def __init__(self) -> None:
        self._since: dict[str, Moment] = {}
        self._waiting: dict[str, Admit] = {}
        self._ordered_at: float | None = None
        self._known: tuple[str, int] | None = None
        self.returns = False
        """Whether, by the last order, the clients come back at once."""

    def __len__(self) -> int:
        return len(self._since)

    @property
    def waiting(self) -> bool:
        """Whether somebody has not been let in."""
        return bool(self._waiting)

    def sockets(self) -> Iterator[str]:
        """Yield all socket ids."""
        return iter(self._since)

    def add(self, socket_id: str, since: Moment, admit: Admit) -> None:
        """Take a connection; `admit` is called once no order can concern it any more that was given before."""
        self._since[socket_id] = since
        self._waiting[socket_id] = admit

    def remove(self, socket_id: str) -> None:
        self._since.pop(socket_id, None)
        self._waiting.pop(socket_id, None)

    def unread(self, epoch: str) -> int | None:
        """Return the number after which the stream must be read for orders; None when nobody needs that.

        Args:
            epoch: of the stream as it is now.
        """
        moments = (self._since[socket_id] for socket_id in self._waiting)
        return min((now.sequence for now in moments if now.epoch == epoch and not self._knows(now)), default=None)

    def know(self, epoch: str, after: int) -> None:
        """Take note that all orders after a number of a stream are known, and those to come will be."""
        if self._known is not None and self._known[0] == epoch:
            after = min(after, self._known[1])
        self._known = epoch, after

    def forget(self) -> None:
        """Take note that orders may have been missed."""
        self._known = None

    def order(self, at: float, *, returns: bool) -> None:
        """Take note that the user was sent away at a moment."""
        if self._ordered_at is None or at >= self._ordered_at:
            self._ordered_at, self.returns = at, returns

    def overdue(self) -> list[str]:
        """Return the socket ids of those who were there when the user was sent away."""
        at = self._ordered_at
        return [] if at is None else [socket_id for socket_id, since in self._since.items() if since.at < at]

    def undecidable(self) -> list[str]:
        """Return the socket ids of those who wait though everything that can be known is known."""
        return [socket_id for socket_id in self._waiting if not self._knows(self._since[socket_id])]

    def settled(self) -> list[Admit]:
        """Return what lets those in whom no order concerns; they wait no longer."""
        overdue = set(self.overdue())
        clear = [
            socket_id for socket_id in self._waiting if socket_id not in overdue and self._knows(self._since[socket_id])
        ]
        return [self._waiting.pop(socket_id) for socket_id in clear]

    def _knows(self, moment: Moment) -> bool:
        """Whether all orders since a moment are known."""
        return self._known is not None and self._known[0] == moment.epoch and self._known[1] <= moment.sequence
