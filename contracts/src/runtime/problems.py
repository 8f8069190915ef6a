"""Every error as a problem (RFC 9457). A problem names fields, never their values."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.logs import CORRELATION_ID, bind_contextvars
from runtime.stacks import frames

MEDIA_TYPE: Final = "application/problem+json"
SHOWN_NAME: Final = 64  # characters of a field name that somebody else made up
SHOWN_ERRORS: Final = 50  # a small body may have tens of thousands
EXAMPLE_ID: Final = "5f0e6b0e-93f5-4f0e-8a53-3f1b0a2c9d10"
_log = structlog.stdlib.get_logger("runtime.problems")


class FieldError(BaseModel):
    """What is wrong with one field."""

    pointer: str | None = None
    """JSON Pointer into the body."""
    field: str | None = None
    """Name of a query parameter or header."""
    message: str


class ProblemDetails(BaseModel):
    """The body of every error."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    correlation_id: str | None = None
    errors: list[FieldError] | None = None


class Problem(Exception):
    """A request that cannot be served as it stands."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] = (),
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.errors = errors
        self.extensions = extensions or {}
        """Members of the problem's own (RFC 9457 §3.2)."""


def unauthorized(detail: str, *, error: str | None = None) -> Problem:
    """Return the problem of a request without a valid access token (RFC 6750 §3)."""
    challenge = 'Bearer realm="leadwire"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def not_found() -> Problem:
    """Return the problem of something that does not exist, or not for this company."""
    return Problem(404, "not_found", "There is nothing here.")


def malformed_header(name: str, message: str) -> Problem:
    """Return the problem of a header that cannot be understood."""
    return Problem(
        400, "malformed_header", "A header cannot be understood.", errors=[FieldError(field=name, message=message)]
    )


def database_away() -> Problem:
    """Return the problem of a request that the database could not be asked for."""
    detail = "The service cannot reach its database. Nothing is known to have changed; try again."
    return Problem(503, "unavailable", detail, headers={"Retry-After": "1"})


def code_of(status: HTTPStatus) -> str:
    """Return the code of a problem that is no more than its status: 405 → `method_not_allowed`."""
    return status.phrase.lower().replace(" ", "_").replace("-", "_")


def install(app: FastAPI) -> None:
    """Make the application answer refusals, invalid requests and HTTP errors as problems."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


class CatchUnexpected:
    """Answer what nobody foresaw with a bare 500, and log where it happened; messages may quote personal data."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the last line of defence
            _log.error("unexpected error", error=type(error).__name__, traceback=frames(error))
            if started:
                raise ConnectionAbortedError("the answer had begun") from None
            problem = Problem(500, "internal_error", "This is our fault, and it has been logged.")
            await respond(problem, scope, receive, send)


async def respond(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a problem from a middleware."""
    await response(problem)(scope, receive, send)


def response(problem: Problem) -> JSONResponse:
    """Return the answer that tells a problem."""
    bind_contextvars(problem=problem.code)  # the request's log line shows it
    body = body_of(problem, structlog.contextvars.get_contextvars().get(CORRELATION_ID))
    return JSONResponse(body, problem.status, dict(problem.headers or {}), media_type=MEDIA_TYPE)


def body_of(problem: Problem, correlation_id: str | None = EXAMPLE_ID) -> dict[str, Any]:
    """Return a problem's members; without a correlation id, as an example."""
    details = ProblemDetails(
        type=f"urn:leadwire:problem:{problem.code}",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        correlation_id=correlation_id,
        errors=list(problem.errors) or None,
    )
    return details.model_dump(exclude_none=True) | dict(problem.extensions)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's description of these error answers of a route, each with an example."""
    return {status: _described(HTTPStatus(status)) for status in statuses}


def as_problems(openapi: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document whose error answers bear the media type they are sent with."""
    for path in openapi["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                if status >= "400":
                    answer["content"] = {MEDIA_TYPE: answer["content"].pop("application/json")}
    return openapi


def _described(status: HTTPStatus) -> dict[str, Any]:
    example = body_of(Problem(status.value, code_of(status), f"{status.description or status.phrase}."))
    return {
        "description": status.phrase,
        "model": ProblemDetails,
        "content": {"application/json": {"example": example}},
    }


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    return response(cast("Problem", error))


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    exception = cast("HTTPException", error)
    if exception.status_code == HTTPStatus.BAD_REQUEST:
        return response(_malformed_json())  # FastAPI's word for bytes that are no text, or nested too deeply
    status = HTTPStatus(exception.status_code)
    return response(Problem(status.value, code_of(status), f"{status.phrase}.", headers=exception.headers))


async def _on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    errors = cast("RequestValidationError", error).errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return response(_malformed_json())
    if any(item["loc"][0] == "path" for item in errors):
        return response(not_found())  # an id that is none belongs to nothing
    detail = "The request does not have the required form."
    shown = [_field_error(item) for item in errors[:SHOWN_ERRORS]]
    return response(Problem(422, "invalid_request", detail, errors=shown))


def _malformed_json() -> Problem:
    return Problem(400, "malformed_json", "The body is not JSON.")


def _field_error(item: Mapping[str, Any]) -> FieldError:
    place, *path = item["loc"]
    # pydantic's text for a malformed UUID quotes it.
    message = "Input should be a valid UUID" if item["type"].startswith("uuid") else item["msg"]
    names = [str(step)[:SHOWN_NAME] for step in path]
    if place == "body":
        pointer = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
        return FieldError(pointer=pointer, message=message)
    return FieldError(field=".".join(names), message=message)
