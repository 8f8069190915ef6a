"""`/leads/{id}/status` and `/leads/{id}/convert`: a lead's way through the pipeline."""

from uuid import UUID

from fastapi import Response

from leads import domain
from leads.api.answers import CHANGING, lead_answer
from leads.api.context import ConditionalIntentOf, ServicesOf
from leads.api.lead_bodies import LostReason, StageKey
from leads.api.schemas import Body, LeadAnswer, example
from leads.domain import Conversion
from leads.handle import handle
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/leads", tags=["leads"], responses=problems(401, 503))


class StatusChange(Body):
    """The stage that a lead is to be in."""

    model_config = example({"status": "lost", "lost_reason": "Bought elsewhere"})

    status: StageKey
    lost_reason: LostReason | None = None
    """Only for stages of the kind `lost`; some of them need it."""


class ConversionBody(Body):
    """What a lead is to become; all of it may be left out."""

    model_config = example({"contact_id": "8d0f4b0e-5d3c-4b53-9d2e-6f0a7c1b2d3e"})

    contact_id: UUID | None = None
    """The contact, when there is one already; else an id is made up, the same for the same lead."""
    deal_id: UUID | None = None
    """The deal, likewise."""
    status: StageKey | None = None
    """A stage of the kind `won`; the pipeline's first one unless given."""


@router.post("/{lead_id}/status", summary="Move a lead to another stage", responses=CHANGING)
async def change_status(
    lead_id: UUID, body: StatusChange, intent: ConditionalIntentOf, services: ServicesOf, response: Response
) -> LeadAnswer:
    command = intent.command(f"POST /leads/{lead_id}/status {body.model_dump_json()}", lead_id)
    answer = await handle(
        services.store,
        command,
        lambda lead, company, at: domain.change_status(lead, body.status, body.lost_reason, company, at),
    )
    return lead_answer(answer, response)


@router.post("/{lead_id}/convert", summary="Convert a lead to a contact and a deal", responses=CHANGING)
async def convert_lead(
    lead_id: UUID,
    intent: ConditionalIntentOf,
    services: ServicesOf,
    response: Response,
    body: ConversionBody | None = None,
) -> LeadAnswer:
    """The lead moves to a won stage and names both. The same again is answered the same."""
    into = body or ConversionBody()
    wanted = Conversion(
        contact_id=str(into.contact_id) if into.contact_id else None,
        deal_id=str(into.deal_id) if into.deal_id else None,
        status=into.status,
    )
    command = intent.command(f"POST /leads/{lead_id}/convert {into.model_dump_json()}", lead_id)
    answer = await handle(services.store, command, lambda lead, company, at: domain.convert(lead, wanted, company, at))
    return lead_answer(answer, response)
