"""Pusher's signatures: HMAC-SHA256 in lower-case hex, always over the exact text that travels.

Sources: Pusher Channels docs, "Authorizing users" and "HTTP API reference: Authentication".
"""

import hmac
from collections.abc import Iterable
from hashlib import md5, sha256
from typing import Final

EXPIRES_AT: Final = "signature_expires_at"
"""Leadwire's member of a signed `channel_data` or `user_data`: the Unix time in seconds from which on the signature is
refused. The clients of Pusher forward both unread."""


def sign(secret: str, text: str | bytes) -> str:
    """Return the lower-case hex HMAC-SHA256 of a text."""
    return hmac.new(secret.encode(), text.encode() if isinstance(text, str) else text, sha256).hexdigest()


def equal(ours: str, theirs: str) -> bool:
    """Compare in constant time; `theirs` may hold anything, also what is not ASCII."""
    return hmac.compare_digest(ours.encode(), theirs.encode(errors="surrogatepass"))


def channel_auth(key: str, secret: str, socket_id: str, channel: str, channel_data: str | None = None) -> str:
    """Return the `auth` string that lets one socket into one channel; `channel_data` is signed as it stands."""
    text = f"{socket_id}:{channel}" if not channel_data else f"{socket_id}:{channel}:{channel_data}"
    return f"{key}:{sign(secret, text)}"


def user_auth(key: str, secret: str, socket_id: str, user_data: str) -> str:
    """Return the `auth` string of `pusher:signin`."""
    return f"{key}:{sign(secret, f'{socket_id}::user::{user_data}')}"


def request_text(method: str, path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Return what an HTTP API request signs: method, path and its sorted parameters without `auth_signature`.

    Keys are lower-cased and sorted; values are not percent-encoded.
    """
    pairs = sorted((key.lower(), value) for key, value in parameters if key.lower() != "auth_signature")
    query = "&".join(f"{key}={value}" for key, value in pairs)
    return f"{method.upper()}\n{path}\n{query}"


def body_md5(body: bytes) -> str:
    """Return the `body_md5` parameter of an HTTP API request; a checksum there, not a secret."""
    return md5(body, usedforsecurity=False).hexdigest()
