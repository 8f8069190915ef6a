"""Every error as a problem (RFC 9457), in one place. A problem names fields, never their values."""

import traceback
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

from leads.command import IdempotencyKeyReused, VersionConflict
from leads.domain import LeadNotFound, LeadRefusal, NameMissing, StaleVersion
from leads.passwords import TooManyAtOnce
from leads.store.database import DatabaseAway
from leads.store.log import UnknownCompany
from runtime.logs import CORRELATION_ID, bind_contextvars

MEDIA_TYPE: Final = "application/problem+json"
SHOWN_NAME: Final = 64  # characters of a field name that somebody else made up
_log = structlog.stdlib.get_logger("leads.api")


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
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.errors = errors


REFUSALS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    LeadNotFound: (404, "There is no such lead."),
    StaleVersion: (412, "The lead has changed since you read it: read it again, then decide."),
    NameMissing: (422, "A lead needs a name."),
    LeadRefusal: (409, "The rules do not allow this."),
    VersionConflict: (409, "Others keep changing this lead at the same time: try again."),
    IdempotencyKeyReused: (422, "This Idempotency-Key was used before, for another request."),
}
"""Looked up along the class' ancestors, so that a subclass inherits its parent's status."""


def unauthorized(detail: str, *, error: str | None = None) -> Problem:
    """Return the problem of a request without a valid access token (RFC 6750 §3)."""
    challenge = 'Bearer realm="leadwire"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def not_found() -> Problem:
    """Return the problem of something that does not exist, or not for this company."""
    return Problem(404, "not_found", "There is nothing here.")


def code_of(status: HTTPStatus) -> str:
    """Return the code of a problem that is no more than its status: 405 → `method_not_allowed`."""
    return status.phrase.lower().replace(" ", "_").replace("-", "_")


def install(app: FastAPI) -> None:
    """Make the application answer its errors as problems."""
    handlers = {
        Problem: _on_problem,
        RequestValidationError: _on_invalid_request,
        HTTPException: _on_http_exception,
        UnknownCompany: _on_unknown_company,
        DatabaseAway: _on_database_away,
        TooManyAtOnce: _on_too_many_at_once,
        **dict.fromkeys(REFUSALS, _on_refusal),
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


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
            _log.error("unexpected error", error=type(error).__name__, traceback=_frames(error))
            if started:
                raise ConnectionAbortedError("the answer had begun") from None
            problem = Problem(500, "internal_error", "This is our fault, and it has been logged.")
            await _response(problem)(scope, receive, send)


async def respond(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a problem from a middleware."""
    await _response(problem)(scope, receive, send)


def _response(problem: Problem) -> JSONResponse:
    bind_contextvars(problem=problem.code)  # the request's log line shows it
    details = ProblemDetails(
        type=f"urn:leadwire:problem:{problem.code}",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        correlation_id=structlog.contextvars.get_contextvars().get(CORRELATION_ID),
        errors=list(problem.errors) or None,
    )
    return JSONResponse(
        details.model_dump(exclude_none=True), problem.status, dict(problem.headers or {}), media_type=MEDIA_TYPE
    )


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    return _response(cast("Problem", error))


async def _on_refusal(_request: Request, error: Exception) -> JSONResponse:
    status, detail = next(REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS)
    return _response(Problem(status, cast("LeadRefusal", error).code, detail))


async def _on_unknown_company(_request: Request, _error: Exception) -> JSONResponse:
    return _response(unauthorized("The access token's company does not exist.", error="invalid_token"))


async def _on_database_away(_request: Request, _error: Exception) -> JSONResponse:
    detail = "The service cannot reach its database. Nothing is known to have changed; try again."
    return _response(Problem(503, "unavailable", detail, headers={"Retry-After": "1"}))


async def _on_too_many_at_once(_request: Request, _error: Exception) -> JSONResponse:
    return _response(Problem(503, "unavailable", "Too many log in at once; try again.", headers={"Retry-After": "1"}))


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    exception = cast("HTTPException", error)
    if exception.status_code == HTTPStatus.BAD_REQUEST:
        return _response(_malformed_json())  # FastAPI's word for bytes that are no text, or nested too deeply
    status = HTTPStatus(exception.status_code)
    return _response(Problem(status.value, code_of(status), f"{status.phrase}.", headers=exception.headers))


async def _on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    errors = cast("RequestValidationError", error).errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return _response(_malformed_json())
    if any(item["loc"][0] == "path" for item in errors):
        return _response(not_found())  # an id that is none belongs to nothing
    detail = "The request does not have the required form."
    return _response(Problem(422, "invalid_request", detail, errors=[_field_error(item) for item in errors]))


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


def _frames(error: BaseException | None) -> list[str]:
    """Return where an error and its causes arose, innermost last, without their messages."""
    frames: list[str] = []
    while error is not None:
        frames[:0] = [
            *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)),
            type(error).__name__,
        ]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return frames
