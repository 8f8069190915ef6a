"""The Pusher HTTP API: what backends send. Success is exactly `{}`; an error is one sentence of plain text."""

import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from structlog.contextvars import get_contextvars

from contracts.push import Push
from gateway import metrics
from gateway.pusher import signature, trigger
from gateway.pusher.app import App, Apps
from gateway.pusher.refusals import AppDisabled, Invalid, NotFound, Refused, TooLarge, Unauthorised, Unavailable
from gateway.pusher.signature import SignedRequest
from gateway.pusher.trigger import Trigger
from runtime.logs import CORRELATION_ID

MAX_BODY: Final = 1024 * 1024  # bytes; a full batch of events, every character escaped

STATUS: Final[dict[type[Refused], int]] = {
    Invalid: 400,
    Unauthorised: 401,
    AppDisabled: 403,
    NotFound: 404,
    TooLarge: 413,
    Unavailable: 503,
}
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class Store(Protocol):
    """Where triggered events go."""

    async def store(self, pushes: Sequence[Push]) -> None:
        """Store in order.

        Raises:
            Unavailable: not all were stored.
        """


def build(
    apps: Apps, store: Store, *, now: Callable[[], float], new_id: Callable[[], str], path_prefix: str = ""
) -> FastAPI:
    """Return the API, to be mounted at `/apps`.

    Args:
        apps: the tenants.
        store: where events go.
        now: Unix time in seconds.
        new_id: makes unique text.
        path_prefix: a public prefix that SDKs do not sign.
    """
    api = FastAPI(title="Pusher HTTP API", openapi_url=None)
    install_errors(api)

    @api.post("/{app_id}/events")
    async def post_event(app_id: str, request: Request) -> Response:
        signed = await _signed(request)
        app = _authenticate(apps, app_id, signed, now=now(), path_prefix=path_prefix)
        event = trigger.parse(signed.body, signature.query_pairs(signed.query))
        await store.store(_pushes(app, event, _message_key(app, request, new_id)))
        metrics.TRIGGERS.labels(app.id).inc()
        return Response(b"{}", media_type="application/json")

    @api.post("/{app_id}/batch_events")
    async def post_batch(app_id: str, request: Request) -> Response:
        signed = await _signed(request)
        app = _authenticate(apps, app_id, signed, now=now(), path_prefix=path_prefix)
        events = trigger.parse_batch(signed.body)
        key = _message_key(app, request, new_id)
        # Two events of a batch may go to one channel, so that each has a key of its own.
        keyed = [(event, f"batch:{index}:{key}") for index, event in enumerate(events)]
        await store.store([push for event, own_key in keyed for push in _pushes(app, event, own_key)])
        metrics.TRIGGERS.labels(app.id).inc(len(events))
        return Response(b"{}", media_type="application/json")

    return api


def install_errors(app: FastAPI) -> None:
    """Answer refusals, unknown paths and wrong methods in plain text."""

    async def refused(_request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{error}\n", STATUS[type(error)])  # type: ignore[index]  # registered for these types

    async def http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)

    for kind in STATUS:
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(HTTPException, http_error)


def _authenticate(apps: Apps, app_id: str, signed: SignedRequest, *, now: float, path_prefix: str) -> App:
    app = apps.by_id(app_id)
    if app is None:
        raise NotFound("Unknown app")
    signature.verify(signed, app, now=now, path_prefix=path_prefix)
    if not app.enabled:
        raise AppDisabled("The app is disabled")
    return app


async def _signed(request: Request) -> SignedRequest:
    """Return the request as it was signed: nothing decoded, nothing re-encoded."""
    scope = request.scope
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLarge(f"The body exceeds the allowed maximum ({MAX_BODY} bytes)")
    try:
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
    except UnicodeDecodeError as error:
        raise Invalid("The request target is not UTF-8") from error
    return SignedRequest(request.method, path, query, bytes(body))


def _message_key(app: App, request: Request, new_id: Callable[[], str]) -> str:
    """Return what makes the request's events unique: repeating it with the same Idempotency-Key stores nothing twice.

    The app is part of the key, so that nobody can use up the keys of others.
    """
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return new_id()
    if not _IDEMPOTENCY_KEY.fullmatch(given):
        raise Invalid("Idempotency-Key must be 1 to 255 printable ASCII characters")
    return f"http:{app.id}:{given}"


def _pushes(app: App, event: Trigger, key: str) -> list[Push]:
    correlation_id = get_contextvars().get(CORRELATION_ID)
    return [
        Push(
            app_id=app.id,
            channel=channel,
            event=event.name,
            data=event.data,
            key=key,
            except_socket=event.except_socket,
            correlation_id=correlation_id,
        )
        for channel in event.channels
    ]
