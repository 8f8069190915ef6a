"""The opaque cursor of the list of leads."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from uuid import UUID

from leads.views import Mark
from runtime.problems import FieldError, Problem


def encode(mark: Mark) -> str:
    return urlsafe_b64encode(f"{mark.created_at.isoformat()} {mark.id}".encode()).decode().rstrip("=")


def decode(cursor: str) -> Mark:
    """Return the mark behind a cursor.

    Raises:
        Problem: 400, it is none of ours.
    """
    try:
        return _parse(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except (ValueError, binascii.Error):
        errors = [FieldError(field="cursor", message="Should come from `links.next`")]
        raise Problem(400, "malformed_cursor", "The cursor is not one of ours.", errors=errors) from None


def _parse(text: str) -> Mark:
    created_at, lead_id = text.split(" ")
    mark = Mark(datetime.fromisoformat(created_at), UUID(lead_id))
    if mark.created_at.tzinfo is None:
        raise ValueError
    return mark
