"""`/leads/{id}/tags`."""

from uuid import UUID

from fastapi import Response
from pydantic import Field

from leads import domain
from leads.api.answers import CHANGING, lead_answer
from leads.api.context import ConditionalIntentOf, ServicesOf
from leads.api.lead_bodies import Tags
from leads.api.schemas import Body, LeadAnswer, example
from leads.handle import handle
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/leads", tags=["leads"], responses=problems(401, 503))


class TagChange(Body):
    """Tags that a lead is to get or to lose."""

    model_config = example({"add": ["vip"], "remove": ["cold"]})

    add: Tags = Field(default_factory=list)
    remove: Tags = Field(default_factory=list)


@router.post("/{lead_id}/tags", summary="Add tags to a lead, and take tags away", responses=CHANGING)
async def tag_lead(
    lead_id: UUID, body: TagChange, intent: ConditionalIntentOf, services: ServicesOf, response: Response
) -> LeadAnswer:
    command = intent.command(f"POST /leads/{lead_id}/tags {body.model_dump_json()}", lead_id)
    answer = await handle(
        services.store, command, lambda lead, _company, at: domain.tag(lead, body.add, body.remove, at)
    )
    return lead_answer(answer, response)
