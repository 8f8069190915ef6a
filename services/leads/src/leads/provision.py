"""Create a company and its users, as `python -m leads provision` reads them. Again is the same as once."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Final, Literal, TypeVar
from uuid import UUID, uuid5

import psycopg
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from psycopg.types.json import Jsonb
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from contracts.events import Stage
from leads.domain.catalogue import MOST_FIELDS, MOST_SOURCES, checked
from leads.domain.company import DEFAULT_PIPELINE, CustomField, SettingsRefusal, Source
from leads.domain.money import currency
from leads.domain.people import EmailTaken
from leads.domain.phone import region
from leads.domain.pipeline import valid
from leads.domain.refusals import InvalidValue
from leads.domain.text import EMAIL, EMAIL_LENGTH
from runtime import postgres

T = TypeVar("T")
_TEXT = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

ENTER: Final = "SELECT set_config('app.company', %(company_id)s, true)"
# What the company has settled since is not overruled; what is missing is filled in.
COMPANY: Final = """
INSERT INTO companies AS c (company_id, name, region, currency)
VALUES (%(company_id)s, %(name)s, %(region)s, %(currency)s)
ON CONFLICT (company_id) DO UPDATE SET
    name = excluded.name,
    region = coalesce(c.region, excluded.region),
    currency = coalesce(c.currency, excluded.currency)
"""
# The lock: nobody decides by the settings of before.
FEED: Final = """
INSERT INTO feeds AS f (company_id) VALUES (%(company_id)s)
ON CONFLICT (company_id) DO UPDATE SET settings_version = f.settings_version + 1
"""
PIPELINE: Final = """
INSERT INTO pipelines (company_id, stages, version) VALUES (%(company_id)s, %(stages)s, 0) ON CONFLICT DO NOTHING
"""
SOURCE: Final = """
INSERT INTO sources (company_id, key, name, active) VALUES (%(company_id)s, %(key)s, %(name)s, %(active)s)
ON CONFLICT DO NOTHING
"""
CUSTOM_FIELD: Final = """
INSERT INTO custom_fields (company_id, key, label, kind, choices, required, active, position)
VALUES (%(company_id)s, %(key)s, %(label)s, %(kind)s, %(choices)s, %(required)s, %(active)s, %(position)s)
ON CONFLICT DO NOTHING
"""
KNOWN: Final = "SELECT id, password_hash FROM users WHERE company_id = %(company_id)s AND email = %(email)s"
USER: Final = """
INSERT INTO users AS u (company_id, id, email, name, role, password_hash)
VALUES (%(company_id)s, %(id)s, %(email)s, %(name)s, %(role)s, %(password_hash)s)
ON CONFLICT (company_id, id) DO UPDATE SET
    name = excluded.name, role = excluded.role, password_hash = excluded.password_hash,
    tokens_since = CASE WHEN u.password_hash = excluded.password_hash THEN u.tokens_since ELSE now() END
"""


def _held_to(rule: Callable[[T], T]) -> AfterValidator:
    def validate(value: T) -> T:
        try:
            return rule(value)
        except (InvalidValue, SettingsRefusal) as refusal:
            raise ValueError(refusal.code) from None

    return AfterValidator(validate)


# Named out here: in a class, a field's annotation is evaluated when its default already has the field's name.
Region = Annotated[str, _held_to(region)]
Currency = Annotated[str, _held_to(currency)]


class CompanySpec(BaseModel):
    """A company that shall exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID
    name: _TEXT
    region: Region | None = None
    """ISO 3166: of phone numbers without a country code."""
    currency: Currency | None = None
    """ISO 4217: of values without one."""
    pipeline: Annotated[tuple[Stage, ...], _held_to(valid)] = DEFAULT_PIPELINE.stages
    """What a new company starts with."""
    sources: tuple[Source, ...] = Field(default=(), max_length=MOST_SOURCES)
    custom_fields: tuple[Annotated[CustomField, _held_to(checked)], ...] = Field(default=(), max_length=MOST_FIELDS)


class UserSpec(BaseModel):
    """Somebody who shall be able to log in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: Annotated[
        str,
        StringConstraints(strip_whitespace=True, to_lower=True, max_length=EMAIL_LENGTH, pattern=f"^{EMAIL}$"),
    ]
    name: _TEXT
    role: Literal["viewer", "agent", "manager", "admin"]
    password: str = Field(min_length=8, max_length=200, repr=False)


class Spec(BaseModel):
    """What `provision` reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    company: CompanySpec
    users: list[UserSpec]


class ProvisionedUser(BaseModel):
    """A user and the id it has."""

    id: UUID
    email: str
    name: str
    role: str


class ProvisionedCompany(BaseModel):
    """A company that exists."""

    id: UUID
    name: str


class Provisioned(BaseModel):
    """What `provision` prints."""

    company: ProvisionedCompany
    users: list[ProvisionedUser]


def provision(database_url: str, spec: Spec, hasher: PasswordHasher) -> Provisioned:
    """Create what is missing and bring names, roles and passwords to what the specification says, all or nothing.

    Settings are what a company starts with: those that it has already stay.

    Raises:
        EmailTaken: nothing was changed.
        psycopg.Error: the database refuses, or is away.
    """
    company_id = spec.company.id
    try:
        with postgres.connect_blocking(
            database_url,
            application_name="leads-provision",
            options=postgres.server_options(statement_timeout="10s"),
            patience=12.0,
            autocommit=False,
        ) as connection:
            connection.execute(ENTER, {"company_id": str(company_id)})
            _provision_company(connection, spec.company)
            users = [_provision_user(connection, company_id, user, hasher) for user in spec.users]
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != "users_email_key":
            raise
        raise EmailTaken from None
    return Provisioned(company=ProvisionedCompany(id=company_id, name=spec.company.name), users=users)


def _provision_company(connection: psycopg.Connection, company: CompanySpec) -> None:
    key = {"company_id": company.id}
    connection.execute(COMPANY, key | company.model_dump(include={"name", "region", "currency"}))
    connection.execute(FEED, key)
    connection.execute(PIPELINE, key | {"stages": Jsonb([asdict(stage) for stage in company.pipeline])})
    for source in company.sources:
        connection.execute(SOURCE, key | asdict(source))
    for field in company.custom_fields:
        connection.execute(CUSTOM_FIELD, key | asdict(field) | {"choices": list(field.choices)})


def _provision_user(
    connection: psycopg.Connection, company_id: UUID, user: UserSpec, hasher: PasswordHasher
) -> ProvisionedUser:
    known = connection.execute(KNOWN, {"company_id": company_id, "email": user.email}).fetchone()
    user_id, kept_hash = known or (uuid5(company_id, user.email), None)
    described = ProvisionedUser(id=user_id, email=user.email, name=user.name, role=user.role)
    password_hash = (
        kept_hash if kept_hash and _matches(hasher, kept_hash, user.password) else hasher.hash(user.password)
    )
    connection.execute(USER, {**described.model_dump(), "company_id": company_id, "password_hash": password_hash})
    return described


def _matches(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except VerifyMismatchError:
        return False
