"""`/leads`: create, change, delete."""

from uuid import UUID

from fastapi import Request, Response

from leads import domain
from leads.api.answers import CHANGING, lead_answer
from leads.api.context import ConditionalIntentOf, IntentOf, ServicesOf
from leads.api.lead_bodies import LeadPatchBody, NewLeadBody, Restoration
from leads.api.schemas import LeadAnswer
from leads.handle import create, handle
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/leads", tags=["leads"], responses=problems(401, 503))


@router.post("", status_code=201, summary="Create a lead", responses=problems(400, 403, 409, 413, 422))
async def create_lead(
    body: NewLeadBody, intent: IntentOf, services: ServicesOf, request: Request, response: Response
) -> LeadAnswer:
    new = body.values()
    command = intent.command(f"POST /leads {body.model_dump_json()}", allow_duplicate=body.allow_duplicate)
    answer = await create(
        services.store, command, lambda company, at: domain.create(str(command.lead_id), new, company, at)
    )
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/leads/{answer.lead.id}"
    return lead_answer(answer, response)


@router.patch("/{lead_id}", summary="Change a lead", responses=CHANGING)
async def change_lead(
    lead_id: UUID, body: LeadPatchBody, intent: ConditionalIntentOf, services: ServicesOf, response: Response
) -> LeadAnswer:
    patch = body.patch()
    request = f"PATCH /leads/{lead_id} {body.model_dump_json(exclude_unset=True)}"
    command = intent.command(request, lead_id, allow_duplicate=body.allow_duplicate)
    answer = await handle(services.store, command, lambda lead, company, at: domain.change(lead, patch, company, at))
    return lead_answer(answer, response)


@router.delete("/{lead_id}", summary="Delete a lead", responses=CHANGING)
async def delete_lead(
    lead_id: UUID, intent: ConditionalIntentOf, services: ServicesOf, response: Response
) -> LeadAnswer:
    """Answers the lead's last state. Its history stays."""
    command = intent.command(f"DELETE /leads/{lead_id}", lead_id)
    answer = await handle(services.store, command, lambda lead, _company, at: domain.delete(lead, at))
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
    answer = await handle(services.store, command, domain.restore)
    return lead_answer(answer, response)
