"""Bounds a request's body before anything parses it."""

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.problems import Problem, respond

MAX_BODY: Final = 64 * 1024  # bytes, where nothing else is said; the longest valid lead needs about 5 KB


class BodyLimit:
    """Answer 413 to a body over the limit, whether announced or streamed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(headers := Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        announced = headers.get("content-length", "0")
        body = await _read(receive) if announced.isdecimal() and int(announced) <= MAX_BODY else None
        if body is None:
            detail = f"A body may have at most {MAX_BODY} bytes."
            await respond(Problem(413, "body_too_large", detail), scope, receive, send)
            return
        await self._app(scope, _replaying(body, receive), send)


def _has_body(headers: Headers) -> bool:
    return "content-length" in headers or "transfer-encoding" in headers


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body, or None as soon as it exceeds the limit.

    Raises:
        ClientDisconnect: the client went away first.
    """
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _replaying(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
