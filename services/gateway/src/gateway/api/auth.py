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
    """Admits requests; nothing of one is read before its signature was checked, not even its body."""

    def __init__(self, apps: Apps, *, now: Callable[[], float], path_prefix: str = "") -> None:
        """Prepare.

        Args:
            apps: the tenants.
            now: Unix time in seconds.
            path_prefix: of the public path; see `signature.verify`.
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
        signed = _signed(request)
        signature.verify(signed, app, now=self._now(), path_prefix=self._path_prefix)
        if not app.enabled:
            raise AppDisabled("The app is disabled")
        body = await _body(request, max(MIN_BODY, ESCAPED * app.max_batch * app.max_event_bytes))
        signature.verify_body(signed.query, body)
        return Call(app, signature.query_pairs(signed.query), body)


async def _body(request: Request, most: int) -> bytes:
    """Return the body, up to so many bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge(f"The body exceeds the allowed maximum ({most} bytes)")
    return bytes(body)


def _signed(request: Request) -> SignedRequest:
    """Return the request as it was signed: nothing decoded, nothing re-encoded."""
    scope = request.scope
    try:
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
    except UnicodeDecodeError as error:
        raise Invalid("The request target is not UTF-8") from error
    return SignedRequest(request.method, path, query)
