"""The frames the gateway itself makes, byte for byte.

`data` is always a JSON *string*, except in `pusher:error`, where it is an object: the Swift and .NET clients throw away
anything else.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts import push
from contracts.push import compact_json

PONG: Final = b'{"event":"pusher:pong","data":"{}"}'
PING: Final = b'{"event":"pusher:ping","data":"{}"}'


def established(socket_id: str, activity_timeout: int) -> bytes:
    """Return the first frame of every accepted connection; `activity_timeout` in seconds, at least 1."""
    return _event(
        "pusher:connection_established", {"socket_id": socket_id, "activity_timeout": activity_timeout}, channel=None
    )


def error(code: int | None, message: str) -> bytes:
    """Return a `pusher:error`; a code from 4000 to 4299 announces that the connection closes with it."""
    return compact_json({"event": "pusher:error", "data": {"code": code, "message": message}}).encode()


def subscription_succeeded(channel: str) -> bytes:
    return _event("pusher_internal:subscription_succeeded", {}, channel)


def signin_success(user_data: str) -> bytes:
    """Return the answer to a sign-in; `user_data` is given back as it came."""
    return _event("pusher:signin_success", {"user_data": user_data}, channel=None)


def presence_succeeded(channel: str, members: Mapping[str, str | None]) -> bytes:
    """Return what a new listener of a presence channel gets first.

    Args:
        channel: its name.
        members: user id → information as JSON text; the new one is among them.
    """
    ids = compact_json(list(members))
    # The .NET client looks up every id: who has no information needs an entry, too.
    entries = ",".join(f"{compact_json(user_id)}:{info or 'null'}" for user_id, info in members.items())
    data = f'{{"presence":{{"count":{len(members)},"ids":{ids},"hash":{{{entries}}}}}}}'
    return push.frame("pusher_internal:subscription_succeeded", channel, data)


def member_added(channel: str, user_id: str, info: str | None) -> bytes:
    """Return what the others hear of a new user; `info` is JSON text."""
    known = "" if info is None else f',"user_info":{info}'
    return push.frame("pusher_internal:member_added", channel, f'{{"user_id":{compact_json(user_id)}{known}}}')


def member_removed(channel: str, user_id: str) -> bytes:
    return _event("pusher_internal:member_removed", {"user_id": user_id}, channel)


def subscription_count(channel: str, number: int) -> bytes:
    return _event("pusher_internal:subscription_count", {"subscription_count": number}, channel)


def client_event(event: str, channel: str, data: str, user_id: str | None) -> bytes:
    """Return a client's event as the others get it; `user_id` only on presence channels."""
    frame = {"event": event, "channel": channel, "data": data}
    return compact_json(frame if user_id is None else frame | {"user_id": user_id}).encode()


def watchlist_events(*, offline: Sequence[str], online: Sequence[str]) -> bytes:
    """Return what tells of watched users; a group without anybody is left out."""
    groups = (("offline", offline), ("online", online))
    events = [{"name": name, "user_ids": user_ids} for name, user_ids in groups if user_ids]
    return _event("pusher_internal:watchlist_events", {"events": events}, channel=None)


def cache_miss(channel: str) -> bytes:
    """Return what tells a new listener of a cache channel that there is no event to begin with."""
    return _event("pusher:cache_miss", {}, channel)


def subscription_error(channel: str, kind: str, status: int, message: str) -> bytes:
    """Return what makes `pusher:subscription_error` handlers and Echo's `.error()` fire, in pusher-js's own shape."""
    return _event("pusher:subscription_error", {"type": kind, "error": message, "status": status}, channel)


def position(channel: str, epoch: str, offset: int, **outcome: bool | int) -> bytes:
    """Return what tells an opted-in listener how far it is.

    The channel stands in the data, too: of a global handler pusher-js tells only that.

    Args:
        channel: its name.
        epoch: of the stream.
        offset: up to which number of the stream it heard everything.
        outcome: of its subscription, on the first one: `resumed`, `replayed`.
    """
    return _event("leadwire:position", {"channel": channel, "epoch": epoch, "offset": offset, **outcome}, channel)


def _event(name: str, data: dict[str, Any], channel: str | None) -> bytes:
    frame = {"event": name}
    if channel is not None:
        frame["channel"] = channel
    frame["data"] = compact_json(data)
    return compact_json(frame).encode()
