"""ETags: a client that has an answer is told that it still is the current one, for the price of the feed's row."""

from hashlib import sha256
from typing import Annotated, Final

from fastapi import Header, Response

from leads.command import Feed

FORM: Final = "1"
"""Of the answers. Whoever changes what they look like counts on: what clients have is outdated then."""
_CACHING: Final = "private, no-cache"  # a browser may keep it, and asks each time whether it is still true

IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="The `ETag` of the answer that the client has.")
]


def feed_etag(feed: Feed, *depends_on: object) -> str:
    """Return the ETag of an answer that depends on the company's facts and settings, and on what was asked."""
    parts = (FORM, feed.epoch, feed.position, feed.settings_version, *depends_on)
    return f'"{sha256(repr(parts).encode()).hexdigest()[:24]}"'


def version_etag(version: int, epoch: str | None) -> str:
    """Return the ETag of one thing: its version, which only means something in one epoch of the log.

    Args:
        version: the lead's, the user's or the pipeline's.
        epoch: the log's; None in answers that were kept before the log had epochs.
    """
    return f'"{version}"' if epoch is None else f'"{version}.{epoch}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has what the ETag stands for (RFC 9110 §13.1.2: the weak comparison)."""
    if if_none_match is None:
        return False
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in known or etag in known


def not_modified(etag: str) -> Response:
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": _CACHING})


def mark(response: Response, etag: str) -> None:
    """Let an answer bear its ETag."""
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = _CACHING
