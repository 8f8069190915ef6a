"""`/leads/{id}/assign`: who works on a lead."""

from typing import Literal
from uuid import UUID

from fastapi import Response

from leads import domain
from leads.api.answers import CHANGING, lead_answer
from leads.api.context import ConditionalIntentOf, ServicesOf
from leads.api.schemas import Body, LeadAnswer, example
from leads.handle import handle
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/leads", tags=["leads"], responses=problems(401, 503))


class Assignment(Body):
    """Who is to have a lead."""

    model_config = example({"assigned_to": "round_robin"})

    assigned_to: UUID | Literal["round_robin"] | None
    """A user's id; null for nobody; `round_robin` for the active agent or manager whose turn it is."""


@router.post("/{lead_id}/assign", summary="Assign a lead, or take it from whoever has it", responses=CHANGING)
async def assign_lead(
    lead_id: UUID, body: Assignment, intent: ConditionalIntentOf, services: ServicesOf, response: Response
) -> LeadAnswer:
    command = intent.command(f"POST /leads/{lead_id}/assign {body.model_dump_json()}", lead_id)
    if body.assigned_to == "round_robin":
        drawn = await services.store.draw_turn(command.company_id)  # a turn drawn in vain harms nobody
        turn = str(drawn) if drawn else None
        answer = await handle(
            services.store, command, lambda lead, company, at: domain.assign_by_turn(lead, turn, company, at)
        )
    else:
        user_id = str(body.assigned_to) if body.assigned_to else None
        answer = await handle(
            services.store, command, lambda lead, company, at: domain.assign(lead, user_id, company, at)
        )
    return lead_answer(answer, response)
