"""Tags: lower case, sorted, each once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from contracts.events import LeadEvent, LeadSummary, LeadTagged
from leads.domain.lead import Lead, after, changes_of, existing
from leads.domain.refusals import InvalidTag

MOST: Final = 50
LONGEST: Final = 50


def normalised(tags: Iterable[str], pointer: str = "/tags") -> tuple[str, ...]:
    """Return tags as they are kept.

    Raises:
        InvalidTag: one is blank or too long, or there are too many.
    """
    kept = tuple(sorted({" ".join(tag.lower().split()) for tag in tags}))
    if len(kept) > MOST or not all(0 < len(tag) <= LONGEST and tag.isprintable() for tag in kept):
        raise InvalidTag(pointer)
    return kept


def tag(lead: Lead | None, add: Iterable[str], remove: Iterable[str], now: datetime) -> Sequence[LeadEvent]:
    """Add some tags and take others away."""
    current = existing(lead)
    kept = {*current.tags, *normalised(add, "/add")} - {*normalised(remove, "/remove")}
    return retag(lead, kept, now)


def retag(lead: Lead | None, tags: Iterable[str], now: datetime) -> Sequence[LeadEvent]:
    """Replace all tags."""
    current = existing(lead)
    return retagged(current, normalised(tags), now)


def retagged(current: LeadSummary, tags: tuple[str, ...], now: datetime) -> list[LeadEvent]:
    """Return what becomes of a lead that gets these tags in place of its own."""
    changes = changes_of(current, {"tags": tags})
    if not changes:
        return []
    added, removed = ({*tags} - {*current.tags}), ({*current.tags} - {*tags})
    lead = after(current, changes, now)
    return [LeadTagged(lead=lead, added=tuple(sorted(added)), removed=tuple(sorted(removed)))]
