"""The chats on leads, and the leads that were deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.events import LeadSummary, Message
from leads.store.tables import DeletedLeadRow
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


# Also of the leads that it took in.
_MESSAGES: Final = text("""
SELECT m.id, m.author, m.body, m.mentions, m.posted_at, m.edited_at, m.feed_position
FROM lead_messages AS m
WHERE m.company_id = :company_id AND m.feed_position > :after AND m.lead_id = ANY (
    SELECT CAST(:lead_id AS uuid)
    UNION ALL
    SELECT l.merged_id FROM merged_leads AS l WHERE l.company_id = :company_id AND l.survivor_id = :lead_id
)
ORDER BY m.feed_position LIMIT :limit
""")


async def messages(
    session: AsyncSession, company_id: UUID, lead_id: UUID, *, after: int, limit: int
) -> Sequence[tuple[int, Message]]:
    """Return messages with the positions at which they were posted, oldest first."""
    parameters = {"company_id": company_id, "lead_id": lead_id, "after": after, "limit": limit}
    rows = await (await session.connection()).execute(_MESSAGES, parameters)
    return [
        (
            row.feed_position,
            Message(
                id=str(row.id),
                author=str(row.author),
                body=row.body,
                mentions=tuple(map(str, row.mentions)),
                posted_at=row.posted_at,
                edited_at=row.edited_at,
            ),
        )
        for row in rows
    ]


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
