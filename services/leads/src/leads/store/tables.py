"""The tables as this service reads them. The migrations own their definition; columns nobody reads are left out."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from contracts.events import LeadSummary
from leads.domain.saved_views import SavedView

_TIME = DateTime(timezone=True)


class FeedRow(SQLModel, table=True):
    """How far a company's feed has come."""

    __tablename__: ClassVar[str] = "feeds"

    company_id: UUID = Field(primary_key=True)
    position: int
    settings_version: int
    clock: datetime


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
    title: str | None
    source: str | None
    status: str
    status_since: datetime | None = Field(sa_type=_TIME)
    lost_reason: str | None
    assigned_to: UUID | None
    value: Decimal | None
    currency: str | None
    score: int | None
    tags: list[str] = Field(sa_type=ARRAY(Text))
    custom: dict[str, Any] = Field(sa_type=JSONB)
    messages: int
    contact_id: UUID | None
    deal_id: UUID | None
    converted_at: datetime | None = Field(sa_type=_TIME)
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)
    version: int
    name_key: str | None

    def summary(self) -> LeadSummary:
        return LeadSummary(
            id=str(self.id),
            name=self.name,
            email=self.email,
            phone=self.phone,
            organisation=self.organisation,
            title=self.title,
            source=self.source,
            status=self.status,
            status_since=self.status_since,
            lost_reason=self.lost_reason,
            assigned_to=_text(self.assigned_to),
            value=_text(self.value),
            currency=self.currency,
            score=self.score,
            tags=tuple(self.tags),
            custom={key: tuple(value) if isinstance(value, list) else value for key, value in self.custom.items()},
            messages=self.messages,
            contact_id=_text(self.contact_id),
            deal_id=_text(self.deal_id),
            converted_at=self.converted_at,
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )


class DeletedLeadRow(SQLModel, table=True):
    """A lead that was deleted, or merged into another one."""

    __tablename__: ClassVar[str] = "deleted_leads"

    company_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    lead: dict[str, Any] = Field(sa_type=JSONB)
    deleted_at: datetime = Field(sa_type=_TIME)
    deleted_by: UUID | None
    merged_into: UUID | None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
