"""`/users` and `/roles`: who works for the company, and what they may do."""

from typing import Annotated
from uuid import UUID, uuid5

from fastapi import Response
from pydantic import BaseModel, Field

from contracts.events import Role
from leads import access
from leads.access import may
from leads.api import examples
from leads.api.accounts import NewPassword
from leads.api.answers import READING
from leads.api.conditional import version_etag
from leads.api.context import IdempotencyKeyOf, IfMatchOf, OriginOf, ReadingOf, ServicesOf
from leads.api.lead_bodies import Name
from leads.api.schemas import Answer, Body, Links, Meta, Page, example, text
from leads.command import Feed, IdempotencyKeyReused, keyed_command_id, version_in
from leads.domain import people
from leads.domain.company import User
from leads.domain.people import UserPatch
from leads.domain.text import EMAIL, EMAIL_LENGTH
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(tags=["users"], responses=problems(401, 503))

Email = Annotated[str, text(EMAIL_LENGTH, f"^{EMAIL}$")]
_WITHOUT_RULES = problems(400, 403, 404, 412, 413, 422)
_CHANGING = _WITHOUT_RULES | problems(409)


class Person(BaseModel):
    """A user of the company."""

    model_config = example(examples.COLLEAGUE)

    id: str
    name: str
    role: Role
    active: bool
    """Whether they may log in. The leads of somebody who may not stay theirs, but they get no new ones."""
    version: int
    email: str | None
    """Only for admins to see."""


class PersonAnswer(Answer[Person]):
    """One user."""

    model_config = example(examples.answer(examples.COLLEAGUE))


class PeoplePage(Page[Person]):
    """The company's users."""

    model_config = example(examples.page({**examples.COLLEAGUE, "email": None}))


class NewUserBody(Body):
    """Somebody who shall be able to log in."""

    model_config = example(
        {"name": "Grace Hopper", "email": "grace@example.com", "role": "agent", "password": "secret words"}
    )

    name: Name
    email: Email
    role: Role
    password: NewPassword


class UserPatchBody(Body):
    """New values of the fields that are to change."""

    model_config = example({"role": "manager"})

    # An absent field keeps its value: nobody looks at the defaults.
    name: Name = Field(default_factory=str)
    email: Email = Field(default_factory=str)
    role: Role = Field(default_factory=lambda: "viewer")
    password: NewPassword = Field(default_factory=str)

    def patch(self) -> UserPatch:
        given: UserPatch = self.model_dump(exclude_unset=True, exclude={"password"})  # type: ignore[assignment]
        return given


class RoleDescription(BaseModel):
    """A role, and the operations (`operationId`) that it may do."""

    role: Role
    operations: list[str]


class RolesPage(Page[RoleDescription]):
    """The roles, each of which may do what those before it may."""

    model_config = example(examples.page({"role": "viewer", "operations": ["list_leads", "read_lead"]}))


@router.get("/roles", summary="List the roles and what they may do", responses=READING)
async def list_roles(reading: ReadingOf) -> RolesPage:
    roles = [
        RoleDescription(role=role, operations=[name for name in access.OPERATIONS if may(role, name)])
        for role in access.ROLES
    ]
    return RolesPage(data=roles, meta=Meta.of(reading.feed), links=Links(next=None))


@router.get("/users", summary="List the company's users", responses=READING)
async def list_users(reading: ReadingOf) -> PeoplePage:
    shown = [_person(user, reading.caller.role) for user in reading.caller.company.users.values()]
    return PeoplePage(data=shown, meta=Meta.of(reading.feed), links=Links(next=None))


@router.post("/users", status_code=201, summary="Add a user", responses=problems(400, 403, 409, 413, 422))
async def add_user(
    body: NewUserBody, origin: OriginOf, key: IdempotencyKeyOf, services: ServicesOf, response: Response
) -> PersonAnswer:
    """Repeated with the same Idempotency-Key, it answers the user that is there."""
    user_id = (
        services.new_id() if key is None else uuid5(keyed_command_id(origin.company_id, origin.actor, key), "user")
    )
    password_hash = await services.passwords.hash(body.password)
    async with services.settings.changing(origin) as change:
        user = change.company.users.get(str(user_id))
        asked = (body.name, people.normalised(body.email), body.role)
        if user is not None and (user.name, user.email, user.role) != asked:
            raise IdempotencyKeyReused
        if user is None:
            fact = people.add(change.company, str(user_id), body.model_dump(exclude={"password"}))
            user = await change.add_user(fact, password_hash)
    return _answer(user, change.feed, response)


@router.get("/users/{user_id}", summary="Read a user", responses=READING | problems(404))
async def read_user(user_id: UUID, reading: ReadingOf, response: Response) -> PersonAnswer:
    user = people.find(reading.caller.company, str(user_id))
    return _answer(user, reading.feed, response, role=reading.caller.role)


@router.patch("/users/{user_id}", summary="Change a user", responses=_CHANGING)
async def change_user(
    user_id: UUID, body: UserPatchBody, origin: OriginOf, expected: IfMatchOf, services: ServicesOf, response: Response
) -> PersonAnswer:
    """A new role counts from the next request on. A new password ends all access tokens and sockets of the user."""
    password_hash = await services.passwords.hash(body.password) if body.password else None
    async with services.settings.changing(origin) as change:
        user = people.find(change.company, str(user_id), version_in(change.feed.epoch, expected))
        if fact := people.change(change.company, user, body.patch()):
            user = await change.change_user(user, fact)
        if password_hash is not None:
            user = await change.set_password(user, password_hash)
    return _answer(user, change.feed, response)


@router.post("/users/{user_id}/deactivate", summary="End a user's access", responses=_CHANGING)
async def deactivate_user(
    user_id: UUID, origin: OriginOf, expected: IfMatchOf, services: ServicesOf, response: Response
) -> PersonAnswer:
    """Access tokens end at once, sockets soon after. Leads stay assigned, but none can be newly assigned."""
    async with services.settings.changing(origin) as change:
        user = people.find(change.company, str(user_id), version_in(change.feed.epoch, expected))
        if fact := people.deactivate(change.company, user):
            user = await change.change_user(user, fact)
    return _answer(user, change.feed, response)


@router.post("/users/{user_id}/reactivate", summary="Let a user in again", responses=_WITHOUT_RULES)
async def reactivate_user(
    user_id: UUID, origin: OriginOf, expected: IfMatchOf, services: ServicesOf, response: Response
) -> PersonAnswer:
    async with services.settings.changing(origin) as change:
        user = people.find(change.company, str(user_id), version_in(change.feed.epoch, expected))
        if fact := people.reactivate(user):
            user = await change.change_user(user, fact)
    return _answer(user, change.feed, response)


def _answer(user: User, feed: Feed, response: Response, *, role: Role = "admin") -> PersonAnswer:
    response.headers["ETag"] = version_etag(user.version, feed.epoch)
    return PersonAnswer(data=_person(user, role), meta=Meta.of(feed))


def _person(user: User, role: Role) -> Person:
    return Person(
        id=user.id,
        name=user.name,
        role=user.role,
        active=user.active,
        version=user.version,
        email=user.email if may(role, "see_emails") else None,
    )
