"""`/leads/bulk` and `/jobs`: changes of many leads, how far they are, and how they are stopped or taken back."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import ConfigDict, FailFast, Field

from leads.api.answers import READING
from leads.api.context import IdempotencyKeyOf, OriginOf, ReadingOf, Services, ServicesOf
from leads.api.cursor import encode
from leads.api.job_answers import JobAnswer, JobPage, RefusalPage, shown, shown_refusal
from leads.api.lead_bodies import Amount, Currency, Custom, Line, LostReason, Score, Source, StageKey, Tags
from leads.api.reading import Limit, Paging
from leads.api.saved_views import Query as LeadFilter
from leads.api.schemas import Body, Links, Meta, example
from leads.command import Feed, Origin, keyed_command_id
from leads.domain import listing
from leads.domain.jobs import (
    ENDED,
    MOST_IDS,
    MOST_LEADS,
    OPEN,
    Assign,
    Bulk,
    BulkChange,
    Delete,
    Edit,
    Job,
    JobNotFound,
    Move,
    Retag,
    State,
)
from leads.domain.listing import InvalidQuery
from leads.store.jobs import FIRST_PAGE
from leads.views import Mark
from runtime.problems import SHOWN_NAME, FieldError, Problem, problems
from runtime.strict import StrictRouter

router = StrictRouter(tags=["jobs"], responses=problems(401, 503))

OF_JOBS: Final = "jobs"  # the digest of the list
_STATES: Final[dict[str, frozenset[State]]] = {
    "open": OPEN,
    "ended": ENDED,
    **{state: frozenset({state}) for state in (*OPEN, *ENDED)},
}
ACCEPTED: Final = 202


class Fields(Body):
    """New values of the fields that are to change; null clears one."""

    model_config = example({"source": "fair", "score": 80})

    organisation: Line | None = None
    title: Line | None = None
    source: Source | None = None
    value: Amount | None = None
    currency: Currency | None = None
    score: Score | None = None
    custom: Custom = Field(default_factory=dict)

    def patch(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        if given.get("value") is not None:
            given["value"] = str(given["value"])
        return given


class EditChange(Body):
    """Other values for what is known of the leads."""

    action: Literal["edit"]
    fields: Fields

    def change(self) -> BulkChange:
        return Edit(fields=self.fields.patch())


class AssignChange(Body):
    """Another assignee."""

    action: Literal["assign"]
    assigned_to: UUID | Literal["round_robin"] | None
    """A user's id; null for nobody; `round_robin` for the active agents and managers in turn."""

    def change(self) -> BulkChange:
        if self.assigned_to == "round_robin":
            return Assign(by_turn=True)
        return Assign(assigned_to=None if self.assigned_to is None else str(self.assigned_to))


class StatusChange(Body):
    """Another stage."""

    action: Literal["status"]
    status: StageKey
    lost_reason: LostReason | None = None

    def change(self) -> BulkChange:
        return Move(status=self.status, lost_reason=self.lost_reason)


class TagChange(Body):
    """Tags to add and to take away."""

    action: Literal["tag"]
    add: Tags = Field(default_factory=list)
    remove: Tags = Field(default_factory=list)

    def change(self) -> BulkChange:
        return Retag(add=tuple(self.add), remove=tuple(self.remove))


class DeleteChange(Body):
    """The leads are to go."""

    action: Literal["delete"]

    def change(self) -> BulkChange:
        return Delete()


Change: TypeAlias = Annotated[
    EditChange | AssignChange | StatusChange | TagChange | DeleteChange, Field(discriminator="action")
]


class ByIds(Body):
    """Leads by their ids."""

    ids: Annotated[list[UUID], FailFast(), Field(min_length=1, max_length=MOST_IDS)]


class ByFilter(Body):
    """All leads that a list would show when the job begins, unless they are many more than the user was shown."""

    model_config = ConfigDict(json_schema_extra={"required": ["filter", "expected_count"]})

    filter: LeadFilter
    """Parameters of `GET /leads`: each has one value, or a list of them."""
    all: bool = False
    """Must be true when the filter has no condition, and false otherwise."""
    expected_count: Annotated[int, Field(ge=0)] | None = None
    """What `GET /leads/count` answered. Refused when the filter means more leads by now: 5 %, rounded up, and at most
    100 leads are tolerated."""


class BulkBody(Body):
    """Which leads, and what to do with them."""

    model_config = example(
        {
            "leads": {"filter": {"status": ["new"], "q": "berlin"}, "expected_count": 12},
            "change": {"action": "tag", "add": ["event"], "remove": []},
        }
    )

    leads: ByIds | ByFilter
    change: Change


@router.post(
    "/leads/bulk",
    status_code=ACCEPTED,
    summary="Change many leads",
    responses=problems(400, 403, 409, 413, 422),
)
async def bulk_change_leads(
    body: BulkBody,
    origin: OriginOf,
    key: IdempotencyKeyOf,
    services: ServicesOf,
    request: Request,
    response: Response,
) -> JobAnswer:
    """Answers the job that will do it; each lead is under the rules of single changes."""
    leads: list[str] | int
    if isinstance(body.leads, ByIds):
        leads = [str(lead_id) for lead_id in dict.fromkeys(body.leads.ids)]
        task = Bulk(change=body.change.change())
    else:
        leads = await _counted(services, origin, body.leads)
        expected = body.leads.expected_count
        task = Bulk(change=body.change.change(), filter=dict(body.leads.filter), expected_count=expected)
    job_id = services.new_id() if key is None else keyed_command_id(origin.company_id, origin.actor, key)
    fingerprint = sha256(body.model_dump_json(exclude_unset=True).encode()).hexdigest()
    job, feed = await services.desk.order(origin, job_id, task, fingerprint=fingerprint, leads=leads)
    return accepted(job, feed, request, response)


