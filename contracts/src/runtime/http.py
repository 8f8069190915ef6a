"""Requests to a public port: correlation ids, one log line and one measured duration for each."""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from time import perf_counter
from typing import Final

import structlog
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime import tracing
from runtime.logs import CORRELATION_ID, bound_contextvars
from runtime.tracing import Span

CORRELATION_HEADER: Final = "X-Correlation-ID"
BUCKETS: Final = (0.01, 0.05, 0.25, 1, 5, 30)
"""Seconds; few, because there are as many series for each route, method and class of status."""

_ID = re.compile(r"[0-9]{1,20}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_log = structlog.stdlib.get_logger("runtime.http")
_seconds = Histogram(
    "http_request_duration_seconds",
    "Time to answer an HTTP request",
    ["method", "route", "status_class"],
    buckets=BUCKETS,
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
    if not tracing.is_on():
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
