"""What this process wants to stand in the stream. Writers say what they want; one task makes it so."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gateway.cluster.records import OVER


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall stand on a subject; an empty body: nothing."""

    subject: str
    body: bytes
    version: int


class Desired:
    """All wishes: those that stand, and those that are still to be published. The last wish of a subject counts."""

    def __init__(self) -> None:
        self._standing: dict[str, Wish] = {}
        self._dirty: dict[str, Wish] = {}
        self._version = 0

    def __len__(self) -> int:
        return len(self._standing)

    def __contains__(self, subject: str) -> bool:
        return subject in self._standing

    @property
    def dirty(self) -> bool:
        """Whether something is to be published."""
        return bool(self._dirty)

    def put(self, subject: str, body: bytes) -> int:
        """Want a record; return its version."""
        wish = self._wish(subject, body)
        self._standing[subject] = wish
        return wish.version

    def remove(self, subject: str) -> None:
        """Want no record any more."""
        self._wish(subject, OVER)
        self._standing.pop(subject, None)

    def clear(self) -> None:
        """Want nothing any more."""
        for subject in list(self._standing):
            self.remove(subject)

    def take(self, most: int) -> list[Wish]:
        """Return what is to be published now, and count it as published."""
        return [self._dirty.pop(subject) for subject in list(self._dirty)[:most]]

    def failed(self, wishes: Iterable[Wish]) -> None:
        """Take back what was not published, unless it is not wanted any more."""
        for wish in wishes:
            self._dirty.setdefault(wish.subject, wish)

    def everything(self) -> None:
        """Publish all that stands once more."""
        self.failed(self._standing.values())

    def compare(self, found: Mapping[str, int], over: Collection[str]) -> None:
        """Compare with what stands in the stream, and publish the difference.

        Args:
            found: subject → version.
            over: those of them whose body is empty.
        """
        for subject, wish in self._standing.items():
            if found.get(subject) != wish.version:
                self._dirty.setdefault(subject, wish)
        for subject in found:
            if subject not in self._standing and subject not in over and subject not in self._dirty:
                self.remove(subject)

    def _wish(self, subject: str, body: bytes) -> Wish:
        self._version += 1
        wish = self._dirty[subject] = Wish(subject, body, self._version)
        return wish
