"""The signature of an HTTP API request, as the SDKs really make it (Pusher docs, "Authentication").

It covers the body by a checksum in the query: who cannot sign is refused before a byte of the body is read.

SDKs sign what they were given and let their HTTP library encode it, so the signed text is reconstructed in every way an
official SDK is known to build it; each attempt is compared in constant time.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final
from urllib.parse import unquote, unquote_plus

from contracts import signing
from gateway.pusher.app import App
from gateway.pusher.refusals import Unauthorised

WINDOW: Final = 600  # seconds a request's clock may differ from ours

Pairs = list[tuple[str, str]]
_INDEX = re.compile(r"\[\d*\]$")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What is signed of a request, all of it as received; the body is what `verify_body` is for."""

    method: str
    raw_path: str
    """Percent-encoded."""
    query: str
    """Percent-encoded, without the question mark."""


def verify(request: SignedRequest, app: App, *, now: float, path_prefix: str = "") -> None:
    """Check that a request was signed with the app's secret not long ago.

    Args:
        request: the request.
        app: the app in its path.
        now: Unix time in seconds.
        path_prefix: of the public path. Some SDKs sign it and some do not, and a proxy may have removed it.

    Raises:
        Unauthorised: with what is wrong.
    """
    parameters = {key.lower(): value for key, value in query_pairs(request.query)}
    if parameters.get("auth_key") != app.key:
        raise Unauthorised("Unknown auth_key")
    if parameters.get("auth_version") != "1.0":
        raise Unauthorised("Only auth_version 1.0 is supported")
    _check_time(parameters.get("auth_timestamp", ""), now)
    signature = parameters.get("auth_signature", "")
    candidates = {
        signing.request_text(request.method, path, pairs)
        for path, pairs in product(_paths(request.raw_path, path_prefix), _parameters(request.query))
    }
    accepted = (signing.sign(secret, text) for secret in app.secrets for text in candidates)
    if not any(signing.equal(ours, signature) for ours in accepted):
        raise Unauthorised("Invalid signature")


def verify_body(query: str, body: bytes) -> None:
    """Check that a body is the one whose checksum was signed in the query.

    Raises:
        Unauthorised: it is not.
    """
    declared = {key.lower(): value for key, value in query_pairs(query)}.get("body_md5")
    if declared is None and not body:
        return
    if declared is None or not signing.equal(signing.body_md5(body), declared.lower()):
        raise Unauthorised("body_md5 does not match the body")


def query_pairs(query: str, *, plus_is_space: bool = False) -> Pairs:
    """Return the decoded parameters in order of appearance; `+` stays itself unless told otherwise."""
    decode = unquote_plus if plus_is_space else unquote
    pairs = (part.partition("=") for part in query.split("&") if part)
    return [(decode(key), decode(value)) for key, _, value in pairs]


def _check_time(timestamp: str, now: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise Unauthorised("auth_timestamp must be Unix time in seconds")
    if abs(now - int(timestamp[:16])) >= WINDOW:
        raise Unauthorised(f"auth_timestamp is not within {WINDOW} seconds of the server's time")


def _paths(raw_path: str, prefix: str) -> Iterator[str]:
    for path in (raw_path, unquote(raw_path)):
        yield path
        if prefix:
            yield path.removeprefix(prefix) if path.startswith(f"{prefix}/") else f"{prefix}{path}"


def _parameters(query: str) -> Iterator[Pairs]:
    """Yield the parameters in every form they may have been signed in."""
    for plus_is_space in (False, True):
        pairs = query_pairs(query, plus_is_space=plus_is_space)
        yield pairs
        grouped = _grouped(pairs)
        yield [(key, f"&{key}=".join(values)) for key, values in grouped.items()]  # Ruby: key[]=a&key[]=b, in order
        arrays = _grouped((_INDEX.sub("", key), value) for key, value in pairs)
        yield [(key, ",".join(values)) for key, values in arrays.items()]  # PHP: sent key[0]=a&key[1]=b, signed key=a,b


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    return grouped
