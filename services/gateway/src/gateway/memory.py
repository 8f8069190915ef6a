"""What this gateway did with the last pushes, for who asks where one has gone. What is older, only the log knows."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from contracts.push import EXCEPT_SOCKET_HEADER, SEQUENCE_HEADER
from contracts.where import Delivered, Deliveries, DeliveriesAsked

REMEMBERED: Final = 10_000  # pushes; some 3 MB


class Memory:
    """Bounded: the oldest is forgotten first."""

    def __init__(self, now: Callable[[], float], *, most: int = REMEMBERED) -> None:
        """Remember nothing yet.

        Args:
            now: Unix time in seconds.
            most: how many pushes.
        """
        self._now = now
        self._since = now()
        self._pushes: deque[tuple[str, str, bool, int, float]] = deque(maxlen=most)

    def note(self, message_id: str, headers: Mapping[str, str], sockets: int) -> None:
        """Remember that a push was given to so many sockets."""
        pushes = self._pushes
        if len(pushes) == pushes.maxlen:
            self._since = pushes[0][-1]
        has_author = EXCEPT_SOCKET_HEADER in headers
        pushes.append((message_id, headers.get(SEQUENCE_HEADER, "0"), has_author, sockets, self._now()))

    def answer(self, question: bytes, node: str, nodes: tuple[str, ...]) -> bytes:
        """Return what is remembered of the pushes of a question; nothing of one that cannot be read."""
        try:
            wanted = frozenset(DeliveriesAsked.model_validate_json(question).message_ids)
        except ValidationError:
            wanted = frozenset()
        delivered = tuple(
            Delivered(message_id=key, sequence=int(sequence), at=_time(at), sockets=sockets, has_author=has_author)
            for key, sequence, has_author, sockets, at in self._pushes
            if key in wanted
        )
        answer = Deliveries(node=node, nodes=nodes, since=_time(self._since), delivered=delivered)
        return answer.model_dump_json().encode()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
