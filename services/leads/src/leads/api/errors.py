"""What the rules refuse, translated to HTTP in one place."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final, cast

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from leads.access import NotAllowed, TokenEnded
from leads.api import settings_errors
from leads.command import IdempotencyKeyReused, SettingsChanged, VersionConflict
from leads.domain.company import SettingsRefusal
from leads.domain.csv_text import FileRefusal, FileTooLarge
from leads.domain.importing import InvalidMapping
from leads.domain.jobs import (
    CountChanged,
    ImportIsStarted,
    ImportNotFound,
    JobIsOver,
    JobNotFinished,
    JobNotFound,
    JobNotUndoable,
    TooManyJobs,
)
from leads.domain.listing import InvalidQuery
from leads.domain.refusals import (
    AlreadyConverted,
    BothConverted,
    ChatFull,
    DuplicateLead,
    IllegalTransition,
    InvalidValue,
    LeadNotFound,
    LeadRefusal,
    LeadWasMerged,
    MergeWithItself,
    MessageNotFound,
    NobodyToAssign,
    NotTheAuthor,
    NoWonStage,
    OtherLeadNotFound,
    StaleVersion,
)
from leads.passwords import TooManyAtOnce
from leads.store.database import DatabaseAway, QueryTooSlow
from leads.store.feed import UnknownCompany
from leads.watch import EpochChanged, TooManyOfOne, TooManyWaiting
from runtime import problems
from runtime.problems import SHOWN_NAME, FieldError, Problem, database_away, response, unauthorized

REFUSALS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    NotAllowed: (403, "Your role may not do this."),
    LeadNotFound: (404, "There is no such lead."),
    StaleVersion: (412, "The lead has changed since you read it: read it again, then decide."),
    InvalidValue: (422, "A field does not take this value."),
    DuplicateLead: (409, "There are leads with the same e-mail address or phone number; allow_duplicate overrides."),
    OtherLeadNotFound: (404, "There is no such lead to merge."),
    ChatFull: (409, "The lead has as many messages as a lead can have."),
    MessageNotFound: (404, "The lead has no such message."),
    NotTheAuthor: (403, "Only who wrote a message may change it."),
    AlreadyConverted: (409, "The lead was converted before, to another contact or deal."),
    IllegalTransition: (409, "Your company's pipeline does not let a lead go from its stage to that one."),
    NoWonStage: (409, "Your company's pipeline has no stage of the kind won."),
    LeadWasMerged: (409, "The lead was merged into another one, which has its history."),
    MergeWithItself: (409, "A lead cannot be merged with itself."),
    BothConverted: (409, "Both leads were converted, to different contacts or deals."),
    NobodyToAssign: (409, "No active agent or manager can be given the lead."),
    LeadRefusal: (409, "The rules do not allow this."),
    VersionConflict: (409, "Others keep changing this lead at the same time: try again."),
    SettingsChanged: (409, "Your company's settings keep changing at the same time: try again."),
    JobNotFound: (404, "There is no such job."),
    ImportNotFound: (404, "There is no such import."),
    TooManyJobs: (409, "There is no room for more jobs: wait until some have ended."),
    JobIsOver: (409, "The job has ended."),
    JobNotFinished: (409, "The job has not ended yet: cancel it, or wait."),
    JobNotUndoable: (409, "There is nothing to take back, or not any more."),
    CountChanged: (409, "The filter means more leads than expected: look at them again, then decide."),
    ImportIsStarted: (409, "The import was started already."),
    QueryTooSlow: (422, "This takes too long: narrow it down by status, assignee, words or tags, or sort by newest."),
    IdempotencyKeyReused: (422, "This Idempotency-Key was used before, for another request."),
}
"""Looked up along the class' ancestors, so that a subclass inherits its parent's status."""


def install(app: FastAPI) -> None:
    """Make the application answer its errors as problems."""
    problems.install(app)
    app.add_exception_handler(UnknownCompany, _on_unknown_company)
    app.add_exception_handler(SettingsRefusal, settings_errors.on_refusal)
    app.add_exception_handler(TokenEnded, _on_token_ended)
    app.add_exception_handler(DatabaseAway, _on_database_away)
    app.add_exception_handler(InvalidQuery, _on_invalid_query)
    app.add_exception_handler(FileRefusal, _on_file_refused)
    app.add_exception_handler(InvalidMapping, _on_invalid_mapping)
    app.add_exception_handler(EpochChanged, _on_epoch_changed)
    app.add_exception_handler(TooManyWaiting, _on_too_many_waiting)
    app.add_exception_handler(TooManyAtOnce, _on_too_many_at_once)
    for kind in REFUSALS:
        app.add_exception_handler(kind, _on_refusal)


async def _on_refusal(_request: Request, error: Exception) -> JSONResponse:
    status, detail = next(REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS)
    errors = [FieldError(pointer=error.pointer, message=error.message)] if isinstance(error, InvalidValue) else []
    return response(Problem(status, cast("LeadRefusal", error).code, detail, errors=errors, extensions=_found(error)))


def _found(error: Exception) -> dict[str, object]:
    """Return what helps to go on from a refusal."""
    match error:
        case DuplicateLead():
            return {"candidates": [asdict(lead) for lead in error.candidates]}
        case CountChanged(count=int(count)):
            return {"count": count}
        case LeadNotFound(merged_into=str(survivor)):
            return {"merged_into": survivor}
        case _:
            return {}


async def _on_unknown_company(_request: Request, _error: Exception) -> JSONResponse:
    return response(unauthorized("The access token's company does not exist.", error="invalid_token"))


async def _on_token_ended(_request: Request, _error: Exception) -> JSONResponse:
    return response(unauthorized("The access token does not count any more: log in again.", error="invalid_token"))


async def _on_database_away(_request: Request, _error: Exception) -> JSONResponse:
    return response(database_away())


async def _on_too_many_at_once(_request: Request, _error: Exception) -> JSONResponse:
    return response(Problem(503, "unavailable", "Too many log in at once; try again.", headers={"Retry-After": "1"}))


async def _on_invalid_query(_request: Request, error: Exception) -> JSONResponse:
    errors = [
        FieldError(field=name[:SHOWN_NAME], message=message) for name, message in cast("InvalidQuery", error).errors
    ]
    return response(Problem(422, InvalidQuery.code, "The request does not have the required form.", errors=errors))


async def _on_file_refused(_request: Request, error: Exception) -> JSONResponse:
    return response(file_refused(cast("FileRefusal", error)))


def file_refused(refusal: FileRefusal) -> Problem:
    """Return what to answer to a file that cannot be read; `row` is where, the header being 0."""
    where = {} if refusal.row is None else {"row": refusal.row}
    status = 413 if isinstance(refusal, FileTooLarge) else 422
    return Problem(status, refusal.code, f"The file {refusal.message}.", extensions=where)


async def _on_invalid_mapping(_request: Request, error: Exception) -> JSONResponse:
    return response(invalid_mapping(cast("InvalidMapping", error)))


def invalid_mapping(error: InvalidMapping) -> Problem:
    """Return what to answer to a mapping by which no row could be read."""
    errors = [FieldError(pointer=pointer, message=message) for pointer, message in error.errors]
    return Problem(422, InvalidMapping.code, "No row could be read by this mapping.", errors=errors)


async def _on_epoch_changed(_request: Request, error: Exception) -> JSONResponse:
    feed = cast("EpochChanged", error).feed
    return response(epoch_changed(epoch=feed.epoch, position=feed.position))


def epoch_changed(*, epoch: str, position: int) -> Problem:
    """Return what to answer to a position that is not of the log's current epoch."""
    detail = "An older state of the log was restored, and its positions are used again: load everything again."
    return Problem(410, EpochChanged.code, detail, extensions={"epoch": epoch, "position": position})


async def _on_too_many_waiting(_request: Request, error: Exception) -> JSONResponse:
    status, who = (429, "You have") if isinstance(error, TooManyOfOne) else (503, "This process has")
    detail = f"{who} as many waiting requests as can be; ask again without waiting."
    return response(Problem(status, TooManyWaiting.code, detail, headers={"Retry-After": "5"}))
