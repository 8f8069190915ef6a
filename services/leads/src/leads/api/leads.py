"""`/leads`: create, list, read, change, delete, and what happened to one."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.envelope import Envelope
from leads import domain
from leads.api import cursor
from leads.api.answers import CHANGING, lead_answer
from leads.api.context import CallerOf, ConditionalIntentOf, IntentOf, ServicesOf
from leads.api.feed import changes_of, short_type
from leads.api.lead_bodies import LeadPatchBody, NewLeadBody, Restoration
from leads.api.schemas import (
    Actor,
    HistoryEntry,
    HistoryPage,
    LeadAnswer,
    LeadPage,
    Links,
    Meta,
)
from leads.command import Answer
from leads.domain import LeadNotFound, Status
from leads.handle import create, handle
from leads.views import Mark
from runtime.problems import problems

router = APIRouter(prefix="/leads", tags=["leads"], responses=problems(401, 503))


@router.post("", status_code=201, summary="Create a lead", responses=problems(400, 403, 409, 413, 422))
async def create_lead(
    body: NewLeadBody, intent: IntentOf, services: ServicesOf, request: Request, response: Response
) -> LeadAnswer:
    new = body.values()
    command = intent.command(f"POST /leads {body.model_dump_json()}", allow_duplicate=body.allow_duplicate)
    answer = await create(
        services.store, command, lambda company: domain.create(str(command.lead_id), new, company, command.at)
    )
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/leads/{answer.lead.id}"
    return lead_answer(answer, response)


@router.get("", summary="List leads, newest first", responses=problems(400, 422))
async def list_leads(
    caller: CallerOf,
    services: ServicesOf,
    request: Request,
    status: Status | None = None,
    after: Annotated[
        str | None, Query(alias="cursor", max_length=200, description="From `links.next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> LeadPage:
    mark = cursor.decode(after) if after is not None else None
    found = await services.views.leads(caller.company_id, status=status, after=mark, limit=limit + 1)
    page = found.data[:limit]
    more: str | None = None
    if len(found.data) > limit:
        query = {"cursor": cursor.encode(Mark(page[-1].created_at, UUID(page[-1].id))), "limit": limit}
        filtered = query if status is None else {"status": status.value, **query}
        more = f"{request.scope.get('root_path', '')}/leads?{urlencode(filtered)}"
    return LeadPage(data=page, meta=Meta(position=found.position), links=Links(next=more))


@router.get("/{lead_id}", summary="Read a lead", responses=problems(404, 422))
async def read_lead(lead_id: UUID, caller: CallerOf, services: ServicesOf, response: Response) -> LeadAnswer:
    found = await services.views.lead(caller.company_id, lead_id)
    if found.data is None:
        raise LeadNotFound
    return lead_answer(Answer(found.data, found.position), response)


@router.patch("/{lead_id}", summary="Change a lead", responses=CHANGING)
async def change_lead(
    lead_id: UUID, body: LeadPatchBody, intent: ConditionalIntentOf, services: ServicesOf, response: Response
) -> LeadAnswer:
    patch = body.patch()
    request = f"PATCH /leads/{lead_id} {body.model_dump_json(exclude_unset=True)}"
    command = intent.command(request, lead_id, allow_duplicate=body.allow_duplicate)
    answer = await handle(
        services.store, command, lambda lead, company: domain.change(lead, patch, company, command.at)
    )
    return lead_answer(answer, response)


@router.delete("/{lead_id}", summary="Delete a lead", responses=CHANGING)
async def delete_lead(
    lead_id: UUID, intent: ConditionalIntentOf, services: ServicesOf, response: Response
) -> LeadAnswer:
    """Answers the lead's last state. Its history stays."""
    command = intent.command(f"DELETE /leads/{lead_id}", lead_id)
    answer = await handle(services.store, command, lambda lead, _company: domain.delete(lead, command.at))
    return lead_answer(answer, response)


@router.post("/{lead_id}/restore", summary="Take a deletion back", responses=CHANGING)
async def restore_lead(
    lead_id: UUID,
    intent: ConditionalIntentOf,
    services: ServicesOf,
    response: Response,
    body: Restoration | None = None,
) -> LeadAnswer:
    """A lead that was merged stays what it was merged into."""
    how = body or Restoration()
    request = f"POST /leads/{lead_id}/restore {how.model_dump_json()}"
    command = intent.command(request, lead_id, allow_duplicate=how.allow_duplicate)
    answer = await handle(services.store, command, lambda lead, company: domain.restore(lead, company, command.at))
    return lead_answer(answer, response)


@router.get("/{lead_id}/history", summary="Read what happened to a lead", responses=problems(404, 422))
async def read_history(lead_id: UUID, caller: CallerOf, services: ServicesOf) -> HistoryPage:
    """Oldest first; also of a lead that was deleted since."""
    found = await services.views.history(caller.company_id, lead_id)
    facts, names = found.data
    if not facts:
        raise LeadNotFound
    entries = [_entry(fact, names) for fact in facts]
    return HistoryPage(data=entries, meta=Meta(position=found.position), links=Links(next=None))


def _entry(envelope: Envelope, names: Mapping[str, str]) -> HistoryEntry:
    return HistoryEntry(
        position=envelope.feedposition,
        version=envelope.streamversion,
        type=short_type(envelope),
        occurred_at=envelope.time,
        actor=Actor(id=envelope.actor, name=names.get(envelope.actor)) if envelope.actor else None,
        changes=changes_of(envelope.fact()),
    )
