"""`/imports`: a file of leads is uploaded, mapped, started, looked after, taken back."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.requests import ClientDisconnect

from leads.api.answers import READING
from leads.api.context import OriginOf, ReadingOf, ServicesOf
from leads.api.export import LocaleParameter
from leads.api.import_answers import ImportAnswer, ImportPage, shown
from leads.api.job_answers import JobAnswer
from leads.api.jobs import ACCEPTED, OF_JOBS, accepted, before, following
from leads.api.lead_bodies import Source, StageKey, Tags
from leads.api.reading import Paging
from leads.api.schemas import Body, Links, Meta, example, text
from leads.command import Feed
from leads.domain.csv_text import DIALECTS, MOST_COLUMNS, safe, unsafe, write
from leads.domain.importing import PREVIEWED
from leads.domain.jobs import ENDED, OPEN, ImportNotFound, Job
from leads.store.jobs import FailedRow
from leads.upload import TooSlow, Wanted, receive
from runtime.problems import Problem, problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/imports", tags=["imports"], responses=problems(401, 503))

PAGE: Final = 200  # rows of an error file that are read at a time
_CSV: Final = {"type": "string", "format": "binary"}
_EXAMPLE: Final = "Name,E-Mail\r\nAda Lovelace,ada@example.com\r\n"
FileName = Annotated[str, text(200), Query(min_length=1, description="What the import is called: the file's name.")]


class Defaults(Body):
    """What holds where a row has nothing."""

    source: Source | None = None
    status: StageKey | None = None
    assigned_to: UUID | None = None
    tags: Tags = Field(default_factory=list)

    def given(self) -> dict[str, Any]:
        values = self.model_dump(mode="json", exclude_unset=True)
        return {name: value for name, value in values.items() if value not in (None, [])}


class MappingBody(Body):
    """What the columns are, and what becomes of rows that are there already."""

    model_config = example(
        {"mapping": ["name", "email", None], "duplicates": "update", "defaults": {"source": "fair", "tags": ["2026"]}}
    )

    mapping: Annotated[list[Annotated[str, Field(max_length=80)] | None], Field(max_length=MOST_COLUMNS)]
    """A field for each column; null leaves it out."""
    duplicates: Literal["skip", "update", "create"] = "skip"
    defaults: Defaults = Field(default_factory=Defaults)


async def _wanted(
    name: FileName,
    encoding: Annotated[
        Literal["utf-8", "windows-1252", "utf-16"] | None, Query(description="Recognised unless given.")
    ] = None,
    delimiter: Annotated[Literal[",", ";", "tab", "|"] | None, Query(description="Recognised unless given.")] = None,
    *,
    header: Annotated[bool, Query(description="Whether the first row has the columns' names.")] = True,
) -> Wanted:
    return Wanted(name=name, encoding=encoding, delimiter=delimiter, header=header)


@router.post(
    "",
    status_code=201,
    summary="Upload a file of leads",
    responses=problems(400, 403, 408, 409, 413, 422),
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": _CSV, "example": _EXAMPLE}}}},
)
async def upload_import(
    wanted: Annotated[Wanted, Depends(_wanted)],
    origin: OriginOf,
    services: ServicesOf,
    request: Request,
    response: Response,
) -> ImportAnswer:
    """The body is the file itself. Answers what was recognised, a mapping by the columns' names, and a preview."""
    company = await services.directory.company(origin.company_id)
    job_id = services.new_id()
    try:
        job, feed = await receive(services.desk, origin, job_id, wanted, request.stream(), company)
    except (TooSlow, ClientDisconnect):
        raise Problem(408, "upload_stopped", "The file stopped coming: send it again.") from None
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/imports/{job.id}"
    return await _answer(services, origin.company_id, job, feed)


@router.get("", summary="List imports", responses=READING | problems(400, 403))
async def list_imports(
    reading: ReadingOf, services: ServicesOf, request: Request, paging: Annotated[Paging, Depends()]
) -> ImportPage:
    """The newest first, those that are not started among them."""
    found = await services.jobs.page(
        reading.caller.company_id,
        states=["uploaded", *sorted(OPEN | ENDED)],
        kinds=["import"],
        before=before(paging.start(OF_JOBS, datetime)),
        limit=paging.limit + 1,
    )
    more = following(request, "/imports", found, paging, {})
    data = [shown(job) for job in found[: paging.limit]]
    return ImportPage(data=data, meta=Meta.of(reading.feed), links=Links(next=more))


@router.get("/{import_id}", summary="Read an import", responses=READING | problems(403, 404))
async def read_import(import_id: UUID, reading: ReadingOf, services: ServicesOf) -> ImportAnswer:
    """Until it is started, with what its columns may be and a preview."""
    job = await _imported(services, reading.caller.company_id, import_id)
    return await _answer(services, reading.caller.company_id, job, reading.feed)


