"""An API's description and its pages: `/openapi.json`, `/docs`, `/redoc`, without anything of other hosts.

The description is written once. Scripts and styles come from the package `fastapi-offline`, which carries the builds of
Swagger UI and ReDoc; a policy of their own keeps the pages from loading or running anything else.
"""

import gzip
import html
import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SERVER_REFUSALS: Final = (
    "\n\nAny request may be refused before an operation is looked for: with `400` if it is no HTTP/1.1 request,"
    " with `414` if its request line is too long, and with `431` if its headers are too many or too long."
)
"""What a description says of the limits of `runtime.server`."""
_ASK_FIRST: Final = "no-cache"
_FOR_A_DAY: Final = "public, max-age=86400"
_SWAGGER: Final = (
    "window.ui = SwaggerUIBundle({url: document.body.dataset.description, dom_id: '#page', deepLinking: true, "
    "presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset], validatorUrl: null});"
)
_REDOC: Final = "Redoc.init(document.body.dataset.description, {}, document.getElementById('page'));"
_STARTS: Final = {"swagger.js": _SWAGGER, "redoc.js": _REDOC}
"""Scripts that start a page: the policy forbids them inside it."""


class Document:
    """A text that never changes while the process runs: serialised, compressed and tagged once."""

    def __init__(self, content: bytes, media_type: str, *, caching: str = _ASK_FIRST) -> None:
        digest = sha256(content).hexdigest()[:24]
        self._plain = content, f'"{digest}"'
        self._packed = gzip.compress(content, mtime=0), f'"{digest}-gzip"'
        self._media_type = media_type
        self._caching = caching

    def answer(self, headers: Headers) -> Response:
        """Return the answer to a request with these headers: 304, or the text, compressed for those who take it."""
        packs = "gzip" in headers.get("accept-encoding", "")
        content, etag = self._packed if packs else self._plain
        told = {"ETag": etag, "Cache-Control": self._caching, "Vary": "Accept-Encoding"}
        if etag in {tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")}:
            return Response(status_code=304, headers=told)
        if packs:
            told["Content-Encoding"] = "gzip"
        return Response(content, headers=told, media_type=self._media_type)


def routes(app: FastAPI) -> Sequence[BaseRoute]:
    """Return the routes of an application's description and of its pages; `/` leads to `/docs`.

    Args:
        app: with all its operations. Its own pages have to be switched off (`openapi_url=None`).
    """

    @cache
    def written(root: str) -> Document:
        servers = {"servers": [{"url": root}]} if root else {}
        text = json.dumps(app.openapi() | servers, ensure_ascii=False, separators=(",", ":"))
        return Document(text.encode(), "application/json")

    async def description(request: Request) -> Response:
        return written(_root(request)).answer(request.headers)

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS and name not in _STARTS:
            raise HTTPException(404)
        return _asset(name).answer(request.headers)

    async def docs(request: Request) -> Response:
        return _page(app, request, scripts=("swagger-ui-bundle.js", "swagger.js"), styles=("swagger-ui.css",))

    async def redoc(request: Request) -> Response:
        return _page(app, request, scripts=("redoc.standalone.js", "redoc.js"))

    async def root(request: Request) -> Response:
        return RedirectResponse(f"{_root(request)}/docs", headers={"Cache-Control": _ASK_FIRST})

    return [
        Route("/", root),
        Route("/openapi.json", description),
        Route("/docs", docs),
        Route("/redoc", redoc),
        Route("/docs/assets/{name}", asset),
    ]


@cache
def _asset(name: str) -> Document:
    if name in _STARTS:
        return Document(_STARTS[name].encode(), "text/javascript", caching=_FOR_A_DAY)
    content = (files("fastapi_offline") / "static" / name).read_bytes()
    return Document(content, ASSETS[name], caching=_FOR_A_DAY)


def _page(app: FastAPI, request: Request, *, scripts: Sequence[str], styles: Sequence[str] = ()) -> HTMLResponse:
    root = html.escape(_root(request))
    head = "".join(f'<link rel="stylesheet" href="{root}/docs/assets/{name}">' for name in styles)
    tail = "".join(f'<script src="{root}/docs/assets/{name}"></script>' for name in scripts)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(app.title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{root}/docs/assets/favicon.png">{head}</head>'
        f'<body data-description="{root}/openapi.json"><div id="page"></div>{tail}</body></html>',
        headers={"Content-Security-Policy": POLICY, "Cache-Control": _ASK_FIRST},
    )


def _root(request: Request) -> str:
    """Return the path below which a proxy serves the application."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")
