"""Who is signed in on a connection (Pusher docs, "User authentication")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import orjson

from gateway.pusher import channels, payload


@dataclass(frozen=True, slots=True)
class User:
    """One user of an app; each of its connections signs in by itself."""

    id: str
    member: str
    """The `channel_data` that would make this user the member of a presence channel: a JSON object."""

    @property
    def channel(self) -> str:
        """The channel on which all connections of the user hear events."""
        return channels.of_user(self.id)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What `user_data` says."""

    user: User
    watchlist: tuple[str, ...]
    """Ids of the users of whom this one wants to know whether they are online; nobody twice."""


def parse(user_data: str) -> SignIn | None:
    """Read the JSON object that the application signed, or return None when it names no user.

    An id is a string of 1 to 128 characters; what is no string in the watchlist is ignored.
    """
    try:
        fields = orjson.loads(user_data)
        if not isinstance(fields, dict) or not is_user_id(user_id := fields.get("id")):
            return None
        user = User(user_id, _member(user_id, fields))
    except ValueError:  # no JSON, or nested too deeply to be passed on
        return None
    listed = fields.get("watchlist")
    watchlist = dict.fromkeys(filter(is_user_id, listed)) if isinstance(listed, list) else ()
    return SignIn(user, tuple(watchlist))


def is_user_id(user_id: object) -> TypeGuard[str]:
    """Whether a user may be called so."""
    return isinstance(user_id, str) and 1 <= len(user_id) <= channels.MAX_USER


def as_text(user_id: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a whole number as its decimal text, as in the `channel_data` of PHP: 10, 10.0 and "10" are one user.

    Everything else is returned as it is.
    """
    if isinstance(user_id, float) and user_id.is_integer():
        user_id = int(user_id)
    return str(user_id) if type(user_id) is int else user_id


def _member(user_id: str, fields: Mapping[str, Any]) -> str:
    info = {"user_info": fields["user_info"]} if "user_info" in fields else {}
    return payload.text({"user_id": user_id, **info})
