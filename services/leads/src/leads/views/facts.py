"""Facts as they are in the log: a company's feed, a lead's history, a lead as it was."""

from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.envelope import Envelope
from contracts.events import LeadDeleted, LeadEvent, LeadSummary
from leads.store.facts import COLUMNS, OF_LEADS, Recorded

Moment: TypeAlias = int | datetime
"""A version of a lead, or a time."""

_CHANGES: Final = text(f"""
SELECT {COLUMNS} FROM events AS e
WHERE e.company_id = :company_id AND e.feed_position > :after ORDER BY e.feed_position LIMIT :limit
""")  # noqa: S608 - a constant
# Also of the leads that it took in, and that those took in.
_HISTORY: Final = text(f"""
WITH RECURSIVE family AS (
    SELECT CAST(:lead_id AS uuid) AS id
    UNION
    SELECT m.merged_id FROM merged_leads AS m JOIN family ON m.survivor_id = family.id
    WHERE m.company_id = :company_id
)
SELECT {COLUMNS} FROM events AS e
WHERE e.company_id = :company_id AND e.stream_id = ANY (ARRAY(SELECT id FROM family))
    AND e.feed_position > :after AND {OF_LEADS}
ORDER BY e.feed_position LIMIT :limit
""")  # noqa: S608 - a constant
_AT_VERSION: Final = text(f"""
SELECT {COLUMNS} FROM events AS e
WHERE e.company_id = :company_id AND e.stream_id = :lead_id AND {OF_LEADS}
    AND e.stream_version = :moment
""")  # noqa: S608 - a constant
_AT_TIME: Final = text(f"""
SELECT {COLUMNS} FROM events AS e
WHERE e.company_id = :company_id AND e.stream_id = :lead_id AND {OF_LEADS}
    AND e.recorded_at <= :moment
ORDER BY e.stream_version DESC LIMIT 1
""")  # noqa: S608 - a constant


async def changes(session: AsyncSession, company_id: UUID, *, after: int, limit: int) -> list[Envelope]:
    return await _facts(session, _CHANGES, company_id=company_id, after=after, limit=limit)


async def history(session: AsyncSession, company_id: UUID, lead_id: UUID, *, after: int, limit: int) -> list[Envelope]:
    """Return facts of a lead and of all that were merged into it, in feed order."""
    return await _facts(session, _HISTORY, company_id=company_id, lead_id=lead_id, after=after, limit=limit)


async def fact_at(session: AsyncSession, company_id: UUID, lead_id: UUID, moment: Moment) -> Envelope | None:
    """Return what made the lead what it was at a moment; None before its first fact and behind its last version."""
    statement = _AT_TIME if isinstance(moment, datetime) else _AT_VERSION
    facts = await _facts(session, statement, company_id=company_id, lead_id=lead_id, moment=moment)
    return facts[0] if facts else None


async def lead_at(session: AsyncSession, company_id: UUID, lead_id: UUID, moment: Moment) -> LeadSummary | None:
    """Return a lead as it was; None before its first fact, at a version it never had, and while it was deleted."""
    envelope = await fact_at(session, company_id, lead_id, moment)
    fact = None if envelope is None else envelope.fact()
    return fact.lead if isinstance(fact, LeadEvent) and not isinstance(fact, LeadDeleted) else None


async def _facts(session: AsyncSession, statement: TextClause, **parameters: object) -> list[Envelope]:
    rows = await (await session.connection()).execute(statement, parameters)
    return [Recorded(*row).envelope() for row in rows]
