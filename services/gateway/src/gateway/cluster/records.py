"""The records of the stream `STATE`: subjects, headers and bodies, for everyone who writes or reads them.

| subject | body | expires |
| --- | --- | --- |
| `state.node.<node>` | `{"connections": {"<app>": 17}}` | after a lease |
| `state.process.<node>` | `{}` | never: whoever finds it without a lease may clear up after the node |
| `state.topic.<app>.<topic>.<node>.<member>` | `{"user_id": "7", "user_info": "<JSON text>"}` | never |
| `state.topic.<app>.<topic>.<node>` | `{"count": 12}` | never |

A topic is a channel, or `#server-to-user-<id>` for "this user is signed in". An empty body says that the record is
over; it expires by itself. What is stored reaches the gateways on the same subject below `roster.`. Each record has the
number of the write in its header `Record-Version`, counted by the node: of two records of one subject the higher one is
true.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from contracts import subjects

LEASES: Final = "state.node.*"
PROCESSES: Final = "state.process.*"
TOPICS: Final = "state.topic.>"
VERSION_HEADER: Final = "Record-Version"
EXPIRY_HEADER: Final = "Nats-TTL"
SEQUENCE_HEADER: Final = "Nats-Sequence"
OVER: Final = b""
LONGEST_TOKEN: Final = 600  # characters; NATS refuses a command line, subject included, of more than 4096

_COUNT_PARTS: Final = 5
_MEMBER_PARTS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one node says about a topic: a member it has there, or how many listeners."""

    app_id: str
    topic: str
    node: str
    member: str
    """The member's subject token; empty: the record is a count."""
    version: int
    sequence: int
    """Where it is stored; a later one of another node is newer."""
    over: bool
    user_id: str = ""
    info: str | None = None
    """JSON text."""
    count: int = 0


def lease(node: str) -> str:
    return f"state.node.{node}"


def process(node: str) -> str:
    return f"state.process.{node}"


def topic(app_id: str, name: str) -> str:
    """Return the pattern of all records of a topic."""
    return f"state.topic.{subjects.token(app_id)}.{subjects.token(name)}.>"


def member(app_id: str, name: str, node: str, user_id: str) -> str:
    return f"{count(app_id, name, node)}.{member_token(user_id)}"


def count(app_id: str, name: str, node: str) -> str:
    return f"state.topic.{subjects.token(app_id)}.{subjects.token(name)}.{node}"


def of_node(node: str) -> tuple[str, str, str]:
    """Return the patterns of all records of a node but its lease: that it lived, its counts, its members."""
    return process(node), f"state.topic.*.*.{node}", f"state.topic.*.*.{node}.*"


def live(subject: str) -> str:
    """Return where the server hands on what it stores on a subject."""
    return f"roster.{subject.removeprefix('state.')}"


def node_of(subject: str) -> str:
    """Return the node of a lease or process, stored or live."""
    return subject.rpartition(".")[2]


def member_token(user_id: str) -> str:
    """Return a user id as a subject token; one that would be too long is replaced by its hash."""
    token = subjects.token(user_id)
    return token if len(token) <= LONGEST_TOKEN else f"~{hashlib.sha256(user_id.encode()).hexdigest()}"


def lease_body(connections: Mapping[str, int]) -> bytes:
    return orjson.dumps({"connections": dict(connections)})


def connections(body: bytes) -> dict[str, int] | None:
    """Return app → connections of a lease's body; None when it is none of ours."""
    try:
        found = orjson.loads(body)["connections"]
        if all(type(number) is int and number >= 0 for number in found.values()):
            return dict(found)
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    return None


def version(headers: Mapping[str, str]) -> int:
    """Return the version of a record; 0, which no record of ours has, when it has none."""
    try:
        return int(headers[VERSION_HEADER])
    except (KeyError, ValueError):
        return 0


def member_body(user_id: str, info: str | None) -> bytes:
    return orjson.dumps({"user_id": user_id} if info is None else {"user_id": user_id, "user_info": info})


def count_body(number: int) -> bytes:
    return orjson.dumps({"count": number})


def parse(subject: str, headers: Mapping[str, str], body: bytes) -> Record | None:
    """Return what a message below `topic` says, stored or live; None when it is not one of ours."""
    parts = subject.split(".")
    if len(parts) not in {_COUNT_PARTS, _MEMBER_PARTS}:
        return None
    try:
        fields = orjson.loads(body) if body else {}
        return Record(
            app_id=subjects.name_of(parts[2]),
            topic=subjects.name_of(parts[3]),
            node=parts[4],
            member=parts[5] if len(parts) == _MEMBER_PARTS else "",
            version=int(headers[VERSION_HEADER]),
            sequence=int(headers[SEQUENCE_HEADER]),
            over=not body,
            user_id=str(fields.get("user_id", "")),
            info=fields.get("user_info"),
            count=int(fields.get("count", 0)),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None
