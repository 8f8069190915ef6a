"""`/changes` and `/stats`: a company's feed by position, and its figures."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from contracts.envelope import Envelope
from contracts.events import Change, Changes, Fact, LeadEvent, event_of, kind_of
from leads.api.context import CallerOf, ServicesOf
from leads.api.schemas import FeedEntry, FeedPage, Links, Meta, StatsAnswer
from runtime.problems import problems

router = APIRouter(tags=["feed"], responses=problems(401, 503))


@router.get("/changes", summary="Read the feed after a position", responses=problems(422))
async def list_changes(
    caller: CallerOf,
    services: ServicesOf,
    request: Request,
    after: Annotated[int, Query(ge=0, lt=2**63, description="The last feed position already known.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> FeedPage:
    """Positions are dense: after n comes n + 1, so that a hole is something missed. `meta.position` is the last one."""
    found = await services.views.changes(caller.company_id, after=after, limit=limit)
    entries = [_entry(envelope) for envelope in found.data]
    more: str | None = None
    if entries and entries[-1].position < found.position:
        more = f"{request.scope.get('root_path', '')}/changes?after={entries[-1].position}&limit={limit}"
    return FeedPage(data=entries, meta=Meta(position=found.position), links=Links(next=more))


@router.get("/stats", summary="Read the company's figures", responses=problems())
async def read_stats(caller: CallerOf, services: ServicesOf) -> StatsAnswer:
    found = await services.views.stats(caller.company_id, now=services.clock())
    return StatsAnswer(data=found.data, meta=Meta(position=found.position))


def short_type(envelope: Envelope) -> str:
    """Return a fact's type as clients know it: `lead.status_changed`."""
    return f"{kind_of(envelope.type)}.{event_of(envelope.type)}"


def changes_of(fact: Fact) -> dict[str, Change]:
    """Return what a fact changed, field by field; nothing for one that has no changes."""
    changes: Changes = getattr(fact, "changes", {})
    return dict(changes)


def _entry(envelope: Envelope) -> FeedEntry:
    fact = envelope.fact()
    return FeedEntry(
        position=envelope.feedposition,
        event_id=envelope.id,
        type=short_type(envelope),
        occurred_at=envelope.time,
        actor=envelope.actor,
        changes=changes_of(fact),
        lead=fact.lead if isinstance(fact, LeadEvent) else None,
    )
