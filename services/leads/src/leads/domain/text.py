"""Text as it is kept."""

import re
from typing import Final

from leads.domain.refusals import InvalidEmail, InvalidText

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Neither half has what separates addresses or header fields in a `mailto:` link (RFC 6068 section 2), what RFC 5322
# wants quoted, white space, or control and format characters, which hide what an address is.
_HALF: Final = (
    r"[^@?&%,;:<>()\[\]\\\x22\s\x00-\x20\x7f-\xa0\xad"
    r"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+"
)
EMAIL: Final = f"{_HALF}@{_HALF}"
"""Of an e-mail address, without anchors; in a form that Python, Rust and ECMAScript read alike."""
_EMAIL: Final = re.compile(EMAIL)
EMAIL_LENGTH: Final = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets


def line(value: str | None, pointer: str, *, longest: int) -> str | None:
    """Return one line of text, trimmed; None instead of blank.

    Raises:
        InvalidText: it is too long, or more than a line.
    """
    text = (value or "").strip()
    if len(text) > longest or _CONTROL.search(text):
        raise InvalidText(pointer)
    return text or None


def lines(value: str, pointer: str, *, longest: int) -> str:
    """Return text of any lines, trimmed.

    Raises:
        InvalidText: it is blank or too long.
    """
    text = value.replace("\r\n", "\n").strip()
    if not 0 < len(text) <= longest or _CONTROL_BUT_LINES.search(text):
        raise InvalidText(pointer)
    return text


def email(value: str | None, pointer: str = "/email") -> str | None:
    """Return an e-mail address, trimmed and in lower case; None instead of blank.

    Raises:
        InvalidEmail: it is none.
    """
    text = (value or "").strip().lower()
    if not text:
        return None
    if len(text) > EMAIL_LENGTH or not _EMAIL.fullmatch(text):
        raise InvalidEmail(pointer)
    return text
