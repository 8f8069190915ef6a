"""A topic that somebody here watches."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.cluster import records
from gateway.cluster.roster import Change, Roster


class Watcher(Protocol):
    """Somebody who wants to know who is on a topic."""

    def changed(self, changes: Sequence[Change]) -> None:
        """The roster is complete now (the first call, without changes), or a record of it has changed."""


class Watch:
    """A roster and those who are told about it."""

    def __init__(self, app_id: str, topic: str, roster: Roster) -> None:
        self.app_id = app_id
        self.topic = topic
        self.roster = roster
        self.ready = False
        """Whether the roster is complete."""
        self.watchers: dict[Watcher, None] = {}

    @property
    def pattern(self) -> str:
        """The subjects of its records in the stream."""
        return records.topic(self.app_id, self.topic)

    def take(self, subject: str, headers: Mapping[str, str], body: bytes) -> None:
        """Apply a record, and tell."""
        record = records.parse(subject, headers, body)
        changes = None if record is None else self.roster.apply(record)
        if changes is not None:
            self.tell(changes)

    def complete(self, changes: Sequence[Change]) -> None:
        """Tell what a snapshot changed; what the first one holds is no change."""
        first, self.ready = not self.ready, True
        self.tell(() if first else changes)

    def tell(self, changes: Sequence[Change]) -> None:
        """Tell all watchers, once the roster is complete."""
        if self.ready:
            for watcher in tuple(self.watchers):
                watcher.changed(changes)
