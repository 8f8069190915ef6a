"""Which app a request comes from: everything the API answers is signed with an app's secret."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from gateway.pusher import signature
from gateway.pusher.app import App, Apps
from gateway.pusher.refusals import AppDisabled, Invalid, NotFound, TooLarge, Unauthorised
from gateway.pusher.signature import Pairs, SignedRequest

MIN_BODY: Final = 1024 * 1024  # bytes that every app may send at once
ESCAPED: Final = 6  # bytes of JSON for one byte of data, at the most


@dataclass(frozen=True, slots=True)
class Call:
    """A request that proved to come from an app."""

    app: App
    query: Pairs
    body: bytes


class Authenticator:
    """Admits requests; nothing of one is read before its signature was checked."""

    def __init__(self, apps: Apps, *, now: Callable[[], float], path_prefix: str = "") -> None:
        """Prepare.

        Args:
            apps: the tenants.
            now: Unix time in seconds.
            path_prefix: a public prefix that SDKs do not sign.
        """
        self._apps = apps
        self._now = now
        self._path_prefix = path_prefix

    async def of_app(self, request: Request, app_id: str) -> Call:
        """Return a request that was signed by the app named in its path.

        Raises:
            Refused: it was not, or the app may do nothing.
        """
        app = self._apps.by_id(app_id)
        if app is None:
            raise NotFound("Unknown app")
        return await self._admit(request, app)

    async def of_key(self, request: Request) -> Call:
        """Return a request that was signed by the app of its `auth_key`: the path names none.

        Raises:
            Refused: it was not, or the app may do nothing.
        """
        app = self._apps.by_key(request.query_params.get("auth_key", ""))
        if app is None:
            raise Unauthorised("Unknown auth_key")
        return await self._admit(request, app)

    async def _admit(self, request: Request, app: App) -> Call:
        signed = await _signed(request, max(MIN_BODY, ESCAPED * app.max_batch * app.max_event_bytes))
        signature.verify(signed, app, now=self._now(), path_prefix=self._path_prefix)
        if not app.enabled:
            raise AppDisabled("The app is disabled")
        return Call(app, signature.query_pairs(signed.query), signed.body)


async def _signed(request: Request, max_body: int) -> SignedRequest:
    """Return the request as it was signed: nothing decoded, nothing re-encoded; the body up to so many bytes."""
    scope = request.scope
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_body:
            raise TooLarge(f"The body exceeds the allowed maximum ({max_body} bytes)")
    try:
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
    except UnicodeDecodeError as error:
        raise Invalid("The request target is not UTF-8") from error
    return SignedRequest(request.method, path, query, bytes(body))
