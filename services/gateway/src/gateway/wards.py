"""Connections that are somebody's without being signed in: they end when the user is sent away, and hear nothing.

An application may have signed a subscription before it sent the user away, and the client may use that signature only
after. So what counts is when the connection was established: no signature for it is older. Orders that come live close
all who are there; those of before are looked up in the stream, once for a user as long as somebody is there.
"""

from collections.abc import Iterator


class Wards:
    """The connections of one user of one app on this gateway."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._ordered_at: float | None = None
        self._known_since: float | None = None
        self.returns = False
        """Whether, by the last order, the clients come back at once."""

    def __len__(self) -> int:
        return len(self._since)

    def sockets(self) -> Iterator[str]:
        """Yield all socket ids."""
        return iter(self._since)

    def add(self, socket_id: str, since: float) -> None:
        """Take a connection that was established then (seconds since 1970)."""
        self._since[socket_id] = since

    def remove(self, socket_id: str) -> None:
        self._since.pop(socket_id, None)

    @property
    def unknown_since(self) -> float | None:
        """From when on the stream must be asked for orders; None when all that concern anybody are known."""
        first = min(self._since.values(), default=None)
        known = self._known_since
        return None if first is None or (known is not None and known <= first) else first

    def know(self, since: float) -> None:
        """Take note that all orders after a moment are known, and those to come will be."""
        self._known_since = since if self._known_since is None else min(self._known_since, since)

    def order(self, at: float, *, returns: bool) -> None:
        """Take note that the user was sent away at a moment."""
        if self._ordered_at is None or at >= self._ordered_at:
            self._ordered_at, self.returns = at, returns

    def overdue(self) -> list[str]:
        """Return the socket ids of those who were there when the user was sent away."""
        at = self._ordered_at
        return [] if at is None else [socket_id for socket_id, since in self._since.items() if since < at]
