"""What a cache channel remembers: its last stored event, for those who join later."""

from collections.abc import Callable

from gateway import wire
from gateway.pusher import channels, frames


class Cache:
    """One channel's last event, as it stands on the wire. Clients' own events are never kept here."""

    __slots__ = ("_frame", "_lifetime", "_miss", "_now", "_stored")

    def __init__(self, channel: str, *, lifetime: float, now: Callable[[], float]) -> None:
        """Make an empty cache.

        Args:
            channel: its name.
            lifetime: seconds from storing an event to forgetting it.
            now: Unix time in seconds.
        """
        self._lifetime = lifetime
        self._now = now
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
        return self._frame if self._now() - self._stored < self._lifetime else self._miss


def for_channel(name: str, *, lifetime: float, now: Callable[[], float]) -> Cache | None:
    """Return a new cache for a channel that has one; see `Cache`."""
    return Cache(name, lifetime=lifetime, now=now) if channels.kind_of(name).cached else None
