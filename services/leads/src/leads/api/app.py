"""The application: routes, middlewares, errors, put together."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from leads.api import (
    accounts,
    assignment,
    broadcasting,
    catalogue,
    company,
    errors,
    export,
    feed,
    imports,
    jobs,
    leads,
    merging,
    messages,
    reading,
    saved_views,
    shown_errors,
    stages,
    tagging,
    users,
)
from leads.api.asyncapi import asyncapi_route
from leads.api.commands import CountCommands
from leads.api.context import Services, changes, guards
from leads.api.jwks import jwks_route
from runtime import api_docs
from runtime.body import BodyLimit
from runtime.http import CORRELATION_HEADER, CorrelationMiddleware
from runtime.problems import CatchUnexpected, as_problems
from runtime.security_headers import SecurityHeaders

MODULES: Final = (
    leads,
    export,
    reading,
    feed,
    assignment,
    stages,
    tagging,
    messages,
    merging,
    broadcasting,
    accounts,
    users,
    company,
    catalogue,
    saved_views,
    jobs,
    imports,
)
"""Those asked most come first: a request is compared with one route after the other, at 3 µs each."""
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_ASKED = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Traceparent")
_ALSO_ASKED = ("X-CSRF-Token", "X-Requested-With", "X-Socket-ID", CORRELATION_HEADER)
_TOLD = ("ETag", "Location", "Retry-After", CORRELATION_HEADER)


def build(
    services: Services,
    *,
    cors_origins: Sequence[str] = (),
    root_path: str = "",
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Return the API, ready to be served."""
    app = _described(root_path, lifespan)
    app.state.services = services
    app.router.routes.extend((asyncapi_route(), jwks_route(services.verifier), *api_docs.routes(app)))
    _include_routes(app)
    errors.install(app)
    # Outermost last.
    app.add_middleware(CountCommands, commands=_commands())
    app.add_middleware(BodyLimit, streamed={("POST", "/imports")})
    app.add_middleware(CatchUnexpected)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[*_ASKED, *_ALSO_ASKED],
        expose_headers=_TOLD,
        max_age=600,
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CorrelationMiddleware, new_id=lambda: str(services.new_id()))
    return app


def openapi() -> dict[str, Any]:
    """Return what `/openapi.json` answers."""
    app = _described()
    _include_routes(app)
    return app.openapi()


def _described(root_path: str = "", lifespan: Lifespan | None = None) -> FastAPI:
    return _Leadwire(
        title="Leadwire leads",
        version="0.1.0",
        description="A company's leads. Every change is a fact in its feed, and every answer says which it reflects."
        + api_docs.SERVER_REFUSALS,
        root_path=root_path,
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # `runtime.api_docs` serves it
        generate_unique_id_function=_operation_id,
    )


def _include_routes(app: FastAPI) -> None:
    for module in MODULES:
        app.include_router(_guarded(module.router))


class _Leadwire(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            shown_errors.show(as_problems(super().openapi()))
        assert self.openapi_schema is not None
        return self.openapi_schema


def _guarded(router: APIRouter) -> APIRouter:
    open_routes = [route for route in router.routes if not (isinstance(route, APIRoute) and guards(route))]
    if open_routes:
        raise ValueError(f"no operation of leads.access is checked by {open_routes}")
    return router


def _commands() -> frozenset[str]:
    routes = (route for module in MODULES for route in module.router.routes)
    return frozenset(route.name for route in routes if isinstance(route, APIRoute) and changes(route))


def _operation_id(route: APIRoute) -> str:
    return route.name
