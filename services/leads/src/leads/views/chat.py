"""The chats on leads, and the leads that were deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.events import LeadSummary, Message
from leads.store.tables import DeletedLeadRow, MessageRow
from leads.views.listing import Mark

_SUMMARY: Final = TypeAdapter(LeadSummary)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedLead:
    """A lead that is gone, as it was last."""

    lead: LeadSummary
    deleted_at: datetime
    deleted_by: str | None
    """A user's id."""
    merged_into: str | None
    """The lead that took it in."""


async def messages(
    session: AsyncSession, company_id: UUID, lead_id: UUID, *, after: int, limit: int
) -> Sequence[tuple[int, Message]]:
    """Return messages with the positions at which they were posted, oldest first."""
    query = (
        select(MessageRow)
        .where(MessageRow.company_id == company_id, MessageRow.lead_id == lead_id, MessageRow.feed_position > after)
        .order_by(col(MessageRow.feed_position))
        .limit(limit)
    )
    return [(row.feed_position, row.message()) for row in await session.exec(query)]


async def deleted(session: AsyncSession, company_id: UUID, *, after: Mark | None, limit: int) -> Sequence[DeletedLead]:
    """Return deleted leads, the last one deleted first."""
    at, by_id = col(DeletedLeadRow.deleted_at), col(DeletedLeadRow.id)
    query = select(DeletedLeadRow).where(DeletedLeadRow.company_id == company_id)
    if after is not None:
        query = query.where(tuple_(at, by_id) < (after.value, after.id))
    rows = await session.exec(query.order_by(at.desc(), by_id.desc()).limit(limit))
    return [
        DeletedLead(
            lead=_SUMMARY.validate_python(row.lead),
            deleted_at=row.deleted_at,
            deleted_by=str(row.deleted_by) if row.deleted_by else None,
            merged_into=str(row.merged_into) if row.merged_into else None,
        )
        for row in rows
    ]
