"""`/views`: lists of leads under a name, one's own or for all colleagues."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field

from leads import access
from leads.access import NotAllowed
from leads.api import examples
from leads.api.answers import READING
from leads.api.context import IdempotencyKeyOf, OriginOf, ReadingOf, ServicesOf
from leads.api.schemas import Answer, Body, Links, Meta, Page, example, text
from leads.command import IdempotencyKeyReused, keyed_command_id
from leads.domain import listing, saved_views
from leads.domain.company import Company
from leads.domain.listing import InvalidQuery
from leads.domain.saved_views import SavedView
from leads.store.settings import Change
from runtime.problems import SHOWN_NAME, FieldError, Problem, problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/views", tags=["saved views"], responses=problems(401, 503))

ViewName = Annotated[str, text(100), Field(min_length=1)]
Value = Annotated[str, Field(max_length=listing.LONGEST_VALUE)]
Values = Annotated[list[Value], Field(min_length=1, max_length=listing.MOST_VALUES)]
Query = Annotated[dict[Annotated[str, Field(max_length=50)], Value | Values], Field(max_length=50)]
_CHANGING = problems(400, 403, 404, 413, 422)


class ViewAnswer(Answer[SavedView]):
    """One saved view."""

    model_config = example(examples.answer(examples.SAVED_VIEW))


class ViewsPage(Page[SavedView]):
    """Saved views, by name."""

    model_config = example(examples.page(examples.SAVED_VIEW))


class NewViewBody(Body):
    """A list of leads to keep; only managers share."""

    model_config = example({"name": "My open leads", "query": {"assigned_to": "me", "status": ["new", "contacted"]}})

    name: ViewName
    query: Query
    """Parameters of `GET /leads`: each has one value, or a list of them."""
    shared: bool = False


class ViewPatchBody(Body):
    """New values of the fields that are to change."""

    model_config = example({"shared": True})

    # An absent field keeps its value: nobody looks at the defaults.
    name: ViewName = Field(default_factory=str)
    query: Query = Field(default_factory=dict)
    shared: bool = False


@router.get("", summary="List saved views", responses=READING)
async def list_views(reading: ReadingOf, services: ServicesOf) -> ViewsPage:
    """One's own, and those that are shared."""
    views = await services.settings.views(reading.caller.company_id)
    shown = [view for view in views if view.is_visible_to(str(reading.caller.user_id))]
    return ViewsPage(data=shown, meta=Meta.of(reading.feed), links=Links(next=None))


@router.post("", status_code=201, summary="Save a view", responses=problems(400, 403, 409, 413, 422))
async def add_view(body: NewViewBody, origin: OriginOf, key: IdempotencyKeyOf, services: ServicesOf) -> ViewAnswer:
    """Repeated with the same Idempotency-Key, it answers the view that is there."""
    view_id = (
        services.new_id() if key is None else uuid5(keyed_command_id(origin.company_id, origin.actor, key), "view")
    )
    async with services.settings.changing(origin) as change:
        view = await change.view(view_id)
        if view is not None and (view.name, view.query, view.shared) != (body.name, body.query, body.shared):
            raise IdempotencyKeyReused
        if view is None:
            saved_views.require_room(*await change.count_views())
            owner, at = str(origin.actor), change.at
            values = body.model_dump()
            view = SavedView(id=str(view_id), owner=owner, created_at=at, updated_at=at, **values)
            _require_valid(view, change.company)
            _require_shareable(view, change.company, owner)
            await change.put_view(view)
    return ViewAnswer(data=view, meta=Meta.of(change.feed))


@router.get("/{view_id}", summary="Read a saved view", responses=READING | problems(404))
async def read_view(view_id: UUID, reading: ReadingOf, services: ServicesOf) -> ViewAnswer:
    found = await services.settings.view(reading.caller.company_id, view_id)
    view = saved_views.visible(found, str(reading.caller.user_id))
    return ViewAnswer(data=view, meta=Meta.of(reading.feed))


@router.patch("/{view_id}", summary="Change a saved view", responses=_CHANGING)
async def change_view(view_id: UUID, body: ViewPatchBody, origin: OriginOf, services: ServicesOf) -> ViewAnswer:
    """A shared view, and whether it is shared, is changed by managers."""
    values: dict[str, Any] = body.model_dump(exclude_unset=True)
    async with services.settings.changing(origin) as change:
        before = await _visible(change, view_id, str(origin.actor))
        view = replace(before, **values, updated_at=change.at)
        _require_valid(view, change.company)
        _require_shareable(before, change.company, str(origin.actor))
        _require_shareable(view, change.company, str(origin.actor))
        await change.put_view(view)
    return ViewAnswer(data=view, meta=Meta.of(change.feed))


@router.delete("/{view_id}", summary="Forget a saved view", responses=_CHANGING)
async def remove_view(view_id: UUID, origin: OriginOf, services: ServicesOf) -> ViewAnswer:
    async with services.settings.changing(origin) as change:
        view = await _visible(change, view_id, str(origin.actor))
        _require_shareable(view, change.company, str(origin.actor))
        await change.remove_view(view.id)
    return ViewAnswer(data=view, meta=Meta.of(change.feed))


async def _visible(change: Change, view_id: UUID, user_id: str) -> SavedView:
    return saved_views.visible(await change.view(view_id), user_id)


def _require_valid(view: SavedView, company: Company) -> None:
    try:
        saved_views.require_query(view.query, company)
    except InvalidQuery as error:
        errors = [FieldError(pointer=f"/query/{name[:SHOWN_NAME]}", message=message) for name, message in error.errors]
        raise Problem(422, error.code, "GET /leads would not understand this query.", errors=errors) from None


def _require_shareable(view: SavedView, company: Company, user_id: str) -> None:
    if view.shared and not access.may(company.users[user_id].role, "share_view"):
        raise NotAllowed
