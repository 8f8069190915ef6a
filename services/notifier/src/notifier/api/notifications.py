"""`/notifications`."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Header, Query, Request, Response

from notifier.api.context import ChangeOf, OwnerOf, ServicesOf
from notifier.api.schemas import (
    Criticals,
    Links,
    Meta,
    Notification,
    NotificationAnswer,
    NotificationPage,
    Preferences,
    PreferencesAnswer,
    ReadAll,
    StateAnswer,
)
from notifier.connections import Owner
from notifier.inbox import ALL, Kept, State
from notifier.notices import NOTICES
from runtime.problems import FieldError, Problem, not_found, problems
from runtime.strict import StrictRouter

LIMIT: Final = 50
LARGEST: Final = 200

router = StrictRouter(prefix="/notifications", tags=["notifications"], responses=problems(401, 503))


@router.get(
    "",
    response_model=NotificationPage,
    responses={304: {"description": "Nothing has changed."}, **problems(400, 422)},
)
async def list_notifications(  # noqa: PLR0913, PLR0917 - each is a parameter of the request
    services: ServicesOf,
    owner: OwnerOf,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = LIMIT,
    unread: Annotated[bool, Query(description="Only those that are not read.")] = False,
    cursor: Annotated[str | None, Query(max_length=40, description="From `links.next` of the page before.")] = None,
    if_none_match: Annotated[str | None, Header(description="The `ETag` of the same page, seen before.")] = None,
) -> NotificationPage | Response:
    """List the user's notifications, newest first."""
    below = ALL if cursor is None else _decoded(cursor)
    if if_none_match is not None and if_none_match.strip() == _etag(owner, state := await services.inbox.state(owner)):
        return Response(status_code=304, headers={"ETag": _etag(owner, state)})
    state, kept = await services.inbox.page(owner, below=below, unread=unread, limit=limit + 1)
    response.headers["ETag"] = _etag(owner, state)
    response.headers["Cache-Control"] = "private, no-cache"
    return NotificationPage(
        data=[_notification(one) for one in kept[:limit]],
        meta=_meta(state),
        links=Links(next=_next(request, kept[limit - 1]) if len(kept) > limit else None),
    )


@router.post("/read-all", responses=problems(400, 413, 422))
async def read_all(services: ServicesOf, change: ChangeOf, body: ReadAll | None = None) -> StateAnswer:
    """Mark all notifications as read, or all below a number. Every tab of the user hears of it."""
    before = ALL if body is None or body.before is None else body.before
    return StateAnswer(meta=_meta(await services.inbox.mark_all(change, before=before)))


@router.get("/preferences")
async def get_preferences(services: ServicesOf, owner: OwnerOf) -> PreferencesAnswer:
    """Return which kinds of notifications the user wants."""
    muted = await services.inbox.muted(owner)
    return _preferences(Preferences(**{kind: kind not in muted for kind in NOTICES}))


@router.put("/preferences", responses=problems(400, 413, 422))
async def put_preferences(services: ServicesOf, owner: OwnerOf, body: Preferences) -> PreferencesAnswer:
    """Say which kinds of notifications the user wants from now on; what is left out is on."""
    await services.inbox.mute(owner, [kind for kind, wanted in body.model_dump().items() if not wanted])
    return _preferences(body)


@router.patch("/{notification_id}/read", include_in_schema=False)
@router.post("/{notification_id}/read", responses=problems(400, 404))
async def mark_read(services: ServicesOf, change: ChangeOf, notification_id: UUID) -> NotificationAnswer:
    """Mark a notification as read; once more has no effect. Every tab of the user hears of it."""
    return _answer(await services.inbox.mark(change, notification_id, read=True))


@router.patch("/{notification_id}/unread", include_in_schema=False)
@router.post("/{notification_id}/unread", responses=problems(400, 404))
async def mark_unread(services: ServicesOf, change: ChangeOf, notification_id: UUID) -> NotificationAnswer:
    """Mark a notification as not read."""
    return _answer(await services.inbox.mark(change, notification_id, read=False))


def _answer(found: tuple[State, Kept] | None) -> NotificationAnswer:
    if found is None:
        raise not_found()
    state, kept = found
    return NotificationAnswer(data=_notification(kept), meta=_meta(state))


def _notification(kept: Kept) -> Notification:
    return Notification(**kept.body, number=kept.number, read_at=kept.read_at)


def _meta(state: State) -> Meta:
    return Meta(unread=state.unread, revision=state.revision, number=state.number)


def _preferences(preferences: Preferences) -> PreferencesAnswer:
    critical = [kind for kind, notice in NOTICES.items() if notice.critical]
    return PreferencesAnswer(data=preferences, meta=Criticals(critical=critical))


def _etag(owner: Owner, state: State) -> str:
    # A browser may have the inbox of whoever used it before.
    return f'"{owner.company_id}-{owner.user_id}-{state.revision}"'


def _next(request: Request, last: Kept) -> str:
    query = dict(request.query_params) | {"cursor": urlsafe_b64encode(str(last.number).encode()).decode().rstrip("=")}
    return f"/notifications?{urlencode(query)}"


def _decoded(cursor: str) -> int:
    try:
        number = int(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii"))
    except (ValueError, binascii.Error):
        number = 0
    if not 0 < number < ALL:
        errors = [FieldError(field="cursor", message="Should come from `links.next`")]
        raise Problem(400, "malformed_cursor", "The cursor is not one of ours.", errors=errors)
    return number
