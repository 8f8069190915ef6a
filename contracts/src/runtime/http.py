"""The HTTP manners of every process: correlation ids, one log line a request, `/livez`, `/readyz`, `/metrics`."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, disable_created_metrics, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime import tracing
from runtime.logs import CORRELATION_ID, bound_contextvars
from runtime.tracing import Span

CORRELATION_HEADER: Final = "X-Correlation-ID"
PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
CHECK_TIMEOUT: Final = 2.0  # seconds a readiness check may take before it counts as failed

Check = Callable[[], Awaitable[str | None]]
"""A readiness check: returns None when all is well, else what is wrong."""

_ID = re.compile(r"[0-9]{1,20}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_log = structlog.stdlib.get_logger("runtime.http")
_seconds = Histogram(
    "http_request_duration_seconds", "Time to answer an HTTP request", ["method", "route", "status_class"]
)


class CorrelationMiddleware:
    """Give each HTTP request a correlation id, answer it as `X-Correlation-ID`, and log the request once.

    The client's own id is kept when it is well-formed (1 to 128 of `A-Za-z0-9_.:-`).
    """

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = Headers(scope=scope).get(CORRELATION_HEADER, "")
        correlation_id = offered if _CORRELATION_ID.fullmatch(offered) else self._new_id()
        status = 500
        started = perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[CORRELATION_HEADER] = correlation_id
            await send(message)

        span = _begin(scope)
        with bound_contextvars(**{CORRELATION_ID: correlation_id}), tracing.within(span):
            try:
                await self._app(scope, receive, answer)
            finally:
                self._record(scope, status, perf_counter() - started)
                if span is not None:
                    _end(span, scope, status, correlation_id)

    @staticmethod
    def _record(scope: Scope, status: int, seconds: float) -> None:
        if scope["path"] in PROBES:
            return
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        _seconds.labels(method, _route(scope), f"{status // 100}xx").observe(seconds)
        _log.info("request", method=method, path=_shown(scope), status=status, milliseconds=round(seconds * 1000, 2))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _shown(scope: Scope) -> str:
    """Return the path; where more than ids stands in it the route's pattern, for people type addresses there."""
    shown: str = scope["path"] if all(_ID.fullmatch(str(value)) for value in _parameters(scope)) else _route(scope)
    return shown


def _parameters(scope: Scope) -> Iterable[object]:
    return scope.get("path_params", {}).values() if "route" in scope else ("unmatched",)


def _begin(scope: Scope) -> Span | None:
    if not tracing.is_on() or scope["path"] in PROBES:
        return None
    return tracing.begin("HTTP", "server", Headers(scope=scope).get("traceparent"))


def _end(span: Span, scope: Scope, status: int, correlation_id: str) -> None:
    method, route = scope["method"] if scope["method"] in _METHODS else "OTHER", _route(scope)
    span.rename(f"{method} {route}")
    span.end(
        error="the answer is an error of ours" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
        http__request__method=method,
        http__route=route,
        http__response__status_code=status,
        leadwire__correlation_id=correlation_id,
    )


def _route(scope: Scope) -> str:
    """Return the route's pattern: a label of bounded cardinality."""
    route = scope.get("route")
    return getattr(route, "path", "unmatched")


def probe_routes(checks: Mapping[str, Check], details: Callable[[], Mapping[str, Any]] = dict) -> list[Route]:
    """Return the routes an operator asks: `/livez`, `/readyz` and `/metrics`.

    Args:
        checks: dependency name → readiness check; all must pass for 200, else 503.
        details: returns what `/readyz` tells besides, as JSON values; it decides nothing.
    """
    # One more series for each counter, of which nobody asks.
    disable_created_metrics()  # type: ignore[no-untyped-call]

    asked = {name: _Asked(check) for name, check in checks.items()}

    async def livez(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        answers = await asyncio.gather(*(one.answer() for one in asked.values()))
        reasons = dict(zip(asked, answers, strict=True))
        ready = not any(reasons.values())
        body = {
            "status": "ready" if ready else "not ready",
            "checks": {name: reason or "ok" for name, reason in reasons.items()},
            **details(),
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


class _Asked:
    """One readiness check. What takes too long goes on in the background, and is not asked once more meanwhile:
    cancelling a statement on a connection that answers nothing may take as long as the statement.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._asking: asyncio.Task[str | None] | None = None

    async def answer(self) -> str | None:
        """Return what is wrong, None when all is well, within `CHECK_TIMEOUT`."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        asking = self._asking
        done, _ = await asyncio.wait({asking}, timeout=CHECK_TIMEOUT)
        return asking.result() if done else f"no answer within {CHECK_TIMEOUT:g} s"

    async def _ask(self) -> str | None:
        try:
            return await self._check()
        except Exception as error:  # noqa: BLE001 - whatever a dependency raises, the answer is "not ready"
            return type(error).__name__
