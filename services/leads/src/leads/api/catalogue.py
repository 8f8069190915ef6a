"""`/sources` and `/custom-fields`: what leads may name, and what they have besides their ordinary fields."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, Field

from leads.api import examples
from leads.api.answers import READING
from leads.api.context import OriginOf, ReadingOf, ServicesOf
from leads.api.schemas import Answer, Body, Links, Meta, Page, example, text
from leads.domain import catalogue
from leads.domain.company import CustomField, FieldKind, Source
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(responses=problems(401, 503))

_ADDING = problems(400, 403, 409, 413, 422)
_CHANGING = problems(400, 403, 404, 413, 422)
Label = Annotated[str, text(100), Field(min_length=1)]
SourceKey = Annotated[str, text(100), Field(min_length=1)]
FieldKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Choices = Annotated[list[Label], Field(max_length=catalogue.MOST_CHOICES)]
Position = Annotated[int, Field(ge=0, le=10_000)]
# Keys are free text, also with slashes: hence `:path`.
SourceKeyOf = Annotated[str, Path(max_length=100, description="The source's key.")]
FieldKeyOf = Annotated[str, Path(max_length=40, description="The field's key.")]


class SourceShown(BaseModel):
    """Where leads come from."""

    key: str
    """What leads name."""
    name: str
    active: bool
    """Whether leads may newly name it."""


class SourceAnswer(Answer[SourceShown]):
    """One source."""

    model_config = example(examples.answer(examples.SOURCE))


class SourcesPage(Page[SourceShown]):
    """The company's sources, by key."""

    model_config = example(examples.page(examples.SOURCE))


class NewSourceBody(Body):
    """A source to add."""

    model_config = example({"key": "website", "name": "Website"})

    key: SourceKey
    name: Label
    active: bool = True


class SourcePatchBody(Body):
    """New values of the fields that are to change."""

    model_config = example({"active": False})

    # An absent field keeps its value: nobody looks at the defaults.
    name: Label = Field(default_factory=str)
    active: bool = True


class FieldShown(BaseModel):
    """A field that the company's leads have besides those of every lead."""

    key: str
    label: str
    kind: FieldKind
    choices: list[str]
    """What may be chosen; only for `choice` and `choices`."""
    required: bool
    active: bool
    """Whether it takes new values. One that does not keeps those it has."""
    position: int
    """Where a form shows it: fields are listed by position, then key."""


class FieldAnswer(Answer[FieldShown]):
    """One custom field."""

    model_config = example(examples.answer(examples.CUSTOM_FIELD))


class FieldsPage(Page[FieldShown]):
    """The company's custom fields."""

    model_config = example(examples.page(examples.CUSTOM_FIELD))


class NewFieldBody(Body):
    """A custom field to add."""

    model_config = example({"key": "plan", "label": "Plan", "kind": "choice", "choices": ["basic", "pro"]})

    key: FieldKey
    label: Label
    kind: FieldKind
    choices: Choices = Field(default_factory=list)
    required: bool = False
    active: bool = True
    position: Position = 0


