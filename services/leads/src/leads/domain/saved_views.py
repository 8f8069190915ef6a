"""The rules about saved views: lists of leads under a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leads.domain import listing
from leads.domain.company import Company, SettingsRefusal, TooMany

MOST_VIEWS: Final = 1_000  # of one company
MOST_OWN: Final = 100


class ViewNotFound(SettingsRefusal):
    """There is no such view, or it is a colleague's own."""

    code = "view_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """A list of leads under a name."""

    id: str
    owner: str
    """A user's id."""
    name: str
    query: Mapping[str, str | list[str]]
    """Parameters of `GET /leads`: each has one value, or a list of them."""
    shared: bool = False
    """Whether colleagues see it, too."""
    created_at: datetime
    updated_at: datetime

    def is_visible_to(self, user_id: str) -> bool:
        return self.shared or self.owner == user_id


def require_room(own: int, all_views: int) -> None:
    """Refuse one view too many."""
    if own >= MOST_OWN or all_views >= MOST_VIEWS:
        raise TooMany


def visible(view: SavedView | None, user_id: str) -> SavedView:
    """Return a view to somebody who may see it.

    Raises:
        ViewNotFound: they may not, or there is none.
    """
    if view is None or not view.is_visible_to(user_id):
        raise ViewNotFound
    return view


def require_query(query: Mapping[str, object], company: Company) -> None:
    """Refuse parameters that `GET /leads` would not understand.

    Raises:
        InvalidQuery: see `listing`.
    """
    listing.parse(listing.from_json(query), company)
