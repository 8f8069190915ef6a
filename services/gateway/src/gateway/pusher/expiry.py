"""Until when a signature may be used, as the application said in the signed `channel_data` or `user_data`.

Pusher's own signatures say nothing of the kind, and hold as long as the connection they are for.
"""

from typing import Final

import orjson

from contracts.signing import EXPIRES_AT

LONGEST: Final = 24 * 3600
"""Seconds from now on. What is later is a mistake, such as milliseconds, and would never end."""


class Expired(ValueError):
    """The signature may not be used any more."""


def parse(signed: object) -> int | None:
    """Return the Unix time in seconds from which on a signature counts no more, or None when it always does.

    Args:
        signed: the text that was signed; only a JSON object with our member concerns us.

    Raises:
        ValueError: our member is no whole number.
    """
    if not isinstance(signed, str) or EXPIRES_AT not in signed:
        return None
    try:
        data = orjson.loads(signed)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(data, dict) or EXPIRES_AT not in data:
        return None
    expires_at = data[EXPIRES_AT]
    if type(expires_at) is not int:
        raise ValueError(f"{EXPIRES_AT} must be a whole number of seconds since 1970")
    return expires_at


def check(expires_at: int, now: float) -> None:
    """Check that a signature may be used.

    Args:
        expires_at: Unix time in seconds.
        now: likewise.

    Raises:
        Expired: it may not any more.
        ValueError: it would for too long.
    """
    if expires_at <= now:
        raise Expired("The signature has expired; ask for a new one")
    if expires_at > now + LONGEST:
        raise ValueError(f"{EXPIRES_AT} is more than {LONGEST} seconds ahead")
