"""The application: routes, middlewares, errors, put together."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from notifier.api import notifications
from notifier.api.context import Services
from notifier.connections import DatabaseAway
from runtime import api_docs, problems
from runtime.body import BodyLimit
from runtime.http import CORRELATION_HEADER, CorrelationMiddleware
from runtime.problems import CatchUnexpected, as_problems, database_away
from runtime.security_headers import SecurityHeaders


def build(
    services: Services,
    *,
    new_id: Callable[[], str],
    cors_origins: Sequence[str] = (),
    root_path: str = "",
) -> FastAPI:
    """Return what the port answers."""
    app = _described(root_path)
    app.state.services = services
    app.router.routes.extend(api_docs.routes(app))
    app.include_router(notifications.router)
    problems.install(app)
    app.add_exception_handler(DatabaseAway, _on_database_away)
    # Outermost last.
    app.add_middleware(BodyLimit)
    app.add_middleware(CatchUnexpected)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "If-None-Match",
            "X-Requested-With",
            "X-Socket-ID",
            CORRELATION_HEADER,
        ],
        expose_headers=["ETag", "Retry-After", CORRELATION_HEADER],
        max_age=600,
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CorrelationMiddleware, new_id=new_id)
    return app


def openapi() -> dict[str, Any]:
    """Return what `/openapi.json` answers."""
    app = _described()
    app.include_router(notifications.router)
    return app.openapi()


def _described(root_path: str = "") -> FastAPI:
    return _Leadwire(
        title="Leadwire notifier",
        version="0.1.0",
        description="A user's inbox: what they were told, once each, and what of it they have read."
        + api_docs.SERVER_REFUSALS,
        root_path=root_path,
        redirect_slashes=False,
        openapi_url=None,  # `runtime.api_docs` serves it
        generate_unique_id_function=_operation_id,
    )


class _Leadwire(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            as_problems(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _on_database_away(_request: Request, _error: Exception) -> JSONResponse:
    return problems.response(database_away())
