"""Opaque cursors: where a page ended, bound to what was asked for."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias
from uuid import UUID

from leads.views import Mark
from runtime.problems import FieldError, Problem

LONGEST: Final = 1000

Value: TypeAlias = str | int | Decimal | datetime
# What a value is, told by a letter.
_WRITE: Final[Mapping[type[Value], str]] = {datetime: "t", Decimal: "d", int: "i", str: "s"}


def encode(mark: Mark, digest: str) -> str:
    """Return the cursor of a mark.

    Args:
        mark: where the page ended.
        digest: of the query, to which the cursor belongs.
    """
    kind = "n" if mark.value is None else _WRITE[type(mark.value)]
    value = mark.value.isoformat() if isinstance(mark.value, datetime) else mark.value
    parts = [digest, kind, None if value is None else str(value), str(mark.id)]
    return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, digest: str, kind: type[Value]) -> Mark:
    """Return the mark behind a cursor.

    Args:
        cursor: what a client sent: anybody can make one up.
        digest: of the query.
        kind: of what the query sorts by. PostgreSQL would not compare it with anything else.

    Raises:
        Problem: 400, it is none of ours, or belongs to another query.
    """
    try:
        theirs, letter, value, lead_id = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        mark = Mark(None if letter == "n" else _value(letter, value), UUID(lead_id))
    except (ValueError, TypeError, AttributeError, InvalidOperation, RecursionError):
        raise _refused("malformed_cursor", "The cursor is not one of ours.") from None
    if theirs != digest:
        raise _refused("cursor_of_another_query", "The cursor belongs to another sort or other filters.")
    if letter not in {"n", _WRITE[kind]}:
        raise _refused("malformed_cursor", "The cursor is not one of ours.")
    return mark


def _value(letter: str, value: Any) -> Value:  # noqa: ANN401 - what a client sent
    match letter:
        case "t":
            time = datetime.fromisoformat(value)
            if time.tzinfo is None:
                raise ValueError
            return time
        case "d":
            number = Decimal(value)
            if not number.is_finite() or abs(int(number.as_tuple().exponent)) > LONGEST:
                raise ValueError
            return number
        case "i":
            return int(value)
        case "s":
            text = str(value)
            text.encode()  # a lone surrogate is no text
            if "\0" in text:
                raise ValueError
            return text
        case _:
            raise ValueError


def _refused(code: str, detail: str) -> Problem:
    return Problem(400, code, detail, errors=[FieldError(field="cursor", message="Should come from `links.next`")])
