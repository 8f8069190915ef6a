"""What one connection hears about the users on its watchlist (Pusher docs, "Watchlist events")."""

from collections.abc import Callable, Iterable

from gateway.pusher import frames


class Watchlist:
    """The state of some users as it was last told."""

    __slots__ = ("_own", "_told", "user_ids")

    def __init__(self, own: str, user_ids: tuple[str, ...]) -> None:
        """Have told nothing.

        Args:
            own: the id of the user who watches, online for as long as anything can be told.
            user_ids: who is watched.
        """
        self.user_ids = user_ids
        self._own = own
        self._told: dict[str, bool] = {}

    def news(self, user_ids: Iterable[str], online: Callable[[str], bool]) -> bytes | None:
        """Return the frame that tells what is not told yet about some of the users; None when there is nothing.

        Args:
            user_ids: about whom.
            online: whether a user is signed in somewhere now.
        """
        changed: dict[bool, list[str]] = {False: [], True: []}
        for user_id in user_ids:
            state = user_id == self._own or online(user_id)
            if self._told.get(user_id) is not state:
                self._told[user_id] = state
                changed[state].append(user_id)
        return frames.watchlist_events(offline=changed[False], online=changed[True]) if any(changed.values()) else None
