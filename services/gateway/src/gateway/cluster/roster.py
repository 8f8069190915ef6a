"""Who is present on a topic, and how many listen, by the records of living nodes.

Every gateway applies the same records in the same order, so that a user joins once and leaves once, whatever number of
tabs and nodes that takes.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import TypeAlias

from gateway.cluster.records import Record


@dataclass(frozen=True, slots=True)
class Joined:
    """A user who was not there before."""

    user_id: str
    info: str | None


@dataclass(frozen=True, slots=True)
class Left:
    """A user who is nowhere any more."""

    user_id: str


Change: TypeAlias = Joined | Left


class Roster:
    """One topic."""

    def __init__(self, living: Set[str]) -> None:
        """Make an empty roster.

        Args:
            living: the nodes whose records count; call `node_changed` after each change of it.
        """
        self._living = living
        self._records: dict[str, dict[str, Record]] = {}  # node → member token → what stands; "" is the count
        self._holders: dict[str, dict[str, Record]] = {}  # member token → living node → what stands
        self._doubtful: set[tuple[str, str]] = set()
        self._over: dict[tuple[str, str], int] | None = None  # what ended while a snapshot is read: it may be older

    def __len__(self) -> int:
        """Return the number of distinct users."""
        return len(self._holders)

    @property
    def members(self) -> dict[str, str | None]:
        """User id → information, the latest of several; in the order in which they joined."""
        newest = (max(holders.values(), key=_sequence) for holders in self._holders.values())
        return {record.user_id: record.info for record in newest}

    @property
    def count(self) -> int:
        """How many listeners all nodes together have told of."""
        return sum(
            records[""].count for node, records in self._records.items() if node in self._living and "" in records
        )

    def version(self, node: str, member: str) -> int:
        """Return the version of a node's standing record, 0 when there is none."""
        record = self._records.get(node, {}).get(member)
        return 0 if record is None else record.version

    def rank(self, member: str) -> int:
        """Return how many members were there before this one."""
        joined = {token: min(map(_sequence, holders.values())) for token, holders in self._holders.items()}
        return sum(sequence < joined[member] for sequence in joined.values())

    def __contains__(self, member: str) -> bool:
        return member in self._holders

    def apply(self, record: Record) -> list[Change] | None:
        """Take a record, live or of a snapshot; return what it changes, None when it is old news."""
        key = (record.node, record.member)
        known = self._records.get(record.node, {}).get(record.member)
        newest = known.version if known is not None else (self._over or {}).get(key, 0)
        self._doubtful.discard(key)
        if record.version <= newest:
            return None
        if record.over:
            if self._over is not None:
                self._over[key] = record.version
            return self._remove(*key)
        self._records.setdefault(record.node, {})[record.member] = record
        return self._hold(record) if record.node in self._living and record.member else []

    def begin(self) -> None:
        """Begin with a snapshot: what it does not confirm by its end is over."""
        self._over = {}
        self._doubtful = {(node, member) for node, records in self._records.items() for member in records}

    def finish(self, keep: Callable[[str, str], bool]) -> list[Change]:
        """End with a snapshot; return what its silence changes.

        Args:
            keep: (node, member token) → whether that record stands although the stream does not have it.
        """
        silent, self._doubtful = self._doubtful, set()
        self._over = None
        return [change for key in silent if not keep(*key) for change in self._remove(*key)]

    def knows(self, node: str) -> bool:
        """Whether a node has records here."""
        return node in self._records

    @property
    def empty(self) -> bool:
        """Whether no node, living or not, has a record here."""
        return not self._records

    def forget(self, node: str) -> None:
        """Forget the records of a node that does not live, and will publish them anew if it ever returns."""
        self._records.pop(node, None)

    def node_changed(self, node: str) -> list[Change]:
        """Count a node's records again, or no more; return what that changes."""
        records = [record for record in self._records.get(node, {}).values() if record.member]
        if node in self._living:
            return [change for record in records for change in self._hold(record)]
        return [change for record in records for change in self._let_go(node, record.member)]

    def _hold(self, record: Record) -> list[Change]:
        holders = self._holders.setdefault(record.member, {})
        joined = not holders
        holders[record.node] = record
        return [Joined(record.user_id, record.info)] if joined else []

    def _remove(self, node: str, member: str) -> list[Change]:
        records = self._records.get(node, {})
        records.pop(member, None)
        if not records:
            self._records.pop(node, None)
        return self._let_go(node, member)

    def _let_go(self, node: str, member: str) -> list[Change]:
        holders = self._holders.get(member, {})
        record = holders.pop(node, None)
        if record is None or holders:
            return []
        del self._holders[member]
        return [Left(record.user_id)]


def _sequence(record: Record) -> int:
    return record.sequence
