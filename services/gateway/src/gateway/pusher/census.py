"""How many listen to an app's channels, on all gateways together: one asks, each answers for itself.

A question and an answer are JSON. An answer comes in parts, because a message of NATS has a greatest size; a channel
with very many users may be spread over several rows.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import orjson

PART: Final = 128 * 1024  # bytes of one part, at the most: making one must not hold up what goes to sockets
USERS: Final = 50  # ids in one piece of a row
ESCAPED: Final = 6  # bytes of JSON for one character of an id, at the most

_Slice: TypeAlias = tuple[str, int, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which channels of an app somebody asks about."""

    names: tuple[str, ...] | None = None
    """These; None: every one."""
    prefix: str = ""
    """Only those that begin so."""
    users: bool = False
    """Whether it matters who is there."""

    def encode(self) -> bytes:
        return orjson.dumps({"names": self.names, "prefix": self.prefix, "users": self.users})

    @classmethod
    def decode(cls, body: bytes) -> "Question":
        """Return the question of a message; `ValueError` when it is none."""
        fields = orjson.loads(body)
        try:
            names = fields["names"]
            return cls(
                names=None if names is None else tuple(names), prefix=str(fields["prefix"]), users=bool(fields["users"])
            )
        except (KeyError, TypeError) as error:
            raise ValueError("not a question") from error


class Row(NamedTuple):
    """What one gateway knows about one channel."""

    name: str
    subscriptions: int
    users: Collection[str] = ()
    """Ids of those who are there, on a presence channel."""


@dataclass(slots=True)
class Audience:
    """What all gateways together know about one channel."""

    subscriptions: int = 0
    users: dict[str, None] = field(default_factory=dict)
    """Distinct ids."""


def parts(node: str, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a gateway's answer, in messages of at most `PART` bytes; there is always a last one.

    Args:
        node: whose answer it is.
        rows: channels with listeners.
    """
    number, size = 0, 0
    waiting: list[_Slice] = []
    for row in rows:
        for part in _slices(row):
            cost = _cost(part)
            if waiting and size + cost > PART - 1024:
                yield _part(node, number, waiting, last=False)
                number, waiting, size = number + 1, [], 0
            waiting.append(part)
            size += cost
    yield _part(node, number, waiting, last=True)


class Poll:
    """The answers to one question, as they come in."""

    def __init__(self) -> None:
        self.audiences: dict[str, Audience] = {}
        self._received: dict[str, int] = {}
        self._announced: dict[str, int] = {}

    @property
    def answered(self) -> set[str]:
        """The nodes whose whole answer is there."""
        return {node for node, number in self._announced.items() if self._received[node] == number}

    def take(self, body: bytes) -> None:
        """Add one part of an answer."""
        part = orjson.loads(body)
        node = part["node"]
        self._received[node] = self._received.get(node, 0) + 1
        if part["last"]:
            self._announced[node] = part["number"] + 1
        for name, subscriptions, users in part["rows"]:
            audience = self.audiences.get(name)
            if audience is None:
                audience = self.audiences[name] = Audience()
            audience.subscriptions += subscriptions
            if users:
                audience.users.update(dict.fromkeys(users))


def of(audiences: Mapping[str, Audience], name: str) -> Audience:
    """Return what is known about a channel, also when nobody listens to it."""
    return audiences.get(name) or Audience()


def _slices(row: Row) -> Iterator[_Slice]:
    """Cut a row with very many users; only the first piece counts subscriptions."""
    if len(row.users) <= USERS:
        yield row.name, row.subscriptions, list(row.users)
        return
    users = iter(row.users)
    yield row.name, row.subscriptions, list(islice(users, USERS))
    while more := list(islice(users, USERS)):
        yield row.name, 0, more


def _cost(piece: _Slice) -> int:
    """Return how many bytes of JSON it has at the most; nothing in a channel's name is escaped."""
    name, _, users = piece
    return len(name) + 32 + sum(len(user) * ESCAPED + 3 for user in users)


def _part(node: str, number: int, rows: list[_Slice], *, last: bool) -> bytes:
    return orjson.dumps({"node": node, "number": number, "last": last, "rows": rows})
