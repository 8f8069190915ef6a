"""`/broadcasting/auth`: lets a socket into a private or presence channel, in Laravel's form.

Each signature says whose socket it is, so that the gateway closes it when the user is sent away, and until when it may
be used.
"""

import json
from typing import Annotated, Any, Final, assert_never
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, StringConstraints, ValidationError
from starlette.exceptions import HTTPException

from contracts import channels, signing
from contracts.push import compact_json
from leads.api.answers import READING
from leads.api.context import SOCKET_ID, Caller, ReadingOf, Services, ServicesOf
from leads.api.resume import MEMBER, HeardField
from leads.api.schemas import ChannelAuth
from runtime.problems import SHOWN_NAME, FieldError, Problem, problems
from runtime.strict import StrictRouter

router = StrictRouter(tags=["broadcasting"], responses=problems(401, 503))

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
MAX_FIELDS: Final = 20
SIGNATURE_SECONDS: Final = 300
"""For which a signature may be used. Clients use it at once; the rest is for clocks that differ."""


class ChannelRequest(BaseModel):
    """Which socket wants into which channel; whatever else Laravel's clients send is ignored."""

    socket_id: Annotated[str, StringConstraints(pattern=rf"^{SOCKET_ID.pattern}$")]
    channel_name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    leadwire: HeardField | None = None
    """Makes the subscription one that can be resumed. In a form it is JSON text."""


async def _values(request: Request) -> Any:  # noqa: ANN401 - any JSON value
    """Return what the body says; its size is bounded for all routes.

    Raises:
        ValueError, RecursionError, HTTPException: it is malformed.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == MULTIPART:  # JavaScript's FormData, `curl -F`
        async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
            return dict(form)
    body = await request.body()
    return dict(parse_qsl(body.decode(), max_num_fields=MAX_FIELDS)) if media_type == FORM else json.loads(body)


async def _channel_request(request: Request) -> ChannelRequest:
    try:
        values = await _values(request)
    except (ValueError, RecursionError, HTTPException):
        raise Problem(400, "malformed_body", "The body is neither a form nor JSON.") from None
    try:
        return ChannelRequest.model_validate(values)
    except ValidationError as error:
        errors = [
            FieldError(pointer="".join(f"/{str(step)[:SHOWN_NAME]}" for step in item["loc"]), message=item["msg"])
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise Problem(422, "invalid_request", "The request does not have the required form.", errors=errors) from None


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            media_type: {
                "schema": ChannelRequest.model_json_schema(),
                "example": {
                    "socket_id": "123.456",
                    "channel_name": "private-company.b9c4e7d0-1111-4a52-8f57-5d0c6f8f5a02",
                },
            }
            for media_type in (FORM, MULTIPART, "application/json")
        },
    }
}


@router.post(
    "/broadcasting/auth",
    summary="Sign a socket's way into a channel",
    responses=READING | problems(400, 403, 413),
    response_model_exclude_none=True,
    openapi_extra=_BODY,
)
async def authorize_channel(
    reading: ReadingOf, wanted: Annotated[ChannelRequest, Depends(_channel_request)], services: ServicesOf
) -> ChannelAuth:
    caller = reading.caller
    channel = channels.parse(wanted.channel_name)
    if channel is None or not await _may_listen(services, caller, channel):
        raise Problem(403, "channel_forbidden", "This channel is not for you.")
    is_presence = isinstance(channel, channels.LeadChannel)
    member: dict[str, Any] = _member(caller) if is_presence else {"user_id": str(caller.user_id)}
    member[signing.EXPIRES_AT] = int(reading.feed.at.timestamp()) + SIGNATURE_SECONDS
    if wanted.leadwire is not None:
        member |= {MEMBER: wanted.leadwire.of(wanted.channel_name)}
    data = compact_json(member)
    auth = signing.channel_auth(
        services.pusher_key, services.pusher_secret, wanted.socket_id, wanted.channel_name, data
    )
    return ChannelAuth(auth=auth, channel_data=data)


async def _may_listen(services: Services, caller: Caller, channel: channels.CrmChannel) -> bool:
    match channel:
        case channels.CompanyChannel(company_id) | channels.StatsChannel(company_id):
            return company_id == str(caller.company_id)
        case channels.UserChannel(user_id):
            return user_id == str(caller.user_id)
        case channels.LeadChannel(lead_id):
            return (await services.views.lead(caller.company_id, UUID(lead_id))).data is not None
        case _:
            assert_never(channel)


def _member(caller: Caller) -> dict[str, Any]:
    user = caller.company.users[str(caller.user_id)]
    info = {"name": user.name, "role": user.role}
    return {"user_id": user.id, "user_info": info, "terminable": True}  # a member alone would be left alone