@router.put(
    "/{import_id}/mapping", summary="Say what the columns are", responses=problems(400, 403, 404, 409, 413, 422)
)
async def map_import(import_id: UUID, body: MappingBody, origin: OriginOf, services: ServicesOf) -> ImportAnswer:
    """Answers the import with a preview by this mapping."""
    changes = {
        "mapping": tuple(body.mapping),
        "duplicates": body.duplicates,
        "defaults": body.defaults.given(),
    }
    job, feed = await services.desk.map(origin, import_id, changes)
    return await _answer(services, origin.company_id, job, feed)


@router.post(
    "/{import_id}/start",
    status_code=ACCEPTED,
    summary="Start an import",
    responses=problems(400, 403, 404, 409, 422),
)
async def start_import(
    import_id: UUID, origin: OriginOf, services: ServicesOf, request: Request, response: Response
) -> JobAnswer:
    """Answers its job, which has its id. Started again, it is the same."""
    job, feed = await services.desk.start(origin, import_id)
    return accepted(job, feed, request, response)


@router.delete("/{import_id}", status_code=204, summary="Forget an import", responses=problems(400, 403, 404, 409, 422))
async def forget_import(import_id: UUID, origin: OriginOf, services: ServicesOf) -> None:
    """Only one that was not started."""
    await services.desk.forget(origin, import_id)


@router.post(
    "/{import_id}/revert",
    status_code=ACCEPTED,
    summary="Take an import back",
    responses=problems(400, 403, 404, 409, 422),
)
async def revert_import(
    import_id: UUID, origin: OriginOf, services: ServicesOf, request: Request, response: Response
) -> JobAnswer:
    """Answers the job that will do it. A lead that was changed since is left as it is."""
    await _imported(services, origin.company_id, import_id)
    job, feed = await services.desk.undo(origin, import_id)
    return accepted(job, feed, request, response)


@router.get(
    "/{import_id}/errors.csv",
    summary="Read the rows that failed",
    responses={
        200: {
            "description": "The rows as they were, with what is wrong in front.",
            "content": {"text/csv": {"schema": _CSV, "example": "row,reason,Name\r\n2,name: Should not be blank,\r\n"}},
        },
        **READING,
        **problems(403, 404),
    },
    response_class=StreamingResponse,
)
async def read_import_errors(
    import_id: UUID, reading: ReadingOf, services: ServicesOf, locale: LocaleParameter = None
) -> StreamingResponse:
    """CSV in UTF-8 with a byte order mark, without a cell that a spreadsheet would take for a formula."""
    company_id = reading.caller.company_id
    job = await _imported(services, company_id, import_id)
    headers = {"Content-Disposition": 'attachment; filename="errors.csv"'}
    delimiter = DIALECTS[locale].delimiter if locale else ","
    return StreamingResponse(
        _errors(services, company_id, job, delimiter), media_type="text/csv; charset=utf-8", headers=headers
    )


async def _errors(services: ServicesOf, company_id: UUID, job: Job, delimiter: str) -> AsyncIterator[bytes]:
    imported = shown(job)
    yield ("\ufeff" + write([["row", "reason", *map(_resafe, imported.columns)]], delimiter)).encode()
    after = 0
    while True:
        rows = await services.jobs.failed_rows(company_id, UUID(job.id), after=after, limit=PAGE)
        if not rows:
            return
        records = [[str(row.number), safe(_reason(row)), *map(_resafe, row.cells)] for row in rows]
        yield write(records, delimiter).encode()
        after = rows[-1].number


def _resafe(cell: str) -> str:
    """Return a cell of a file as an import would have read it, without a formula: apostrophes do not add up."""
    return safe(unsafe(cell))


def _reason(row: FailedRow) -> str:
    reasons = [f"{error.get('field') or ''}: {error['message']}".removeprefix(": ") for error in row.errors]
    return "; ".join(reasons) or "refused"


async def _imported(services: ServicesOf, company_id: UUID, import_id: UUID) -> Job:
    job = await services.jobs.read(company_id, import_id)
    if job is None or job.kind != "import":
        raise ImportNotFound
    return job


async def _answer(services: ServicesOf, company_id: UUID, job: Job, feed: Feed) -> ImportAnswer:
    if job.state != "uploaded":
        return ImportAnswer(data=shown(job), meta=Meta.of(feed))
    company = await services.directory.company(company_id)
    rows = await services.jobs.first_rows(company_id, UUID(job.id), at_most=PREVIEWED)
    data = shown(job, company=company, rows=rows, now=services.clock())
    return ImportAnswer(data=data, meta=Meta.of(feed))
