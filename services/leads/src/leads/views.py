"""What can be asked: each answer is read in one snapshot and says which feed position it reflects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import TextClause, text, tuple_
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.envelope import Envelope
from contracts.events import LeadSummary
from contracts.push import Stats
from leads.domain import Status
from leads.store.database import Database
from leads.store.facts import COLUMNS, Recorded
from leads.store.feed import UnknownCompany
from leads.store.tables import CompanyRow, FeedRow, LeadRow, UserRow

T = TypeVar("T")

_HISTORY: Final = text(f"""
SELECT {COLUMNS} FROM events AS e
WHERE e.company_id = :company_id AND e.stream_id = :lead_id ORDER BY e.stream_version
""")  # noqa: S608 - a constant
_CHANGES: Final = text(f"""
SELECT {COLUMNS} FROM events AS e
WHERE e.company_id = :company_id AND e.feed_position > :after ORDER BY e.feed_position LIMIT :limit
""")  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """Something read, and the feed position it reflects."""

    data: T
    position: int


@dataclass(frozen=True, slots=True)
class Person:
    """A user as colleagues see them."""

    id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as they see themselves."""

    id: str
    name: str
    email: str
    role: str
    company_id: str
    company_name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page of the list ended: the last lead shown."""

    created_at: datetime
    id: UUID


class Views:
    """Reads, one company at a time.

    Raises:
        UnknownCompany: from every method, when the company was never provisioned.
        DatabaseAway: from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lead(self, company_id: UUID, lead_id: UUID) -> Snapshot[LeadSummary | None]:
        async with self._database.reading(company_id) as session:
            row = await session.get(LeadRow, (company_id, lead_id))
            return await _at_position(session, row.summary() if row else None)

    async def leads(
        self, company_id: UUID, *, status: Status | None, after: Mark | None, limit: int
    ) -> Snapshot[list[LeadSummary]]:
        """Return leads, newest first, from below a mark."""
        query = select(LeadRow).where(LeadRow.company_id == company_id)
        if status is not None:
            query = query.where(LeadRow.status == status.value)
        if after is not None:
            query = query.where(tuple_(col(LeadRow.created_at), col(LeadRow.id)) < (after.created_at, after.id))
        query = query.order_by(col(LeadRow.created_at).desc(), col(LeadRow.id).desc()).limit(limit)
        async with self._database.reading(company_id) as session:
            return await _at_position(session, [row.summary() for row in await session.exec(query)])

    async def history(self, company_id: UUID, lead_id: UUID) -> Snapshot[tuple[list[Envelope], Mapping[str, str]]]:
        """Return a lead's facts, oldest first, and the names of their actors; none when there never was such a lead."""
        async with self._database.reading(company_id) as session:
            facts = await _facts(session, _HISTORY, company_id=company_id, lead_id=lead_id)
            names = await _names(session, company_id, {fact.actor for fact in facts if fact.actor})
            return await _at_position(session, (facts, names))

    async def changes(self, company_id: UUID, *, after: int, limit: int) -> Snapshot[list[Envelope]]:
        """Return the company's facts after a position, in order; `position` is how far the feed has come."""
        async with self._database.reading(company_id) as session:
            facts = await _facts(session, _CHANGES, company_id=company_id, after=after, limit=limit)
            return await _at_position(session, facts)

    async def stats(self, company_id: UUID, *, now: datetime) -> Snapshot[Stats]:
        """Return the company's figures; `now` says which month is the current one."""
        month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        async with self._database.reading(company_id) as session:
            by_status = await _count_by(session, company_id, LeadRow.status)
            recent = select(func.count()).where(LeadRow.company_id == company_id, LeadRow.created_at >= month)
            total = sum(by_status.values())
            stats = Stats(
                total=total,
                new_this_month=(await session.exec(recent)).one(),
                by_status={status.value: by_status.get(status.value, 0) for status in Status},
                by_source=await _count_by(session, company_id, LeadRow.source),
                by_assignee=await _count_by(session, company_id, LeadRow.assigned_to),
                conversion=by_status.get(Status.WON.value, 0) / total if total else 0.0,
            )
            return await _at_position(session, stats)

    async def people(self, company_id: UUID) -> Snapshot[list[Person]]:
        query = select(UserRow).where(UserRow.company_id == company_id).order_by(col(UserRow.name), col(UserRow.id))
        async with self._database.reading(company_id) as session:
            people = [Person(str(row.id), row.name, row.role) for row in await session.exec(query)]
            return await _at_position(session, people)

    async def has_person(self, company_id: UUID, user_id: UUID) -> bool:
        async with self._database.reading(company_id) as session:
            return await session.get(UserRow, (company_id, user_id)) is not None

    async def account(self, company_id: UUID, user_id: UUID) -> Snapshot[Account | None]:
        async with self._database.reading(company_id) as session:
            user = await session.get(UserRow, (company_id, user_id))
            company = await session.get(CompanyRow, company_id)
            if user is None or company is None:
                return await _at_position(session, None)
            account = Account(
                id=str(user.id),
                name=user.name,
                email=user.email,
                role=user.role,
                company_id=str(company_id),
                company_name=company.name,
            )
            return await _at_position(session, account)


async def _facts(session: AsyncSession, statement: TextClause, **parameters: object) -> list[Envelope]:
    rows = await (await session.connection()).execute(statement, parameters)
    return [Recorded(*row).envelope() for row in rows]


async def _at_position(session: AsyncSession, data: T) -> Snapshot[T]:
    position = (await session.exec(select(FeedRow.position))).one_or_none()
    if position is None:
        raise UnknownCompany
    return Snapshot(data, position)


async def _count_by(session: AsyncSession, company_id: UUID, column: Any) -> dict[str, int]:  # noqa: ANN401 - a column
    query = select(column, func.count()).where(LeadRow.company_id == company_id, column.is_not(None)).group_by(column)
    return {str(value): count for value, count in (await session.exec(query)).all()}


async def _names(session: AsyncSession, company_id: UUID, ids: Iterable[str]) -> dict[str, str]:
    wanted: Sequence[UUID] = [UUID(user_id) for user_id in ids]
    query = select(UserRow.id, UserRow.name).where(UserRow.company_id == company_id, col(UserRow.id).in_(wanted))
    return {str(user_id): name for user_id, name in (await session.exec(query)).all()}
