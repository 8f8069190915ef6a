"""Create a company and its users, as `python -m leads provision` reads them. Again is the same as once."""

from dataclasses import asdict
from typing import Annotated, Final, Literal
from uuid import UUID, uuid5

import psycopg
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from leads.domain.company import DEFAULT_PIPELINE

_TEXT = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

ENTER: Final = "SELECT set_config('app.company', %(company_id)s, true)"
COMPANY: Final = """
INSERT INTO companies (company_id, name) VALUES (%(company_id)s, %(name)s)
ON CONFLICT (company_id) DO UPDATE SET name = excluded.name
"""
_STAGES: Final = [asdict(stage) for stage in DEFAULT_PIPELINE.stages]
FEED: Final = "INSERT INTO feeds (company_id) VALUES (%(company_id)s) ON CONFLICT DO NOTHING"
PIPELINE: Final = """
INSERT INTO pipelines (company_id, stages, version) VALUES (%(company_id)s, %(stages)s, 0) ON CONFLICT DO NOTHING
"""
KNOWN: Final = "SELECT id, password_hash FROM users WHERE company_id = %(company_id)s AND email = %(email)s"
USER: Final = """
INSERT INTO users (company_id, id, email, name, role, password_hash)
VALUES (%(company_id)s, %(id)s, %(email)s, %(name)s, %(role)s, %(password_hash)s)
ON CONFLICT (company_id, id) DO UPDATE SET
    name = excluded.name, role = excluded.role, password_hash = excluded.password_hash
"""


class EmailTaken(Exception):
    """An e-mail address already belongs to somebody of another company."""


class CompanySpec(BaseModel):
    """A company that shall exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID
    name: _TEXT


class UserSpec(BaseModel):
    """Somebody who shall be able to log in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^@\s]+@[^@\s]+$")]
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


class Provisioned(BaseModel):
    """What `provision` prints."""

    company: CompanySpec
    users: list[ProvisionedUser]


def provision(database_url: str, spec: Spec, hasher: PasswordHasher) -> Provisioned:
    """Create what is missing and bring names, roles and passwords to what the specification says, all or nothing.

    Raises:
        EmailTaken: nothing was changed.
        psycopg.Error: the database refuses, or is away.
    """
    company_id = spec.company.id
    try:
        with psycopg.connect(database_url) as connection:
            connection.execute(ENTER, {"company_id": str(company_id)})
            connection.execute(COMPANY, {"company_id": company_id, "name": spec.company.name})
            connection.execute(FEED, {"company_id": company_id})
            connection.execute(PIPELINE, {"company_id": company_id, "stages": Jsonb(_STAGES)})
            users = [_provision_user(connection, company_id, user, hasher) for user in spec.users]
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != "users_email_key":
            raise
        raise EmailTaken from None
    return Provisioned(company=spec.company, users=users)


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
