"""A member of a presence channel, as its signed `channel_data` says."""

from dataclasses import dataclass
from typing import Any

import orjson

from gateway.pusher import channels, users


@dataclass(frozen=True, slots=True)
class Member:
    """A user, and what the others may know about them."""

    user_id: str
    info: str | None = None
    """JSON text; None when nothing is known."""


class InvalidMember(Exception):
    """There is no user id in it."""


class MemberTooLarge(Exception):
    """The user id or the information is too long."""


def parse(channel_data: str, *, max_bytes: int) -> Member:
    """Return the member of a `channel_data` text; 10 and `"10"` are the same user.

    Args:
        channel_data: JSON text.
        max_bytes: of the information.

    Raises:
        InvalidMember, MemberTooLarge: see there.
    """
    try:
        data = orjson.loads(channel_data)
    except orjson.JSONDecodeError:
        raise InvalidMember("channel_data is not JSON") from None
    if not isinstance(data, dict):
        raise InvalidMember("channel_data is not an object")
    user_id = users.as_text(data.get("user_id"))
    if not isinstance(user_id, str) or not user_id:
        raise InvalidMember("channel_data needs a user_id: a whole number or a text that is not empty")
    if not users.is_user_id(user_id):
        raise MemberTooLarge(f"The user_id must not exceed {channels.MAX_USER} characters")
    return Member(user_id, _info(data.get("user_info"), max_bytes))


def _info(value: Any, max_bytes: int) -> str | None:  # noqa: ANN401 - any JSON value
    if value is None:
        return None
    try:
        info = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise InvalidMember("user_info is nested too deeply") from None
    if len(info.encode()) > max_bytes:
        raise MemberTooLarge(f"The user_info must not exceed {max_bytes} bytes")
    return info
