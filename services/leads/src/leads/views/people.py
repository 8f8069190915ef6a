"""Who is who in a company."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leads.store.tables import CompanyRow, UserRow


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


async def everybody(session: AsyncSession, company_id: UUID) -> list[Person]:
    query = select(UserRow).where(UserRow.company_id == company_id).order_by(col(UserRow.name), col(UserRow.id))
    return [Person(str(row.id), row.name, row.role) for row in await session.exec(query)]


async def account(session: AsyncSession, company_id: UUID, user_id: UUID) -> Account | None:
    user = await session.get(UserRow, (company_id, user_id))
    company = await session.get(CompanyRow, company_id)
    if user is None or company is None:
        return None
    return Account(
        id=str(user.id),
        name=user.name,
        email=user.email,
        role=user.role,
        company_id=str(company_id),
        company_name=company.name,
    )


async def names(session: AsyncSession, company_id: UUID, ids: Iterable[str]) -> dict[str, str]:
    wanted: Sequence[UUID] = [UUID(user_id) for user_id in ids]
    query = select(UserRow.id, UserRow.name).where(UserRow.company_id == company_id, col(UserRow.id).in_(wanted))
    return {str(user_id): name for user_id, name in (await session.exec(query)).all()}
