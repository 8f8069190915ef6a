"""What a cache channel remembers: its last stored event, for those who join later."""

from collections.abc import Callable
from functools import partial

from gateway import wire
from gateway.pusher import channels, frames


class Cache:
    """One channel's last event, as it stands on the wire. Clients' own events are never kept here."""

    __slots__ = ("_frame", "_lifetime", "_miss", "_now", "_on_miss", "_stored")

    def __init__(
        self, channel: str, *, lifetime: float, now: Callable[[], float], on_miss: Callable[[], None] = lambda: None
    ) -> None:
        """Make an empty cache.

        Args:
            channel: its name.
            lifetime: seconds from storing an event to forgetting it.
            now: Unix time in seconds.
            on_miss: called when a greeting tells that there is none.
        """
        self._lifetime = lifetime
        self._now = now
        self._on_miss = on_miss
        self._miss = self._frame = wire.text(frames.cache_miss(channel))
        self._stored = 0.0

    def keep(self, frame: bytes, stored: float) -> None:
        """Remember an event instead of the one before.

        Args:
            frame: as it stands on the wire.
            stored: when, in Unix time.
        """
        self._frame, self._stored = frame, stored

    def greeting(self) -> bytes:
        """Return what follows `subscription_succeeded`: the event, or that there is none."""
        if self._frame is not self._miss and self._now() - self._stored < self._lifetime:
            return self._frame
        self._on_miss()
        return self._miss


def for_channel(
    app_id: str, name: str, *, lifetime: float, now: Callable[[], float], on_miss: Callable[[str, str], None]
) -> Cache | None:
    """Return a new cache for a channel that has one; see `Cache`. A miss is told with app id and channel."""
    if not channels.kind_of(name).cached:
        return None
    return Cache(name, lifetime=lifetime, now=now, on_miss=partial(on_miss, app_id, name))
