"""Resume: what a client says it has heard of a channel, inside the signed `channel_data` of its subscription.

`{"leadwire":{"epoch":"6f1c-0","offset":123,"except":["<its previous socket id>"]}}`; everything in it may be missing.
The member alone makes the subscription an opted-in one, which hears positions.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

MEMBER: Final = "leadwire"
MAX_EPOCH: Final = 64  # characters
MAX_EXCEPT: Final = 10  # socket ids
LARGEST: Final = (1 << 63) - 1

_SOCKET_ID = re.compile(r"\d{1,20}\.\d{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Resume:
    """A subscription that opted in, and where it left off, if it was here before."""

    epoch: str | None = None
    offset: int | None = None
    """The last sequence number of the stream up to which it heard everything."""
    excluded: frozenset[str] = frozenset()
    """Socket ids it had: events that exclude one of them were its own."""


def parse(channel_data: object) -> Resume | None:
    """Return what a subscription asks for, None when it does not opt in.

    Args:
        channel_data: as it was signed; only a JSON object with our member concerns us.

    Raises:
        ValueError: our member is malformed.
    """
    if not isinstance(channel_data, str) or MEMBER not in channel_data:
        return None
    try:
        data = orjson.loads(channel_data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(data, dict) or MEMBER not in data:
        return None
    return _resume(data[MEMBER])


def _resume(member: Any) -> Resume:  # noqa: ANN401 - any JSON value
    if not isinstance(member, dict):
        raise ValueError("leadwire must be an object")  # noqa: TRY004 - one error for all that is malformed
    epoch, offset, excluded = member.get("epoch"), member.get("offset"), member.get("except", [])
    if epoch is not None and not (isinstance(epoch, str) and len(epoch) <= MAX_EPOCH):
        raise ValueError(f"leadwire.epoch must be a string of at most {MAX_EPOCH} characters")
    if offset is not None and not (type(offset) is int and 0 <= offset <= LARGEST):
        raise ValueError("leadwire.offset must be a whole number from 0 to 2^63-1")
    if not isinstance(excluded, list) or len(excluded) > MAX_EXCEPT or not all(map(_is_socket_id, excluded)):
        raise ValueError(f"leadwire.except must be a list of at most {MAX_EXCEPT} socket ids")
    return Resume(epoch, offset, frozenset(excluded))


def _is_socket_id(value: object) -> bool:
    return isinstance(value, str) and _SOCKET_ID.fullmatch(value) is not None
