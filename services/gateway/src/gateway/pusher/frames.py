"""The frames the gateway itself makes, byte for byte.

`data` is always a JSON *string*, except in `pusher:error`, where it is an object: the Swift and .NET clients throw away
anything else.
"""

from typing import Any, Final

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


def cache_miss(channel: str) -> bytes:
    """Return what tells a new listener of a cache channel that there is no event to begin with."""
    return _event("pusher:cache_miss", {}, channel)


def subscription_error(channel: str, kind: str, status: int, message: str) -> bytes:
    """Return what makes `pusher:subscription_error` handlers and Echo's `.error()` fire, in pusher-js's own shape."""
    return _event("pusher:subscription_error", {"type": kind, "error": message, "status": status}, channel)


def _event(name: str, data: dict[str, Any], channel: str | None) -> bytes:
    frame = {"event": name}
    if channel is not None:
        frame["channel"] = channel
    frame["data"] = compact_json(data)
    return compact_json(frame).encode()
