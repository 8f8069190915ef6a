"""Headers that tell browsers what not to do with an answer."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HSTS: Final = "max-age=31536000; includeSubDomains"
NO_PAGE: Final = "default-src 'none'; frame-ancestors 'none'"


class SecurityHeaders:
    """Add what an answer does not say itself.

    - `X-Content-Type-Options: nosniff`: always.
    - `Cache-Control: no-store`: what has no ETag or policy of its own may be personal, and is kept nowhere.
    - `Content-Security-Policy`: an answer that is no page runs and loads nothing, should a browser show it as one.
    - `Strict-Transport-Security` (RFC 6797): where the client's connection is encrypted, by us or a trusted proxy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Content-Security-Policy", NO_PAGE)
                headers.setdefault("Referrer-Policy", "same-origin")
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = HSTS
            await send(message)

        await self._app(scope, receive, answer)
