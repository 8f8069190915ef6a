"""The access token: a JWT whose claims say who asks and for which company (RFC 7519), signed with Ed25519 (RFC 8037).

The leads API alone has the private key. Who verifies a token has public keys, and can make none.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ISSUER: Final = "leadwire/leads"
AUDIENCE: Final = "leadwire"
ALGORITHM: Final = "EdDSA"
_REQUIRED: Final = ("sub", "company_id", "role", "iat", "exp", "iss", "aud")


class InvalidToken(Exception):
    """The token is malformed, forged, expired or meant for somebody else."""


class InvalidKey(ValueError):
    """A text is not the key it should be. The message holds nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Who a request comes from."""

    user_id: str
    company_id: str
    role: str
    """viewer < agent < manager < admin, when it was issued; whoever knows the user goes by today's."""
    issued_at: datetime | None = None
    """When, to the microsecond; None in a token that is still to be issued."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies tokens."""

    x: str
    """The 32 bytes of the key, base64url without padding (RFC 8037 §2)."""

    @classmethod
    def of(cls, pem: str) -> Self:
        """Read an Ed25519 public key in PEM (SubjectPublicKeyInfo, RFC 8410).

        Raises:
            InvalidKey: it is something else.
        """
        if "PRIVATE KEY" in pem:
            raise InvalidKey("is a private key; the public key belongs here")
        try:
            key = serialization.load_pem_public_key(_lines(pem))
        except (ValueError, UnsupportedAlgorithm):
            raise InvalidKey("is not a public key in PEM") from None
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidKey("is not an Ed25519 key")
        return cls._from(key)

    @classmethod
    def _from(cls, key: Ed25519PublicKey) -> Self:
        return cls(_base64url(key.public_bytes_raw()))

    @property
    def kid(self) -> str:
        """The key's name in tokens: its thumbprint (RFC 7638)."""
        members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": self.x}, separators=(",", ":"), sort_keys=True)
        return _base64url(hashlib.sha256(members.encode()).digest())

    @property
    def pem(self) -> str:
        """The text that `of` reads."""
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_bytes(serialization.Encoding.PEM, info).decode()

    @property
    def jwk(self) -> dict[str, str]:
        """The key as a JSON Web Key (RFC 7517, RFC 8037)."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    @property
    def key(self) -> Ed25519PublicKey:
        """The key as the library wants it."""
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(f"{self.x}="))


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The key that signs tokens."""

    key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Return a new key, from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def of(cls, pem: str) -> Self:
        """Read an Ed25519 private key in PEM (PKCS #8, RFC 8410), without a password.

        Raises:
            InvalidKey: it is something else.
        """
        try:
            key = serialization.load_pem_private_key(_lines(pem), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise InvalidKey("is not a private key in PEM without a password") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidKey("is not an Ed25519 key")
        return cls(key)

    @property
    def public(self) -> PublicKey:
        """What verifies this key's signatures."""
        return PublicKey(_base64url(self.key.public_key().public_bytes_raw()))

    @property
    def pem(self) -> str:
        """The text that `of` reads: a secret."""
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()


def other_keys(pem: str) -> tuple[PublicKey, ...]:
    """Return the key of a setting that may be empty.

    Raises:
        InvalidKey: it is neither empty nor a public key.
    """
    return (PublicKey.of(pem),) if pem else ()


def issue(claims: Claims, key: PrivateKey, *, now: datetime, lifetime: timedelta) -> str:
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
    return jwt.encode(payload, key.key, algorithm=ALGORITHM, headers={"kid": key.public.kid})


class Verifier:
    """Reads the tokens that one of some keys has signed."""

    def __init__(self, *keys: PublicKey) -> None:
        """Accept the signatures of these keys, and of no others."""
        self.keys = tuple(dict.fromkeys(keys))
        self._by_name = {key.kid: key.key for key in self.keys}
        # The same token comes with every request of a session, and its signature does not change.
        self._verified = lru_cache(maxsize=4096)(self._verify)

    @property
    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The keys as a JSON Web Key Set (RFC 7517 §5)."""
        return {"keys": [key.jwk for key in self.keys]}

    def read(self, token: str, *, now: datetime) -> Claims:
        """Return the claims of a token.

        Raises:
            InvalidToken: unknown key, wrong signature, algorithm, issuer or audience; expired; or a claim missing.
        """
        payload = self._verified(token)
        if not isinstance(payload["exp"], int) or payload["exp"] <= now.timestamp():
            raise InvalidToken("Signature has expired")
        claims = (payload["sub"], payload["company_id"], payload["role"])
        if not all(isinstance(claim, str) for claim in claims):
            raise InvalidToken("A claim is not text")
        return Claims(user_id=claims[0], company_id=claims[1], role=claims[2], issued_at=_moment(payload["iat"]))

    def _verify(self, token: str) -> Mapping[str, Any]:
        try:
            # What the header says selects one of our keys, and nothing else: the algorithm is fixed, the key is typed.
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._by_name.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise InvalidToken("Unknown key")
            payload: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # Time is an argument here: the library would read its own clock.
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken(str(error)) from error
        return MappingProxyType(payload)


def _lines(pem: str) -> bytes:
    """Return a PEM text whose line breaks may be written as in a file of variables, which has none."""
    return pem.replace("\\n", "\n").encode()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _moment(seconds: object) -> datetime:
    """Return a NumericDate (RFC 7519 §2), which may have a fraction, as a time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidToken("A time is not a number")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidToken("A time is out of range") from None
