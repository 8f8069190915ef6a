"""How far a company's feed is applied, and which facts that were: what tells another fact in the place of one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SIZE: Final = 8  # bytes of a digest
REMEMBERED: Final = 32  # facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last applied position of a company."""

    position: int = 0
    epoch: str | None = None
    """The log's, when the last fact was applied; None for a company of which nothing was applied yet."""
    digests: bytes = b""
    """Of the last applied facts, the newest one last."""

    @property
    def known_from(self) -> int:
        """The first position whose fact is remembered; one beyond the cursor when none is."""
        return self.position + 1 - len(self.digests) // SIZE

    def digest_at(self, position: int) -> bytes | None:
        """Return the digest of the fact that was applied at a position, if it is remembered."""
        if not self.known_from <= position <= self.position:
            return None
        end = len(self.digests) - (self.position - position) * SIZE
        return self.digests[end - SIZE : end]

    def after(self, digests: Iterable[bytes], epoch: str | None) -> "Cursor":
        """Return the cursor after more facts."""
        added = b"".join(digests)
        return Cursor(
            position=self.position + len(added) // SIZE,
            epoch=epoch or self.epoch,
            digests=(self.digests + added)[-REMEMBERED * SIZE :],
        )

    def back_at(self, position: int, epoch: str | None) -> "Cursor":
        """Return the cursor at an earlier position, or the same one, of another epoch perhaps."""
        gone = (self.position - position) * SIZE
        kept = self.digests[: max(0, len(self.digests) - gone)]
        return Cursor(position=position, epoch=epoch, digests=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What the log says of a company's feed."""

    position: int
    """Its last position."""
    epoch: str | None = None
    shared: Mapping[str, int | None]
    """Epoch → the last position up to which its feed is still the same; None: all of it."""
    shared_with_others: int | None = None
    """The same for an epoch that the log does not know."""

    def shared_with(self, epoch: str | None) -> int | None:
        """Return up to which position the feed is the same as in an epoch; None: as far as it goes."""
        return self.shared[epoch] if epoch is not None and epoch in self.shared else self.shared_with_others


def agreed(cursor: Cursor, log: Mapping[int, bytes], feed: Feed) -> int:
    """Return the last position up to which what was applied is what the log says.

    Args:
        cursor: what was applied.
        log: position → digest of the log's fact, for all that the cursor remembers, as far as the log goes.
        feed: what the log says besides.
    """
    for position in range(cursor.position, cursor.known_from - 1, -1):
        if log.get(position) == cursor.digest_at(position):
            return position
    bound = min(cursor.known_from - 1, feed.position)
    if cursor.epoch == feed.epoch:
        return bound
    shared = feed.shared_with(cursor.epoch)
    return bound if shared is None else min(bound, shared)