class FieldPatchBody(Body):
    """New values of what is to change; key and kind never do."""

    model_config = example({"choices": ["basic", "pro", "max"]})

    # An absent field keeps its value: nobody looks at the defaults.
    label: Label = Field(default_factory=str)
    choices: Choices = Field(default_factory=list)
    required: bool = False
    active: bool = True
    position: Position = 0

    def patch(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        return {**given, "choices": tuple(self.choices)} if "choices" in given else given


@router.get("/sources", tags=["sources"], summary="List the sources", responses=READING)
async def list_sources(reading: ReadingOf) -> SourcesPage:
    shown = [_source(source) for source in reading.caller.company.sources.values()]
    return SourcesPage(data=shown, meta=Meta.of(reading.feed), links=Links(next=None))


@router.post("/sources", tags=["sources"], status_code=201, summary="Add a source", responses=_ADDING)
async def add_source(body: NewSourceBody, origin: OriginOf, services: ServicesOf) -> SourceAnswer:
    async with services.settings.changing(origin) as change:
        source = catalogue.add_source(change.company, Source(**body.model_dump()))
        await change.put_source(source)
    return SourceAnswer(data=_source(source), meta=Meta.of(change.feed))


@router.patch("/sources/{key:path}", tags=["sources"], summary="Change a source", responses=_CHANGING)
async def change_source(
    key: SourceKeyOf, body: SourcePatchBody, origin: OriginOf, services: ServicesOf
) -> SourceAnswer:
    """Leads keep a source that goes out of use; they cannot newly name it."""
    async with services.settings.changing(origin) as change:
        source = replace(catalogue.source(change.company, key), **body.model_dump(exclude_unset=True))
        await change.put_source(source)
    return SourceAnswer(data=_source(source), meta=Meta.of(change.feed))


@router.delete(
    "/sources/{key:path}", tags=["sources"], summary="Remove a source", responses=problems(400, 403, 404, 409, 422)
)
async def remove_source(key: SourceKeyOf, origin: OriginOf, services: ServicesOf) -> SourceAnswer:
    """Only one that no lead names: others can go out of use."""
    async with services.settings.changing(origin) as change:
        known = catalogue.source(change.company, key)  # first: who knows what else a path may hold
        source = catalogue.remove_source(change.company, key, await change.leads_of(known.key))
        await change.remove_source(key)
    return SourceAnswer(data=_source(source), meta=Meta.of(change.feed))


@router.get("/custom-fields", tags=["custom fields"], summary="List the custom fields", responses=READING)
async def list_custom_fields(reading: ReadingOf) -> FieldsPage:
    shown = [_field(field) for field in reading.caller.company.custom_fields.values()]
    return FieldsPage(data=shown, meta=Meta.of(reading.feed), links=Links(next=None))


@router.post("/custom-fields", tags=["custom fields"], status_code=201, summary="Add a custom field", responses=_ADDING)
async def add_custom_field(body: NewFieldBody, origin: OriginOf, services: ServicesOf) -> FieldAnswer:
    new = CustomField(**{**body.model_dump(), "choices": tuple(body.choices)})
    async with services.settings.changing(origin) as change:
        field = catalogue.add_field(change.company, new)
        await change.put_field(field)
    return FieldAnswer(data=_field(field), meta=Meta.of(change.feed))


@router.patch("/custom-fields/{key}", tags=["custom fields"], summary="Change a custom field", responses=_CHANGING)
async def change_custom_field(
    key: FieldKeyOf, body: FieldPatchBody, origin: OriginOf, services: ServicesOf
) -> FieldAnswer:
    """Values that leads have already are kept, also of a choice that goes. Key and kind never change."""
    async with services.settings.changing(origin) as change:
        field = catalogue.change_field(change.company, key, body.patch())
        await change.put_field(field)
    return FieldAnswer(data=_field(field), meta=Meta.of(change.feed))


@router.delete("/custom-fields/{key}", tags=["custom fields"], summary="Retire a custom field", responses=_CHANGING)
async def retire_custom_field(key: FieldKeyOf, origin: OriginOf, services: ServicesOf) -> FieldAnswer:
    """It takes no new values, and keeps those it has: the past of leads stays readable. It can be taken back."""
    async with services.settings.changing(origin) as change:
        field = replace(catalogue.field(change.company, key), active=False)
        await change.put_field(field)
    return FieldAnswer(data=_field(field), meta=Meta.of(change.feed))


def _source(source: Source) -> SourceShown:
    return SourceShown(key=source.key, name=source.name, active=source.active)


def _field(field: CustomField) -> FieldShown:
    return FieldShown(
        key=field.key,
        label=field.label,
        kind=field.kind,
        choices=list(field.choices),
        required=field.required,
        active=field.active,
        position=field.position,
    )
