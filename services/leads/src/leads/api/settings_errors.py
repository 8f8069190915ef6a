"""What the rules about settings refuse, translated to HTTP in one place."""

from collections.abc import Mapping
from typing import Final, cast

from fastapi import Request
from fastapi.responses import JSONResponse

from leads.domain.catalogue import FieldNotFound, InvalidField, KeyTaken, SourceInUse, SourceNotFound
from leads.domain.company import SettingsRefusal, TooMany
from leads.domain.people import EmailTaken, LastAdmin, StaleUser, UserNotFound
from leads.domain.pipeline import InvalidPipeline, StageInUse, StalePipeline
from leads.domain.saved_views import ViewNotFound
from runtime.problems import FieldError, Problem, response

REFUSALS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    TooMany: (409, "There is no room for more of these."),
    UserNotFound: (404, "There is no such user."),
    EmailTaken: (409, "A user of your company has this e-mail address already."),
    LastAdmin: (409, "The company needs an admin: appoint another one first."),
    StaleUser: (412, "The user has changed since you read it: read it again, then decide."),
    InvalidPipeline: (422, "These stages make no pipeline."),
    StageInUse: (409, "A stage that would go still has leads: move them first."),
    StalePipeline: (412, "The pipeline has changed since you read it: read it again, then decide."),
    SourceNotFound: (404, "There is no such source."),
    SourceInUse: (409, "Leads name this source: it can only go out of use."),
    FieldNotFound: (404, "There is no such custom field."),
    KeyTaken: (409, "There is one of this key already."),
    InvalidField: (422, "No value could satisfy this definition."),
    ViewNotFound: (404, "There is no such view."),
}


async def on_refusal(_request: Request, error: Exception) -> JSONResponse:
    refusal = cast("SettingsRefusal", error)
    status, detail = REFUSALS[type(refusal)]
    return response(Problem(status, refusal.code, detail, errors=_errors(refusal)))


def _errors(refusal: SettingsRefusal) -> list[FieldError]:
    match refusal:
        case InvalidPipeline() | InvalidField():
            return [FieldError(pointer=pointer, message=message) for pointer, message in refusal.errors]
        case StageInUse():
            return [FieldError(pointer="/stages", message=f"{key} has {_many(n)}") for key, n in refusal.leads.items()]
        case SourceInUse():
            return [FieldError(message=f"It is named by {_many(refusal.leads)}")]
        case EmailTaken():
            return [FieldError(pointer="/email", message="Should be nobody else's")]
        case KeyTaken():
            return [FieldError(pointer="/key", message="Should be no other one's")]
        case _:
            return []


def _many(leads: int) -> str:
    return "1 lead" if leads == 1 else f"{leads} leads"
