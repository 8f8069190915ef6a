"""`GET /leads…`: lists, one lead now or as it was, its history, its chat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import AfterValidator, BeforeValidator, TypeAdapter

from contracts.envelope import Envelope
from contracts.events import LeadSummary
from contracts.push import compact_json
from leads.api.answers import READING
from leads.api.conditional import IfNoneMatch, feed_etag, mark, matches, not_modified, version_etag
from leads.api.context import Reading, ReadingOf, Services, ServicesOf
from leads.api.cursor import LONGEST as LONGEST_CURSOR
from leads.api.cursor import Value, decode, encode
from leads.api.feed import changes_of, details_of, short_type
from leads.api.parameters import LIST_PARAMETERS
from leads.api.read_answers import (
    Actor,
    Cause,
    CountAnswer,
    DeletedLeadPage,
    DiffAnswer,
    HistoryEntry,
    HistoryPage,
    LeadCount,
    LeadDiff,
    LeadMoment,
    LeadPage,
    ListedLeadAnswer,
    MessagePage,
)
from leads.api.schemas import Links, Meta
from leads.domain import LeadNotFound
from leads.domain.company import Company
from leads.domain.comparing import differences
from leads.domain.jobs import MOST_LEADS
from leads.domain.listing import KINDS, InvalidQuery, LeadQuery, Parameters, from_json, parse
from leads.domain.saved_views import visible
from leads.views import Mark, Moment
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/leads", tags=["leads"], responses=problems(401, 503))

DEFAULT_LIMIT: Final = 50
MOST: Final = 500
INCLUDABLE: Final = frozenset({"source", "assigned_user"})
VIEW: Final = "view"
_OF_DELETED: Final = "deleted"  # the digest of a list that nothing can be asked of
_NOT_OF_THE_QUERY: Final = frozenset({"cursor", "limit", "include", "min_position"})
_SUMMARY: Final = TypeAdapter(LeadSummary)

Limit = Annotated[int, Query(ge=1, le=MOST)]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list."""

    cursor: Annotated[
        str | None, Query(max_length=LONGEST_CURSOR, description="From `links.next` of the page before.")
    ] = None
    limit: Limit = DEFAULT_LIMIT

    def start(self, digest: str, kind: type[Value]) -> Mark | None:
        """Return where the page begins, in a list that is sorted by values of this kind; None for the first one."""
        return decode(self.cursor, digest, kind) if self.cursor is not None else None


def _includes(values: Sequence[str]) -> frozenset[str]:
    wanted = frozenset(word for value in values for word in value.split(","))
    if not wanted <= INCLUDABLE:
        raise ValueError(f"Should be some of {', '.join(sorted(INCLUDABLE))}")
    return wanted


Include = Annotated[
    list[str],
    AfterValidator(_includes),
    Query(description="`source`, `assigned_user` or both, with a comma between: details beside what leads name."),
]


