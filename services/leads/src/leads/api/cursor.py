"""Opaque cursors: where a page ended, bound to what was asked for."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from leads.views import Mark
from runtime.problems import FieldError, Problem

LONGEST: Final = 1000

# What a value is, told by a letter.
_WRITE: Final = {datetime: "t", Decimal: "d", int: "i", str: "s"}


def encode(mark: Mark, digest: str) -> str:
    """Return the cursor of a mark.

    Args:
        mark: where the page ended.
        digest: of the query, to which the cursor belongs.
    """
    kind = _WRITE.get(type(mark.value), "n")
    value = mark.value.isoformat() if isinstance(mark.value, datetime) else mark.value
    parts = [digest, kind, None if value is None else str(value), str(mark.id)]
    return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, digest: str) -> Mark:
    """Return the mark behind a cursor.

    Raises:
        Problem: 400, it is none of ours, or belongs to another query.
    """
    try:
        theirs, kind, value, lead_id = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        mark = Mark(_value(kind, value), UUID(lead_id))
    except (ValueError, TypeError, AttributeError, InvalidOperation, RecursionError):
        raise _refused("malformed_cursor", "The cursor is not one of ours.") from None
    if theirs != digest:
        raise _refused("cursor_of_another_query", "The cursor belongs to another sort or other filters.")
    return mark


def _value(kind: str, value: Any) -> str | int | Decimal | datetime | None:  # noqa: ANN401 - what a client sent
    match kind:
        case "t":
            time = datetime.fromisoformat(value)
            if time.tzinfo is None:
                raise ValueError
            return time
        case "d":
            return Decimal(value)
        case "i":
            return int(value)
        case "s":
            return str(value)
        case "n":
            return None
        case _:
            raise ValueError


def _refused(code: str, detail: str) -> Problem:
    return Problem(400, code, detail, errors=[FieldError(field="cursor", message="Should come from `links.next`")])
