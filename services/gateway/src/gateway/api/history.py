"""`GET /apps/{id}/channels/{name}/history`: what was published on a channel, for as long as the stream keeps it."""

from dataclasses import asdict
from typing import Final, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gateway.api.auth import Authenticator
from gateway.api.rates import Rates
from gateway.history import Page
from gateway.pusher import channels
from gateway.pusher.channels import Kind
from gateway.pusher.refusals import Invalid
from gateway.pusher.resume import LARGEST, MAX_EPOCH

LIMIT: Final = 100  # events of a page, unless asked for otherwise
MAX_LIMIT: Final = 1000
_DIGITS: Final = 19


class Past(Protocol):
    """Whoever knows what was; see `History`."""

    async def page(self, app_id: str, channel: str, *, after: int, epoch: str | None, limit: int) -> Page: ...


def routes(auth: Authenticator, rates: Rates, past: Past) -> APIRouter:
    """Return the routes below `/apps`.

    Args:
        auth: admits requests.
        rates: says when there are too many.
        past: whom to ask.
    """
    router = APIRouter()

    @router.get("/{app_id}/channels/{name}/history")
    async def get_history(app_id: str, name: str, request: Request) -> JSONResponse:
        call = await auth.of_app(request, app_id)
        rates.count_read(call.app)
        channel = channels.parse(name, call.app.max_channel_name)
        if channel is None or channel.kind is Kind.USER:
            raise Invalid("Invalid channel name")
        query = dict(call.query)
        after = _number(query, "after", 0, at_least=0, at_most=LARGEST)
        limit = _number(query, "limit", LIMIT, at_least=1, at_most=MAX_LIMIT)
        epoch = query.get("epoch")
        if epoch is not None and len(epoch) > MAX_EPOCH:
            raise Invalid(f"epoch has at most {MAX_EPOCH} characters")
        page = await past.page(app_id, channel.name, after=after, epoch=epoch, limit=limit)
        return JSONResponse(asdict(page))

    return router


def _number(query: dict[str, str], name: str, default: int, *, at_least: int, at_most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else -1
    if not at_least <= number <= at_most:
        raise Invalid(f"{name} must be a whole number from {at_least} to {at_most}")
    return number
