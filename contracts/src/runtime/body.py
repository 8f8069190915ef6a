"""Bounds a request's body before anything parses it."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.problems import Problem, respond

MAX_BODY: Final = 64 * 1024  # bytes, where nothing else is said; the longest valid lead needs about 5 KB


class BodyLimit:
    """Answer 413 to a body over the limit, whether announced or streamed.

    Args:
        app: what is behind.
        streamed: (method, path) of routes that take their body piece by piece, and bound it themselves.
    """

    def __init__(self, app: ASGIApp, streamed: Collection[tuple[str, str]] = ()) -> None:
        self._app = app
        self._streamed = frozenset(streamed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_streamed = scope["type"] == "http" and (scope["method"], _path(scope)) in self._streamed
        if scope["type"] != "http" or is_streamed or not _has_body(headers := Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        announced = headers.get("content-length", "0")
        body = await _read(receive) if announced.isdecimal() and int(announced) <= MAX_BODY else None
        if body is None:
            detail = f"A body may have at most {MAX_BODY} bytes."
            await respond(Problem(413, "body_too_large", detail), scope, receive, send)
            return
        await self._app(scope, _replaying(body, receive), send)


def _path(scope: Scope) -> str:
    """Return the path below the one that a proxy serves the application under."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


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
