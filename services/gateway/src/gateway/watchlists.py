"""Which users are online, on whatever gateway, told to those who watch them.

A user is a member of the topic of the own channel on each gateway where a connection is signed in. So online is who is
a member anywhere, and the rosters tell the first and the last one.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway import wire
from gateway.cluster.roster import Change
from gateway.cluster.watch import Watch, Watcher
from gateway.pusher import channels
from gateway.pusher.watchlist import Watchlist

CallSoon = Callable[[Callable[[], None]], object]
Tell = Callable[[str, str, str, bytes], None]


class Board(Protocol):
    """What all gateways know together; see `Cluster`."""

    def watch(self, app_id: str, topic: str, watcher: Watcher) -> Watch: ...

    def unwatch(self, watch: Watch, watcher: Watcher) -> None: ...

    def enter(self, app_id: str, topic: str, user_id: str) -> int: ...

    def leave(self, app_id: str, topic: str, user_id: str) -> None: ...


class Watchlists:
    """The signed-in connections of apps that have watchlists."""

    def __init__(self, board: Board, tell: Tell, call_soon: CallSoon) -> None:
        """Make it empty.

        Args:
            board: where the users of all gateways are.
            tell: (app id, channel, socket id, encoded frame) → sends it after the connection's welcome to the channel.
            call_soon: calls a function in the event loop's next turn.
        """
        self._board = board
        self._tell = tell
        self._call_soon = call_soon
        self._present: dict[tuple[str, str], set[str]] = {}  # app and user id → socket ids here
        self._contacts: dict[tuple[str, str], _Contact] = {}
        self._viewers: dict[str, _Viewer] = {}

    def enter(self, app_id: str, user_id: str, socket_id: str, watchlist: tuple[str, ...]) -> None:
        """Let a connection be online as a user, and watch others instead of those it watched before."""
        present = self._present.setdefault((app_id, user_id), set())
        if not present:
            self._board.enter(app_id, channels.of_user(user_id), user_id)
        present.add(socket_id)
        former = self._viewers.get(socket_id)
        viewer = self._viewers[socket_id] = _Viewer(app_id, user_id, socket_id, watchlist, self._speak)
        for watched in watchlist:
            contact = self._contacts.get((app_id, watched))
            if contact is None:
                contact = self._contacts[app_id, watched] = _Contact(self._board, app_id, watched)
            contact.viewers[viewer] = None
            viewer.contacts[watched] = contact
        viewer.touch(watchlist)
        if former is not None:
            self._stop(former)

    def leave(self, socket_id: str) -> None:
        """Let a connection go, if it has entered."""
        viewer = self._viewers.pop(socket_id, None)
        if viewer is None:
            return
        self._stop(viewer)
        key = viewer.app_id, viewer.user_id
        self._present[key].discard(socket_id)
        if not self._present[key]:
            del self._present[key]
            self._board.leave(viewer.app_id, channels.of_user(viewer.user_id), viewer.user_id)

    def _stop(self, viewer: "_Viewer") -> None:
        """Watch nobody any more."""
        for user_id, contact in viewer.contacts.items():
            del contact.viewers[viewer]
            if not contact.viewers:
                contact.close()
                del self._contacts[viewer.app_id, user_id]

    def _speak(self, viewer: "_Viewer") -> None:
        """Tell a connection the news in the next turn: changes of many users at once become one frame."""

        def tell() -> None:
            frame = viewer.news()
            if frame is not None and self._viewers.get(viewer.socket_id) is viewer:
                self._tell(viewer.app_id, channels.of_user(viewer.user_id), viewer.socket_id, wire.text(frame))

        self._call_soon(tell)


class _Contact:
    """A user whom somebody here watches."""

    def __init__(self, board: Board, app_id: str, user_id: str) -> None:
        self.viewers: dict[_Viewer, None] = {}
        self._board = board
        self._user_id = user_id
        self._watch = board.watch(app_id, channels.of_user(user_id), self)

    @property
    def known(self) -> bool:
        """Whether it is known if the user is online."""
        return self._watch.ready

    @property
    def online(self) -> bool:
        return len(self._watch.roster) > 0

    def changed(self, changes: Sequence[Change]) -> None:
        """Let the viewers look again."""
        del changes  # what matters is whether anybody is left
        for viewer in self.viewers:
            viewer.touch((self._user_id,))

    def close(self) -> None:
        self._board.unwatch(self._watch, self)


class _Viewer:
    """A connection that watches users."""

    def __init__(
        self,
        app_id: str,
        user_id: str,
        socket_id: str,
        watchlist: tuple[str, ...],
        speak: Callable[["_Viewer"], None],
    ) -> None:
        self.app_id = app_id
        self.user_id = user_id
        self.socket_id = socket_id
        self.contacts: dict[str, _Contact] = {}
        self._watchlist = Watchlist(user_id, watchlist)
        self._speak = speak
        self._touched: dict[str, None] = {}
        self._unknown = set(watchlist)
        self._about_to_speak = False

    def touch(self, user_ids: Sequence[str]) -> None:
        """Look at some users again; the first news wait until all of them are known."""
        self._touched.update(dict.fromkeys(user_ids))
        if not self._about_to_speak:
            self._about_to_speak = True
            self._speak(self)

    def news(self) -> bytes | None:
        """Return the frame about those who were touched, if there is anything to tell."""
        self._about_to_speak = False
        self._unknown = {user_id for user_id in self._unknown if not self.contacts[user_id].known}
        if self._unknown:
            return None
        touched, self._touched = self._touched, {}
        return self._watchlist.news(touched, lambda user_id: self.contacts[user_id].online)
