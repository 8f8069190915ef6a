"""`/leads/{id}/merge`: one lead takes in another."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field, StringConstraints

from contracts.events import Change, LeadEvent, LeadMerged, LeadSummary
from leads import domain
from leads.api import examples
from leads.api.answers import CHANGING, tag
from leads.api.context import RequiredIntentOf, ServicesOf
from leads.api.schemas import Answer as Answered
from leads.api.schemas import Body, Meta, example
from leads.domain import Company, Lead
from leads.domain.merging import Side
from leads.handle import handle_pair, preview_pair
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/leads", tags=["leads"], responses=problems(401, 503))

FieldName = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class Merge(Body):
    """The lead to take in, and which values to keep."""

    model_config = example({"other": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a56", "choose": {"phone": "other"}})

    other: UUID
    other_version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """The version of it that the choices are based on; null for any."""
    choose: Annotated[dict[FieldName, Side], Field(max_length=200)] = Field(default_factory=dict)
    """Field → whose value to keep. `value` goes with its currency, `status` with its reason; `custom.<key>` is one of
    the company's own. Without a choice the survivor keeps what it has and takes what it lacks, and has all tags."""
    allow_duplicate: bool = False
    """Whether a third lead may have the same e-mail address or phone number."""


class MergeAnswer(Answered[LeadSummary]):
    """The lead that took in the other one; on a dry run, as it would be."""

    model_config = example(examples.answer(examples.LEAD) | {"dry_run": False, "changes": None})

    dry_run: bool
    changes: Mapping[str, Change] | None
    """What the merge would change of it; only on a dry run."""


@router.post("/{lead_id}/merge", summary="Merge another lead into this one", responses=CHANGING | problems(428))
async def merge_leads(
    lead_id: UUID,
    body: Merge,
    intent: RequiredIntentOf,
    services: ServicesOf,
    response: Response,
    dry_run: Annotated[bool, Query(description="Only tell what would come of it; needs no If-Match.")] = False,
) -> MergeAnswer:
    """Messages and history of both stay readable from this lead; the other one is deleted. There is no way back."""
    request = f"POST /leads/{lead_id}/merge {body.model_dump_json()}"
    command = intent.command(request, lead_id, allow_duplicate=body.allow_duplicate)

    def decide(survivor: Lead | None, other: Lead | None, company: Company, at: datetime) -> Sequence[LeadEvent]:
        if other is not None:
            domain.require_version(other, body.other_version)
        return domain.merge(survivor, other, body.choose, company, at)

    if not dry_run:
        answer = await handle_pair(services.store, command, body.other, decide)
        tag(answer, response)
        return MergeAnswer(data=answer.lead, meta=Meta.of(answer), dry_run=False, changes=None)
    facts, feed = await preview_pair(services.store, command, body.other, decide)
    merged = next(fact for fact in facts if isinstance(fact, LeadMerged))
    return MergeAnswer(data=merged.lead, meta=Meta.of(feed), dry_run=True, changes=merged.changes)
