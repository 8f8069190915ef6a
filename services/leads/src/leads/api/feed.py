"""`/changes` and `/stats`: a company's feed by position, and its figures."""

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query, Request, Response
from starlette.requests import ClientDisconnect

from contracts.envelope import Envelope
from contracts.events import Change, Changes, Fact, LeadEvent, UserEvent, event_of, kind_of
from contracts.upcasters import upcast
from leads.api.answers import READING
from leads.api.conditional import IfNoneMatch, feed_etag, mark, matches, not_modified
from leads.api.context import Reading, ReadingOf, ServicesOf, readmitted
from leads.api.read_answers import FeedEntry, FeedPage, StatsAnswer
from leads.api.schemas import Links, Meta
from leads.command import Feed
from leads.domain.figures import figures
from leads.views import Snapshot
from leads.watch import EpochChanged
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(tags=["feed"], responses=problems(401, 503))

LONGEST_WAIT: Final = 60


@router.get("/changes", summary="Read the feed after a position", response_model=FeedPage, responses=READING)
async def list_changes(
    reading: ReadingOf,
    services: ServicesOf,
    request: Request,
    after: Annotated[int, Query(ge=0, lt=2**63, description="The last feed position already known.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    wait: Annotated[
        int, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for something after the position.")
    ] = 0,
) -> Response:
    """Positions are dense: after n comes n + 1, so that a hole is something missed. `meta.position` is the last one.

    With `wait`, an answer comes as soon as there is something, or empty in the end. A position beyond the feed, and one
    of another `epoch`, also while the request waits, is answered with 410 `epoch_changed`: an older state of the log
    was restored, and its positions are used again. Load everything again and go on from `meta.position`.
    """
    if after > reading.feed.position:
        raise EpochChanged(reading.feed)
    if wait and reading.feed.position == after:
        reading = await _waited(services, reading, request, after=after, seconds=wait)
    caller, root_path = reading.caller, request.scope.get("root_path", "")

    async def read() -> bytes:
        found = await services.views.changes(caller.company_id, after=after, limit=limit)
        return _page(found, root_path, limit).model_dump_json().encode()

    # Whoever was woken by the same fact gets the same bytes.
    key = (caller.company_id, reading.feed.epoch, reading.feed.position, after, limit, root_path)
    return Response(await services.shared_reads.read(key, read), media_type="application/json")


async def _waited(services: ServicesOf, reading: Reading, request: Request, *, after: int, seconds: float) -> Reading:
    leave = asyncio.create_task(_gone(request))
    try:
        feed = await services.watch.wait(
            reading.caller.company_id,
            reading.caller.user_id,
            epoch=reading.feed.epoch,
            after=after,
            seconds=seconds,
            leave=leave,
        )
        if leave.done():
            raise ClientDisconnect
    finally:
        leave.cancel()
    return reading if feed is None else await readmitted(services, reading, feed)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _page(found: Snapshot[list[Envelope]], root_path: str, limit: int) -> FeedPage:
    entries = [_entry(envelope) for envelope in found.data]
    more: str | None = None
    if entries and entries[-1].position < found.position:
        more = f"{root_path}/changes?after={entries[-1].position}&limit={limit}&epoch={found.feed.epoch}"
    return FeedPage(data=entries, meta=Meta.of(found.feed), links=Links(next=more))


@router.get(
    "/stats",
    summary="Read the company's figures",
    responses={304: {"description": "Nothing changed since the answer with this `ETag`."}, **READING},
    response_model=StatsAnswer,
)
async def read_stats(
    reading: ReadingOf, services: ServicesOf, response: Response, if_none_match: IfNoneMatch = None
) -> StatsAnswer | Response:
    company_id = reading.caller.company_id
    # A browser may have the figures of another company, whose user used it before.
    if matches(if_none_match, etag := _figures_etag(reading.feed, company_id)):
        return not_modified(etag)
    found = await services.views.counters(company_id)
    company = await services.directory.company(company_id, at_least=found.feed.settings_version)
    mark(response, _figures_etag(found.feed, company_id))
    return StatsAnswer(data=figures(found.data, company, found.feed.at), meta=Meta.of(found.feed))


def _figures_etag(feed: Feed, company_id: UUID) -> str:
    """Return what figures are known by: a new day has others, even when nothing has happened."""
    return feed_etag(feed, company_id, f"{feed.at:%Y-%m-%d}")


def short_type(envelope: Envelope) -> str:
    """Return a fact's type as clients know it: `lead.status_changed`."""
    return f"{kind_of(envelope.type)}.{event_of(envelope.type)}"


def changes_of(fact: Fact) -> dict[str, Change]:
    """Return what a fact changed, field by field; nothing for one that has no changes."""
    changes: Changes = getattr(fact, "changes", {})
    return {field: change for field, change in changes.items() if not _is_private(fact, field)}


def details_of(envelope: Envelope) -> dict[str, Any]:
    """Return what a fact holds besides the lead and its changes."""
    _name, data = upcast(envelope.type, envelope.data)
    details = {name: value for name, value in data.items() if name not in {"lead", "changes"}}
    if isinstance(envelope.fact(), UserEvent):
        details["user"] = {name: value for name, value in details["user"].items() if name != "email"}
    return details


def _is_private(fact: Fact, field: str) -> bool:
    """Whether a field is not for colleagues: the address by which somebody logs in."""
    return isinstance(fact, UserEvent) and field == "email"


def _entry(envelope: Envelope) -> FeedEntry:
    fact = envelope.fact()
    return FeedEntry(
        position=envelope.feedposition,
        event_id=envelope.id,
        type=short_type(envelope),
        subject=envelope.subject,
        occurred_at=envelope.time,
        actor=envelope.actor,
        changes=changes_of(fact),
        lead=fact.lead if isinstance(fact, LeadEvent) else None,
        data=details_of(envelope),
    )