@router.get("/jobs", summary="List jobs", responses=READING | problems(400))
async def list_jobs(
    reading: ReadingOf,
    services: ServicesOf,
    request: Request,
    paging: Annotated[Paging, Depends()],
    state: Annotated[
        Literal["open", "ended", "queued", "running", "done", "cancelled", "failed"] | None,
        Query(description="`open`: queued or running; `ended`: any other."),
    ] = None,
) -> JobPage:
    """The newest first."""
    start = paging.start(OF_JOBS, datetime)
    states = _STATES[state] if state else OPEN | ENDED
    found = await services.jobs.page(
        reading.caller.company_id,
        states=sorted(states),
        kinds=["bulk", "undo", "import"],
        before=before(start),
        limit=paging.limit + 1,
    )
    more = following(request, "/jobs", found, paging, {"state": state} if state else {})
    data = [shown(job) for job in found[: paging.limit]]
    return JobPage(data=data, meta=Meta.of(reading.feed), links=Links(next=more))


@router.get("/jobs/{job_id}", summary="Read a job", responses=READING | problems(404))
async def read_job(job_id: UUID, reading: ReadingOf, services: ServicesOf) -> JobAnswer:
    job = await services.jobs.read(reading.caller.company_id, job_id)
    return JobAnswer(data=shown(_started(job)), meta=Meta.of(reading.feed))


@router.get("/jobs/{job_id}/refusals", summary="Read what was refused", responses=READING | problems(404))
async def list_refusals(
    job_id: UUID,
    reading: ReadingOf,
    services: ServicesOf,
    request: Request,
    after: Annotated[int, Query(ge=0, lt=2**31, description="The last item already known.")] = 0,
    limit: Limit = 100,
) -> RefusalPage:
    """The leads or rows that the rules left as they were, in the order of the job."""
    company_id = reading.caller.company_id
    _started(await services.jobs.read(company_id, job_id))
    found = await services.jobs.refusals(company_id, job_id, after=after, limit=limit + 1)
    more = None
    if len(found) > limit:
        query = urlencode({"after": found[limit - 1].item, "limit": limit})
        more = f"{request.scope.get('root_path', '')}/jobs/{job_id}/refusals?{query}"
    data = [shown_refusal(refusal) for refusal in found[:limit]]
    return RefusalPage(data=data, meta=Meta.of(reading.feed), links=Links(next=more))


@router.post("/jobs/{job_id}/cancel", summary="Stop a job", responses=problems(400, 403, 404, 409, 422))
async def cancel_job(job_id: UUID, origin: OriginOf, services: ServicesOf) -> JobAnswer:
    """What is done stays done; no further step begins."""
    job, feed = await services.desk.cancel(origin, job_id)
    return JobAnswer(data=shown(job), meta=Meta.of(feed))


@router.post(
    "/jobs/{job_id}/undo",
    status_code=ACCEPTED,
    summary="Take a job back",
    responses=problems(400, 403, 404, 409, 422),
)
async def undo_job(
    job_id: UUID, origin: OriginOf, services: ServicesOf, request: Request, response: Response
) -> JobAnswer:
    """Answers the job that will do it. A lead that was changed since is left as it is."""
    job, feed = await services.desk.undo(origin, job_id)
    return accepted(job, feed, request, response)


def accepted(job: Job, feed: Feed, request: Request, response: Response) -> JobAnswer:
    """Return a job that is in the queue."""
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{job.id}"
    return JobAnswer(data=shown(job), meta=Meta.of(feed))


def before(start: Mark | None) -> tuple[datetime | None, UUID]:
    """Return where a page of jobs begins."""
    if start is None:
        return None, FIRST_PAGE
    assert isinstance(start.value, datetime)
    return start.value, start.id


def following(request: Request, path: str, found: list[Job], paging: Paging, more: dict[str, str]) -> str | None:
    """Return the address of the next page of jobs; None on the last."""
    if len(found) <= paging.limit:
        return None
    last = found[paging.limit - 1]
    cursor = encode(Mark(last.created_at, UUID(last.id)), OF_JOBS)
    return f"{request.scope.get('root_path', '')}{path}?{urlencode({**more, 'limit': paging.limit, 'cursor': cursor})}"


def _started(job: Job | None) -> Job:
    if job is None or job.state == "uploaded":
        raise JobNotFound
    return job


async def _counted(services: Services, origin: Origin, leads: ByFilter) -> int:
    """Return how many leads a filter means, one more than a job may change at most.

    Raises:
        Problem: 422: it is no filter of `GET /leads`, or lacks what must go with it.
    """
    company = await services.directory.company(origin.company_id)
    try:
        query = listing.parse(listing.from_json(leads.filter), company, caller=str(origin.actor))
    except InvalidQuery as error:
        errors = [
            FieldError(pointer=f"/leads/filter/{name[:SHOWN_NAME]}", message=message) for name, message in error.errors
        ]
        raise Problem(422, error.code, "GET /leads would not understand this filter.", errors=errors) from None
    if query.is_unconditional != leads.all:
        message = "Should be true: the filter means all leads" if not leads.all else "Should go with an empty filter"
        detail = "All leads are meant by an empty filter together with `all`, and by nothing else."
        errors = [FieldError(pointer="/leads/all", message=message)]
        raise Problem(422, "all_leads_unclear", detail, errors=errors)
    if leads.expected_count is None:
        errors = [FieldError(pointer="/leads/expected_count", message="Should be what GET /leads/count answers")]
        raise Problem(422, "expected_count_missing", "Say how many leads the user was shown.", errors=errors)
    return (await services.views.count(origin.company_id, query, at_most=MOST_LEADS + 1)).data
