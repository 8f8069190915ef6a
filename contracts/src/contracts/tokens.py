"""The access token: a JWT whose claims say who asks and for which company (RFC 7519)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import jwt

ISSUER: Final = "leadwire/leads"
AUDIENCE: Final = "leadwire"
ALGORITHM: Final = "HS256"
_REQUIRED: Final = ("sub", "company_id", "role", "iat", "exp", "iss", "aud")


class InvalidToken(Exception):
    """The token is malformed, forged, expired or meant for somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Who a request comes from."""

    user_id: str
    company_id: str
    role: str
    """viewer < agent < manager < admin, when it was issued; whoever knows the user goes by today's."""
    issued_at: datetime | None = None
    """When, to the microsecond; None in a token that is still to be issued."""


def issue(claims: Claims, secret: str, *, now: datetime, lifetime: timedelta) -> str:
    """Return a signed token that is valid from `now` for `lifetime`."""
    payload: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": claims.user_id,
        "company_id": claims.company_id,
        "role": claims.role,
        "iat": now.timestamp(),  # not rounded: a token of the second in which others are ended is one or the other
        "exp": int((now + lifetime).timestamp()),
    }
    return jwt.encode(payload, secret, algorithm=ALGORITHM)


def read(token: str, *secrets: str, now: datetime) -> Claims:
    """Return the claims of a token that was signed with one of the secrets; an empty one is none.

    Raises:
        InvalidToken: wrong signature, algorithm, issuer or audience; expired; or a claim missing.
    """
    payload = _verified_by_one(token, [secret for secret in secrets if secret])
    if not isinstance(payload["exp"], int) or payload["exp"] <= now.timestamp():
        raise InvalidToken("Signature has expired")
    claims = (payload["sub"], payload["company_id"], payload["role"])
    if not all(isinstance(claim, str) for claim in claims):
        raise InvalidToken("A claim is not text")
    return Claims(user_id=claims[0], company_id=claims[1], role=claims[2], issued_at=_moment(payload["iat"]))


def _verified_by_one(token: str, secrets: Sequence[str]) -> Mapping[str, Any]:
    for secret in secrets[:-1]:
        with suppress(InvalidToken):
            return _verified(token, secret)
    return _verified(token, secrets[-1])


# The same token comes with every request of a session, and its signature does not change.
@lru_cache(maxsize=4096)
def _verified(token: str, secret: str) -> Mapping[str, Any]:
    try:
        payload: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            # Time is an argument here: the library would read its own clock.
            options={"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError as error:
        raise InvalidToken(str(error)) from error
    return MappingProxyType(payload)


def _moment(seconds: object) -> datetime:
    """Return a NumericDate (RFC 7519 §2), which may have a fraction, as a time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidToken("A time is not a number")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidToken("A time is out of range") from None