@router.get(
    "",
    summary="List leads",
    response_model=LeadPage,
    response_model_exclude_unset=True,
    responses={
        304: {"description": "Nothing changed since the answer with this `ETag`."},
        **READING,
        **problems(400, 404),
    },
    openapi_extra=LIST_PARAMETERS,
)
async def list_leads(
    reading: ReadingOf,
    services: ServicesOf,
    request: Request,
    paging: Annotated[Paging, Depends()],
    include: Include = [],  # noqa: B006 - FastAPI's way to say it
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Newest first, unless `sort` says otherwise. Parameters that nobody knows are refused."""
    caller = reading.caller
    asked = (request.url.query, caller.user_id)
    if matches(if_none_match, etag := feed_etag(reading.feed, *asked)):
        return not_modified(etag)
    parameters = given(request)
    query = await query_of(services, reading, parameters)
    start = paging.start(query.digest, KINDS[query.sort])
    found = await services.views.leads(caller.company_id, query, after=start, limit=paging.limit)
    company = await services.directory.company(caller.company_id, at_least=found.feed.settings_version)
    following = {**parameters, "limit": [str(paging.limit)], "include": [",".join(sorted(include))] if include else []}
    more = None
    if found.data.end is not None:
        more = _link(request, "/leads", {**following, "cursor": [encode(found.data.end, query.digest)]})
    leads = [_listed(lead, company, include) for lead in found.data.leads]
    response = _json({"data": leads, "meta": Meta.of(found.feed).model_dump(), "links": {"next": more}})
    mark(response, feed_etag(found.feed, *asked))
    return response


@router.get("/count", summary="Count leads", responses=READING | problems(404), openapi_extra=LIST_PARAMETERS)
async def count_leads(reading: ReadingOf, services: ServicesOf, request: Request) -> CountAnswer:
    """The number of leads that `GET /leads` lists for the same parameters: what a bulk change of them expects."""
    query = await query_of(services, reading, given(request))
    found = await services.views.count(reading.caller.company_id, query, at_most=MOST_LEADS + 1)
    counted = LeadCount(count=min(found.data, MOST_LEADS), exact=found.data <= MOST_LEADS)
    return CountAnswer(data=counted, meta=Meta.of(found.feed))


@router.get("/deleted", summary="List deleted leads", responses=READING | problems(400))
async def list_deleted_leads(
    reading: ReadingOf,
    services: ServicesOf,
    request: Request,
    paging: Annotated[Paging, Depends()],
) -> DeletedLeadPage:
    """The last one deleted first, with what it was; also those that were merged into another one."""
    start = paging.start(_OF_DELETED, datetime)
    found = await services.views.deleted(reading.caller.company_id, after=start, limit=paging.limit + 1)
    shown = found.data[: paging.limit]
    more = None
    if len(found.data) > paging.limit:
        end = encode(Mark(shown[-1].deleted_at, UUID(shown[-1].lead.id)), _OF_DELETED)
        more = _link(request, "/leads/deleted", {"limit": [str(paging.limit)], "cursor": [end]})
    return DeletedLeadPage(data=list(shown), meta=Meta.of(found.feed), links=Links(next=more))


def _moment(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _placed(moment: Moment) -> Moment:
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError("Should have a time zone")
    if isinstance(moment, int) and not 1 <= moment < 1 << 31:
        raise ValueError("Should be a version, from 1 on")
    return moment


MomentParameter = Annotated[int | datetime, BeforeValidator(_moment), AfterValidator(_placed)]


@router.get(
    "/{lead_id}",
    summary="Read a lead",
    response_model=ListedLeadAnswer,
    response_model_exclude_unset=True,
    responses={304: {"description": "It still is at the version of this `ETag`."}, **READING, **problems(404)},
)
async def read_lead(
    lead_id: UUID,
    reading: ReadingOf,
    services: ServicesOf,
    as_of: Annotated[MomentParameter | None, Query(description="A version or a time: the lead as it was then.")] = None,
    include: Include = [],  # noqa: B006 - FastAPI's way to say it
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The `ETag` is the lead's version and the log's epoch: what `If-Match` of a change wants."""
    company_id = reading.caller.company_id
    found = await (
        services.views.lead(company_id, lead_id)
        if as_of is None
        else services.views.lead_as_of(company_id, lead_id, as_of)
    )
    lead = found.data
    if lead is None:
        raise LeadNotFound(await services.views.merged_into(company_id, lead_id))
    etag = version_etag(lead.version, found.feed.epoch)
    if not include and matches(if_none_match, etag):
        return not_modified(etag)
    company = await services.directory.company(company_id, at_least=found.feed.settings_version)
    response = _json({"data": _listed(lead, company, include), "meta": Meta.of(found.feed).model_dump()})
    mark(response, etag)
    return response


@router.get("/{lead_id}/diff", summary="Compare a lead at two moments", responses=READING | problems(404))
async def read_diff(
    lead_id: UUID,
    reading: ReadingOf,
    services: ServicesOf,
    start: Annotated[MomentParameter, Query(alias="from", description="A version or a time.")],
    end: Annotated[MomentParameter, Query(alias="to", description="A version or a time.")],
) -> DiffAnswer:
    """What differs, field by field; a field of your own is `custom.<key>`."""
    found = await services.views.lead_twice(reading.caller.company_id, lead_id, start, end)
    before, after = found.data
    if before is None or after is None:
        raise LeadNotFound
    diff = LeadDiff(before=_version(before), after=_version(after), changes=differences(before, after))
    return DiffAnswer(data=diff, meta=Meta.of(found.feed))


@router.get("/{lead_id}/history", summary="Read what happened to a lead", responses=READING | problems(404))
async def read_history(
    lead_id: UUID,
    reading: ReadingOf,
    services: ServicesOf,
    request: Request,
    after: Annotated[int, Query(ge=0, lt=2**63, description="The last position already known.")] = 0,
    limit: Limit = 100,
) -> HistoryPage:
    """Oldest first; also of a lead that was deleted since. What happened to leads that it took in is there, too."""
    found = await services.views.history(reading.caller.company_id, lead_id, after=after, limit=limit + 1)
    if found.data is None:
        raise LeadNotFound
    company = await services.directory.company(reading.caller.company_id, at_least=found.feed.settings_version)
    entries = [_entry(fact, company) for fact in found.data[:limit]]
    more = None
    if len(found.data) > limit:
        following = {"after": [str(entries[-1].position)], "limit": [str(limit)]}
        more = _link(request, f"/leads/{lead_id}/history", following)
    return HistoryPage(data=entries, meta=Meta.of(found.feed), links=Links(next=more))


@router.get("/{lead_id}/messages", summary="Read a lead's chat", responses=READING | problems(404))
async def list_messages(
    lead_id: UUID,
    reading: ReadingOf,
    services: ServicesOf,
    request: Request,
    after: Annotated[int, Query(ge=0, lt=2**63, description="From `links.next` of the page before.")] = 0,
    limit: Limit = DEFAULT_LIMIT,
) -> MessagePage:
    """Oldest first."""
    found = await services.views.messages(reading.caller.company_id, lead_id, after=after, limit=limit + 1)
    if found.data is None:
        raise LeadNotFound(await services.views.merged_into(reading.caller.company_id, lead_id))
    shown = found.data[:limit]
    more = None
    if len(found.data) > limit:
        following = {"after": [str(shown[-1][0])], "limit": [str(limit)]}
        more = _link(request, f"/leads/{lead_id}/messages", following)
    messages = [message for _position, message in shown]
    return MessagePage(data=messages, meta=Meta.of(found.feed), links=Links(next=more))


def given(request: Request) -> dict[str, list[str]]:
    """Return the parameters of a list that a request gives."""
    parameters = {name: request.query_params.getlist(name) for name in request.query_params}
    return {name: values for name, values in parameters.items() if name not in _NOT_OF_THE_QUERY}


async def query_of(services: Services, reading: Reading, given: Parameters) -> LeadQuery:
    """Return what is asked for, by a saved view where the request itself says nothing else."""
    caller = reading.caller
    parameters = {name: values for name, values in given.items() if name != VIEW}
    if VIEW in given:
        found = await services.settings.view(caller.company_id, _view_id(given[VIEW]))
        parameters = {**from_json(visible(found, str(caller.user_id)).query), **parameters}
    return parse(parameters, caller.company, caller=str(caller.user_id))


def _view_id(values: Sequence[str]) -> UUID:
    try:
        (value,) = values
        return UUID(value)
    except ValueError:
        raise InvalidQuery([(VIEW, "Should be the id of one saved view")]) from None


def _link(request: Request, path: str, parameters: Mapping[str, Sequence[str]]) -> str:
    return f"{request.scope.get('root_path', '')}{path}?{urlencode(parameters, doseq=True)}"


def _listed(lead: LeadSummary, company: Company, include: frozenset[str] | Sequence[str]) -> dict[str, Any]:
    fields: dict[str, Any] = _SUMMARY.dump_python(lead, mode="json")
    if "assigned_user" in include:
        user = company.users.get(lead.assigned_to or "")
        fields["assigned_user"] = None if user is None else {"id": user.id, "name": user.name, "role": user.role}
    if "source" in include:
        source = company.sources.get(lead.source or "")
        name = lead.source if source is None else source.name
        fields["source_details"] = None if lead.source is None else {"key": lead.source, "name": name}
    return fields


def _version(lead: LeadSummary) -> LeadMoment:
    return LeadMoment(version=lead.version, updated_at=lead.updated_at)


def _entry(envelope: Envelope, company: Company) -> HistoryEntry:
    fact = envelope.fact()
    actor = company.users.get(envelope.actor or "")
    return HistoryEntry(
        lead_id=envelope.subject,
        position=envelope.feedposition,
        version=envelope.streamversion,
        type=short_type(envelope),
        occurred_at=envelope.time,
        actor=Actor(id=envelope.actor, name=actor.name if actor else None) if envelope.actor else None,
        changes=changes_of(fact),
        details=details_of(envelope),
        caused_by=Cause(command_id=envelope.causationid, correlation_id=envelope.correlationid),
    )


def _json(content: object) -> Response:
    return Response(compact_json(content), media_type="application/json")
