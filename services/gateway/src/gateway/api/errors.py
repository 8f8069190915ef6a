"""Refusals as HTTP answers: one sentence of plain text, which SDKs show verbatim."""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from gateway.pusher.refusals import (
    AppDisabled,
    Invalid,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthorised,
    Unavailable,
)

STATUS: Final[dict[type[Refused], int]] = {
    Invalid: 400,
    Unauthorised: 401,
    AppDisabled: 403,
    NotFound: 404,
    TooLarge: 413,
    TooMany: 429,
    Unavailable: 503,
}


def install(app: FastAPI) -> None:
    """Answer refusals, unknown paths and wrong methods in plain text."""

    async def refused(_request: Request, error: Exception) -> Response:
        headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else None
        status = STATUS[type(error)]  # type: ignore[index]  # registered for these types
        return PlainTextResponse(f"{error}\n", status, headers)

    async def http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)

    for kind in STATUS:
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(HTTPException, http_error)
