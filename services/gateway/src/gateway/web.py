"""The built web screen, served from the gateway's own port: one origin for the page and its socket."""

import re
from collections.abc import Callable, Iterable, MutableMapping
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

FOR_EVER: Final = "public, max-age=31536000, immutable"  # the build puts a hash of the content into the name
ASK_FIRST: Final = "no-cache"
ADMIN: Final = frozenset({"livez", "readyz", "metrics"})
HASHED: Final = "assets"  # the folder of hashed files
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:]+\](:\d+)?")


def routes(directory: Path, *, api_url: str, notifier_url: str, app_key: Callable[[], str | None]) -> list[BaseRoute]:
    """Return the routes of the screen; the last one takes every path that is left.

    Args:
        directory: the build.
        api_url: the leads api as browsers reach it.
        notifier_url: the notifier as browsers reach it.
        app_key: returns the public key of the app whose channels the screen joins.
    """

    async def config(_request: Request) -> Response:
        places = {"apiUrl": api_url, "notifierUrl": notifier_url, "appKey": app_key()}
        return JSONResponse(places, headers={"Cache-Control": "no-store"})

    return [Route("/config.json", config), Mount("/", _Screen(directory, (api_url, notifier_url)))]


class _Screen(StaticFiles):
    """Files, and `index.html` for every path that a person navigates to: the screen routes those itself."""

    def __init__(self, directory: Path, services: Iterable[str]) -> None:
        super().__init__(directory=directory, html=True)
        self._origins = "".join(sorted(set(map(_origin, services))))

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        headers = Headers(scope=scope)
        try:
            response = await self._file(path, scope, headers)
        except HTTPException as error:
            if error.status_code != 404 or not _is_page(path, headers):  # noqa: PLR2004 - the status itself
                raise
            response = await super().get_response("index.html", scope)
        response.headers["Cache-Control"] = FOR_EVER if _is_hashed(path) else ASK_FIRST
        response.headers["Content-Security-Policy"] = self._policy(headers.get("host", ""))
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    async def _file(self, path: str, scope: MutableMapping[str, Any], headers: Headers) -> Response:
        """Return a file; where the build put its gzip beside it, that one to those who take it."""
        packed, _ = self.lookup_path(f"{path}.gz") if _is_hashed(path) else ("", None)
        if not packed:
            return await super().get_response(path, scope)
        accepts = "gzip" in headers.get("accept-encoding", "")
        response = await super().get_response(f"{path}.gz" if accepts else path, scope)
        response.headers["Vary"] = "Accept-Encoding"
        if accepts:
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Content-Type"] = f"{guess_type(path)[0]}; charset=utf-8"
        return response

    def _policy(self, host: str) -> str:
        # Older Safari does not count a WebSocket of the same host as 'self'.
        sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
        return (
            "default-src 'self'; "
            f"connect-src 'self'{sockets}{self._origins}; "
            "img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
            "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )


def _is_hashed(path: str) -> bool:
    return PurePosixPath(path).parts[:1] == (HASHED,)


def _is_page(path: str, headers: Headers) -> bool:
    """Whether a browser asks for a page, not for a file, nor for what the admin port answers."""
    parts = [part.partition(";")[0].strip("\0 ").lower() for part in re.split(r"[/\\?#]", unquote(path))]
    is_file = "." in PurePosixPath(path).name
    return not is_file and ADMIN.isdisjoint(parts) and "text/html" in headers.get("accept", "")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f" {parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""
