"""Whose connection it is, though it never signed in: what the application said in the signed `channel_data`.

On private channels a `user_id` says it. On presence channels it names a member, whom Pusher leaves alone when the user
is sent away; there the application says `"terminable": true` besides.
"""

from typing import Final

import orjson

from gateway.pusher import channels, users
from gateway.pusher.channels import Kind

MEMBER: Final = "user_id"
ON_PRESENCE: Final = "terminable"


def parse(channel_data: object, kind: Kind) -> str | None:
    """Return the id of the user that a verified subscription names, or None.

    What is something else is no mistake: on a private channel everything in `channel_data` is the application's own.

    Args:
        channel_data: as it was signed.
        kind: of the channel.

    Raises:
        ValueError: the id is too long. The connection could never be ended, so it must not be taken for nobody's.
    """
    if not isinstance(channel_data, str) or MEMBER not in channel_data:
        return None
    if kind.presence and ON_PRESENCE not in channel_data:
        return None
    try:
        data = orjson.loads(channel_data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(data, dict) or (kind.presence and data.get(ON_PRESENCE) is not True):
        return None
    user_id = users.as_text(data.get(MEMBER))
    if isinstance(user_id, str) and len(user_id) > channels.MAX_USER:
        raise ValueError(f"the user_id must not exceed {channels.MAX_USER} characters")
    return user_id if users.is_user_id(user_id) else None
