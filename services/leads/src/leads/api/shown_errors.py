"""The errors that OpenAPI shows: of each operation those that it really answers with, by their codes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from leads.access import NotAllowed
from leads.api import errors, settings_errors
from leads.command import IdempotencyKeyReused, SettingsChanged, VersionConflict
from leads.domain import catalogue, csv_text, jobs, people, pipeline, refusals, saved_views
from leads.domain.company import TooMany
from leads.domain.importing import InvalidMapping
from leads.store.database import QueryTooSlow
from runtime.body import MAX_BODY
from runtime.problems import MEDIA_TYPE, FieldError, Problem, body_of, database_away, malformed_header, unauthorized

_ALWAYS: Final = (
    unauthorized("An access token is needed."),
    Problem(
        422,
        "invalid_request",
        "The request does not have the required form.",
        errors=[FieldError(field="limit", message="Input should be less than or equal to 500")],
    ),
    Problem(413, "body_too_large", f"A body may have at most {MAX_BODY} bytes."),
    database_away(),
)
_OF_BODIES: Final = (Problem(400, "malformed_json", "The body is not JSON."),)
_OF_PARAMETERS: Final[Mapping[str, tuple[Problem, ...]]] = {
    "Idempotency-Key": (malformed_header("Idempotency-Key", "Should be 1 to 255 printable ASCII characters"),),
    "X-Socket-ID": (malformed_header("X-Socket-ID", "Should be two numbers with a dot between"),),
    "If-Match": (
        malformed_header("If-Match", 'Should be an ETag, such as "3", or *'),
        Problem(428, "precondition_required", "Say in If-Match which version the change is based on."),
    ),
    "cursor": (
        Problem(400, "malformed_cursor", "The cursor is not one of ours."),
        Problem(400, "cursor_of_another_query", "The cursor belongs to another sort or other filters."),
    ),
    "epoch": (errors.epoch_changed(epoch="5e1c7f0a6d2b4a439f0c1d7b6a2f4e11", position=1027),),
    "min_position": (
        Problem(409, "position_not_reached", "The company's feed has not come to `min_position` yet."),
        Problem(429, "too_many_waiting", "You have as many waiting requests as can be; ask again without waiting."),
    ),
}
_OF_WRITES: Final = (NotAllowed, VersionConflict, SettingsChanged, IdempotencyKeyReused)
_OF_VALUES: Final = (
    refusals.NameMissing,
    refusals.InvalidEmail,
    refusals.InvalidPhone,
    refusals.InvalidText,
    refusals.InvalidAmount,
    refusals.InvalidScore,
    refusals.InvalidTag,
    refusals.UnknownCurrency,
    refusals.CurrencyMissing,
    refusals.CurrencyWithoutValue,
    refusals.UnknownSource,
    refusals.UnknownUser,
    refusals.UnknownStage,
    refusals.ReasonMissing,
    refusals.ReasonWithoutLoss,
    refusals.UnknownCustomField,
    refusals.InactiveCustomField,
    refusals.InvalidCustomValue,
    refusals.CustomValueMissing,
)
_OF_TAGS: Final[Mapping[str, tuple[type[Exception], ...]]] = {
    "leads": (*_OF_WRITES, refusals.LeadNotFound, refusals.StaleVersion),
    "messages": (
        *_OF_WRITES,
        refusals.LeadNotFound,
        refusals.StaleVersion,
        refusals.InvalidText,
        refusals.UnknownMention,
    ),
    "users": (NotAllowed, people.UserNotFound, people.StaleUser),
    "company": (NotAllowed,),
    "sources": (NotAllowed, catalogue.SourceNotFound),
    "custom fields": (NotAllowed, catalogue.FieldNotFound),
    "jobs": (NotAllowed,),
    "imports": (NotAllowed, jobs.ImportNotFound),
    "saved views": (NotAllowed, saved_views.ViewNotFound),
}
_FILES: Final = (
    csv_text.FileEmpty(),
    csv_text.FileNotText(),
    csv_text.FileMalformed(17),
    csv_text.RowTooLong(17),
    csv_text.TooManyColumns(0),
    csv_text.FileTooLarge(),
)
_MAPPING: Final = InvalidMapping([("/mapping/2", "Should be a field, or null")])
_OF_OPERATIONS: Final[Mapping[str, tuple[type[Exception] | Problem, ...]]] = {
    "log_in": (
        Problem(
            409,
            "company_needed",
            "You are a user of several companies: say which by `company`.",
            extensions={"companies": [{"id": "b9c4e7d0-1111-4a52-8f57-5d0c6f8f5a02", "name": "Acme"}]},
        ),
        Problem(401, "wrong_credentials", "E-mail address or password is wrong."),
        Problem(429, "too_many_attempts", "Wait before you try again."),
    ),
    "change_password": (
        Problem(422, "wrong_password", "The current password is wrong."),
        Problem(429, "too_many_attempts", "Wait before you try again."),
    ),
    "authorize_channel": (
        Problem(400, "malformed_body", "The body is neither a form nor JSON."),
        Problem(403, "channel_forbidden", "This channel is not for you."),
    ),
    "list_leads": (QueryTooSlow, saved_views.ViewNotFound),
    "count_leads": (QueryTooSlow, saved_views.ViewNotFound),
    "create_lead": (*_OF_VALUES, refusals.DuplicateLead),
    "change_lead": (*_OF_VALUES, refusals.DuplicateLead, refusals.IllegalTransition),
    "restore_lead": (refusals.DuplicateLead, refusals.LeadWasMerged),
    "assign_lead": (refusals.UnknownUser, refusals.NobodyToAssign),
    "change_status": (
        refusals.IllegalTransition,
        refusals.UnknownStage,
        refusals.ReasonMissing,
        refusals.ReasonWithoutLoss,
    ),
    "tag_lead": (refusals.InvalidTag,),
    "convert_lead": (
        refusals.AlreadyConverted,
        refusals.NoWonStage,
        refusals.IllegalTransition,
        refusals.UnknownStage,
        refusals.ReasonMissing,
    ),
    "merge_leads": (
        refusals.OtherLeadNotFound,
        refusals.MergeWithItself,
        refusals.BothConverted,
        refusals.UnknownMergeField,
        refusals.CustomValueMissing,
        refusals.DuplicateLead,
    ),
    "post_message": (refusals.ChatFull,),
    "edit_message": (refusals.MessageNotFound, refusals.NotTheAuthor),
    "add_user": (people.EmailTaken, TooMany, IdempotencyKeyReused),
    "change_user": (people.EmailTaken, people.LastAdmin),
    "deactivate_user": (people.LastAdmin,),
    "change_company": (refusals.UnknownRegion, refusals.UnknownCurrency),
    "replace_pipeline": (pipeline.InvalidPipeline, pipeline.StageInUse, pipeline.StalePipeline),
    "add_source": (catalogue.KeyTaken, TooMany),
    "remove_source": (catalogue.SourceInUse,),
    "add_custom_field": (catalogue.KeyTaken, TooMany, catalogue.InvalidField),
    "change_custom_field": (catalogue.InvalidField,),
    "add_view": (TooMany, IdempotencyKeyReused),
    "bulk_change_leads": (
        jobs.TooManyJobs,
        IdempotencyKeyReused,
        QueryTooSlow,
        Problem(409, jobs.CountChanged.code, errors.REFUSALS[jobs.CountChanged][1], extensions={"count": 512}),
        Problem(422, "expected_count_missing", "Say how many leads the user was shown."),
        Problem(422, "all_leads_unclear", "All leads are meant by an empty filter together with `all`."),
    ),
    "read_job": (jobs.JobNotFound,),
    "list_refusals": (jobs.JobNotFound,),
    "cancel_job": (jobs.JobNotFound, jobs.JobIsOver),
    "upload_import": (
        jobs.TooManyJobs,
        Problem(408, "upload_stopped", "The file stopped coming: send it again."),
        *map(errors.file_refused, _FILES),
    ),
    "map_import": (jobs.ImportIsStarted, errors.invalid_mapping(_MAPPING)),
    "start_import": (jobs.TooManyJobs, errors.invalid_mapping(_MAPPING)),
    "forget_import": (jobs.ImportIsStarted,),
    "revert_import": (jobs.JobNotFinished, jobs.JobNotUndoable, jobs.TooManyJobs),
    "export_leads": (QueryTooSlow, saved_views.ViewNotFound),
    "undo_job": (jobs.JobNotFound, jobs.JobNotFinished, jobs.JobNotUndoable, jobs.TooManyJobs),
}
REFUSALS: Final[Mapping[type[Exception], tuple[int, str]]] = {**errors.REFUSALS, **settings_errors.REFUSALS}


def show(openapi: dict[str, Any]) -> None:
    """Put examples into the error answers of an OpenAPI document."""
    for path in openapi["paths"].values():
        for operation in path.values():
            possible = list(_possible(operation))
            for status, answer in operation["responses"].items():
                shown = {
                    problem.code: {"value": body_of(problem)} for problem in possible if f"{problem.status}" == status
                }
                if shown:
                    content = answer["content"][MEDIA_TYPE]
                    content.pop("example", None)
                    content["examples"] = shown


def _possible(operation: dict[str, Any]) -> Iterator[Problem]:
    yield from _ALWAYS
    if "requestBody" in operation:
        yield from _OF_BODIES
    for parameter in operation.get("parameters", ()):
        yield from next(
            (found for name, found in _OF_PARAMETERS.items() if name.lower() == parameter["name"].lower()), ()
        )
    kinds: Iterable[type[Exception] | Problem] = (
        kind for tag in operation.get("tags", ()) for kind in _OF_TAGS.get(tag, ())
    )
    for kind in (*kinds, *_OF_OPERATIONS.get(operation["operationId"], ())):
        yield kind if isinstance(kind, Problem) else _problem(kind)


def _problem(kind: type[Exception]) -> Problem:
    status, detail = next(REFUSALS[parent] for parent in kind.__mro__ if parent in REFUSALS)
    code: str = kind.code  # type: ignore[attr-defined]
    if kind is refusals.DuplicateLead:
        candidate = {"id": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a56", "name": "A. Lovelace", "matched": ["email"]}
        return Problem(status, code, detail, extensions={"candidates": [{**candidate, "assigned_to": None}]})
    if issubclass(kind, refusals.InvalidValue):
        return Problem(
            status, code, detail, errors=[FieldError(pointer=_POINTERS.get(kind, "/name"), message=kind.message)]
        )
    return Problem(status, code, detail)


_POINTERS: Final[Mapping[type[refusals.InvalidValue], str]] = {
    refusals.InvalidEmail: "/email",
    refusals.InvalidPhone: "/phone",
    refusals.InvalidAmount: "/value",
    refusals.InvalidScore: "/score",
    refusals.InvalidTag: "/tags",
    refusals.UnknownRegion: "/region",
    refusals.UnknownCurrency: "/currency",
    refusals.CurrencyMissing: "/currency",
    refusals.CurrencyWithoutValue: "/currency",
    refusals.UnknownSource: "/source",
    refusals.UnknownUser: "/assigned_to",
    refusals.UnknownStage: "/status",
    refusals.ReasonMissing: "/lost_reason",
    refusals.ReasonWithoutLoss: "/lost_reason",
    refusals.UnknownMention: "/mentions",
    refusals.UnknownCustomField: "/custom/plan",
    refusals.InactiveCustomField: "/custom/plan",
    refusals.InvalidCustomValue: "/custom/plan",
    refusals.CustomValueMissing: "/custom/plan",
    refusals.UnknownMergeField: "/choose/surname",
}
