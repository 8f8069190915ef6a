"""The tables as this service reads them. The migrations own their definition; columns nobody reads are left out."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from contracts.events import LeadSummary
from leads.domain.saved_views import SavedView

_TIME = DateTime(timezone=True)


class CompanyRow(SQLModel, table=True):
    """A tenant."""

    __tablename__: ClassVar[str] = "companies"

    company_id: UUID = Field(primary_key=True)
    name: str


class UserRow(SQLModel, table=True):
    """Who may log in. The password's hash is not readable here."""

    __tablename__: ClassVar[str] = "users"

    company_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    email: str
    name: str
    role: str


class FeedRow(SQLModel, table=True):
    """How far a company's feed has come."""

    __tablename__: ClassVar[str] = "feeds"

    company_id: UUID = Field(primary_key=True)
    position: int


class SourceRow(SQLModel, table=True):
    """Where leads come from."""

    __tablename__: ClassVar[str] = "sources"

    company_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True)
    name: str
    active: bool


class CustomFieldRow(SQLModel, table=True):
    """A field that a company's leads have besides those of every lead."""

    __tablename__: ClassVar[str] = "custom_fields"

    company_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True)
    label: str
    kind: str
    choices: list[str] = Field(sa_type=ARRAY(Text))
    required: bool
    active: bool
    position: int


class SavedViewRow(SQLModel, table=True):
    """A list of leads under a name."""

    __tablename__: ClassVar[str] = "saved_views"

    company_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    owner: UUID
    name: str
    query: dict[str, Any] = Field(sa_type=JSONB)
    shared: bool
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)

    def view(self) -> SavedView:
        return SavedView(
            id=str(self.id),
            owner=str(self.owner),
            name=self.name,
            query=self.query,
            shared=self.shared,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class LeadRow(SQLModel, table=True):
    """A lead as it is now."""

    __tablename__: ClassVar[str] = "leads"

    company_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    email: str | None
    phone: str | None
    organisation: str | None
    source: str | None
    status: str
    assigned_to: UUID | None
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)
    version: int

    def summary(self) -> LeadSummary:
        return LeadSummary(
            id=str(self.id),
            name=self.name,
            email=self.email,
            phone=self.phone,
            organisation=self.organisation,
            source=self.source,
            status=self.status,
            assigned_to=str(self.assigned_to) if self.assigned_to else None,
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )
