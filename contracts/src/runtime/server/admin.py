"""The admin port of a process: `/livez`, `/readyz` and `/metrics`, which no public port answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from time import monotonic
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.coalescing import Coalesced
from runtime.server.limits import HttpLimits

CHECK_TIMEOUT: Final = 2.0  # seconds a readiness check may take before it counts as failed
METRICS_BUSY: Final = 0.1  # share of the time in which metrics may be written, however often they are asked for
LIMITS: Final = HttpLimits(head_seconds=5.0, body_seconds=5.0, answer_seconds=10.0, pipelined=1, connections=64)
"""Of an admin port: a few probes and scrapers."""

Check = Callable[[], Awaitable[str | None]]
"""A readiness check: returns None when all is well, else what is wrong."""
Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def admin_app(
    checks: Mapping[str, Check], details: Callable[[], Mapping[str, Any]] = dict, *, lifespan: Lifespan | None = None
) -> Starlette:
    """Return what an admin port answers.

    However many ask, the checks run once at a time, and so do the metrics, in another thread.

    Args:
        checks: dependency name → readiness check; all must pass for 200, else 503.
        details: returns more members of the answer of `/readyz`, as JSON values; it decides nothing.
        lifespan: of a process that serves nothing else.
    """
    # One more series for each counter, of which nobody asks.
    disable_created_metrics()  # type: ignore[no-untyped-call]

    asked = {name: _Asked(check) for name, check in checks.items()}
    written, metrics_writer = Coalesced[bytes](), _MetricsWriter()

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
        return Response(await written.read(None, metrics_writer.write), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=routes, lifespan=lifespan)


class _MetricsWriter:
    """Writes the metrics in another thread, and pauses between two times for much longer than one takes."""

    def __init__(self) -> None:
        self._not_before = 0.0

    async def write(self) -> bytes:
        await asyncio.sleep(self._not_before - monotonic())
        began = monotonic()
        try:
            return await asyncio.to_thread(generate_latest)
        finally:
            self._not_before = began + (monotonic() - began) / METRICS_BUSY


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
