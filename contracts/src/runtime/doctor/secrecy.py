"""Whether a secret is one, and whether two processes hold the same, without showing it."""

import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from runtime.doctor.findings import Report

SHORTEST_PASSWORD: Final = 16
_FEWEST_CHARACTERS: Final = 8  # different ones
_PLACEHOLDERS: Final = ("changeme", "change-me", "secret", "password", "example", "todo", "xxxx", "12345678")
_SALT: Final = b"leadwire doctor"


def examine(report: Report, secrets: Mapping[str, tuple[str, int]]) -> None:
    """Report which secrets can be guessed.

    Args:
        report: where to.
        secrets: name → the secret, and how many characters it should have.
    """
    weak = [(name, weakness(secret, shortest=shortest)) for name, (secret, shortest) in secrets.items()]
    report.settle(
        "secrets",
        [("error", f"{name} {why}", "docs/operations/secrets.md") for name, why in weak if why is not None],
        f"{len(secrets)} are long enough",
    )


def weakness(secret: str, *, shortest: int) -> str | None:
    """Return why a secret can be guessed; None when nothing speaks for it."""
    if len(secret) < shortest:
        return f"has {len(secret)} characters, fewer than {shortest}"
    if len(set(secret)) < min(_FEWEST_CHARACTERS, shortest):
        return "repeats a few characters"
    if any(word in secret.lower() for word in _PLACEHOLDERS):
        return "contains a word of every example"
    return None


def password_of(url: str) -> str:
    """Return the password in an address; empty when there is none."""
    return urlsplit(url.split(",", maxsplit=1)[0]).password or ""


def fingerprint(secret: str) -> str:
    """Return 32 bits that are the same for the same secret. Slow on purpose: a weak one is not to be tried out."""
    return hashlib.scrypt(secret.encode(), salt=_SALT, n=1 << 14, r=8, p=1, dklen=4).hex()
