"""`/company` and `/pipeline`: what a company has settled about itself, and the stages of its leads."""

from typing import Annotated

from fastapi import Response
from pydantic import BaseModel, Field

from contracts.events import Pipeline, Stage, StageKind
from leads.api import examples
from leads.api.answers import READING
from leads.api.conditional import version_etag
from leads.api.context import OriginOf, ReadingOf, RequiredIfMatchOf, ServicesOf
from leads.api.lead_bodies import Name
from leads.api.schemas import Answer, Body, Meta, example, text
from leads.command import Feed, version_in
from leads.domain import pipeline
from leads.domain.company import Company
from leads.domain.money import currency
from leads.domain.phone import region
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(tags=["company"], responses=problems(401, 503))

Region = Annotated[str, Field(min_length=2, max_length=2)]
Currency = Annotated[str, Field(min_length=3, max_length=3)]
StageKey = Annotated[str, Field(pattern=rf"^{pipeline.KEY.pattern}$")]


class CompanyShown(BaseModel):
    """A company, as its users see it."""

    id: str
    name: str
    region: str | None
    """ISO 3166 country of phone numbers without a country code; null: each needs one."""
    currency: str | None
    """ISO 4217 currency of values without one; null: each needs one."""


class CompanyAnswer(Answer[CompanyShown]):
    """The caller's company."""

    model_config = example(examples.answer(examples.COMPANY))


class CompanyPatchBody(Body):
    """New values of the fields that are to change; null clears a region or currency."""

    model_config = example({"region": "BR", "currency": "BRL"})

    # An absent field keeps its value: nobody looks at the defaults.
    name: Name = Field(default_factory=str)
    region: Region | None = None
    currency: Currency | None = None

    def patch(self) -> dict[str, str | None]:
        given = self.model_dump(exclude_unset=True)
        if self.region is not None:
            given["region"] = region(self.region)
        if self.currency is not None:
            given["currency"] = currency(self.currency)
        return given


class StageBody(Body):
    """One stage."""

    key: StageKey
    """What leads name as their status."""
    name: Annotated[str, text(100), Field(min_length=1)]
    kind: StageKind = "open"
    next: Annotated[list[StageKey], Field(max_length=pipeline.MOST_STAGES)] | None = None
    """The stages to which a lead may move from here; null for any."""
    reason_required: bool = False
    """Whether a lead needs a lost reason to get here; only for stages of the kind `lost`."""

    def stage(self) -> Stage:
        following = None if self.next is None else tuple(self.next)
        return Stage(key=self.key, name=self.name, kind=self.kind, next=following, reason_required=self.reason_required)


class PipelineBody(Body):
    """A whole pipeline, in order."""

    model_config = example({"stages": examples.STAGES})

    stages: Annotated[list[StageBody], Field(min_length=1, max_length=pipeline.MOST_STAGES)]


class PipelineAnswer(Answer[Pipeline]):
    """The company's pipeline."""

    model_config = example(examples.answer({"stages": examples.STAGES, "version": 1}))


@router.get("/company", summary="Read the company", responses=READING)
async def read_company(reading: ReadingOf) -> CompanyAnswer:
    return CompanyAnswer(data=_shown(reading.caller.company), meta=Meta.of(reading.feed))


@router.patch("/company", summary="Change the company", responses=problems(400, 403, 413, 422))
async def change_company(body: CompanyPatchBody, origin: OriginOf, services: ServicesOf) -> CompanyAnswer:
    """A region says whose phone numbers need no country code, a currency what values without one are in."""
    patch = body.patch()
    async with services.settings.changing(origin) as change:
        shown = _shown(change.company).model_copy(update=patch)
        await change.change_company(shown.name, shown.region, shown.currency)
    return CompanyAnswer(data=shown, meta=Meta.of(change.feed))


@router.get("/pipeline", summary="Read the pipeline", responses=READING)
async def read_pipeline(reading: ReadingOf, response: Response) -> PipelineAnswer:
    return _answer(reading.caller.company.pipeline, reading.feed, response)


@router.put("/pipeline", summary="Replace the pipeline", responses=problems(400, 403, 409, 412, 413, 422, 428))
async def replace_pipeline(
    body: PipelineBody, origin: OriginOf, expected: RequiredIfMatchOf, services: ServicesOf, response: Response
) -> PipelineAnswer:
    """A stage that still has leads cannot go: the refusal says how many there are. Move them first."""
    stages = [stage.stage() for stage in body.stages]
    async with services.settings.changing(origin) as change:
        pipeline.require_version(change.company, version_in(change.feed.epoch, expected))
        in_use = await change.leads_in(pipeline.missing(change.company, stages))
        fact = pipeline.replace(change.company, stages, in_use)
        if fact is not None:
            await change.change_pipeline(fact)
    return _answer(fact.pipeline if fact else change.company.pipeline, change.feed, response)


def _answer(current: Pipeline, feed: Feed, response: Response) -> PipelineAnswer:
    response.headers["ETag"] = version_etag(current.version, feed.epoch)
    return PipelineAnswer(data=current, meta=Meta.of(feed))


def _shown(company: Company) -> CompanyShown:
    return CompanyShown(id=company.id, name=company.name, region=company.region, currency=company.currency)
