"""Pages of leads: a query of `leads.domain.listing` as SQL, from below a mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, assert_never
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from contracts.events import LeadSummary
from leads.domain.listing import (
    SORTS,
    AtLeast,
    AtMost,
    Before,
    Condition,
    Converted,
    CustomHas,
    LeadQuery,
    NameStarts,
    OneOf,
    SameText,
)
from leads.domain.search import Wanted
from leads.store.tables import LeadRow

_IDS: Final = frozenset({"assigned_to", "contact_id", "deal_id"})
IDS: Final = (col(LeadRow.id), col(LeadRow.created_at))
_BEHIND_EVERYTHING: Final = "\U0010ffff"
_NEVER_EMPTY: Final = frozenset({"created_at", "updated_at", "name_key"})


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page ended: the last lead shown, and its value of what the list is sorted by."""

    value: str | int | Decimal | datetime | None
    id: UUID


@dataclass(frozen=True, slots=True)
class LeadList:
    """Some leads, and where the next page begins; None after the last one."""

    leads: Sequence[LeadSummary]
    end: Mark | None


async def page(
    session: AsyncSession, company_id: UUID, query: LeadQuery, *, after: Mark | None, limit: int
) -> LeadList:
    rows = (await session.exec(statement(company_id, query, after=after, limit=limit + 1))).all()
    shown = rows[:limit]
    end = Mark(getattr(shown[-1], SORTS[query.sort]), shown[-1].id) if len(rows) > limit else None
    return LeadList([row.summary() for row in shown], end)


async def count(session: AsyncSession, company_id: UUID, query: LeadQuery, *, at_most: int) -> int:
    """Return how many leads a query means, counted up to a number."""
    found = statement(company_id, query, after=None, limit=at_most).with_only_columns(IDS[0]).order_by(None)
    counted = select(func.count()).select_from(found.subquery())
    return int((await session.exec(counted)).one())


def statement(company_id: UUID, query: LeadQuery, *, after: Mark | None, limit: int) -> SelectOfScalar[LeadRow]:
    """Return the one statement of a page."""
    found = select(LeadRow).where(LeadRow.company_id == company_id, *map(_holds, query.conditions))
    if query.wanted is not None:
        found = found.where(col(LeadRow.id).in_(_matching(query, query.wanted, after, limit)))
    if after is not None:
        found = found.where(_behind(query, after))
    column = _column(SORTS[query.sort])
    order = column.desc() if query.is_descending else column.asc()
    by_id = col(LeadRow.id).desc() if query.is_descending else col(LeadRow.id).asc()
    if SORTS[query.sort] not in _NEVER_EMPTY:
        order = order.nulls_last()
    return found.order_by(order, by_id).limit(limit)


def _matching(query: LeadQuery, wanted: Wanted, after: Mark | None, limit: int) -> Any:  # noqa: ANN401 - a subquery
    """Return the ids that match words and tags: only those of the page where nothing else chooses or sorts them."""
    is_all = query.sort == "newest" and query.is_descending and not query.conditions
    start = after if is_all else None
    ids = func.matching_leads(
        wanted.whole,
        wanted.beginning,
        start.value if start else None,
        start.id if start else None,
        limit if is_all else None,
    ).table_valued("lead_id")
    return select(ids.c.lead_id)


def _behind(query: LeadQuery, after: Mark) -> ColumnElement[bool]:
    """Return what is true below a mark; leads without the value come last in either direction."""
    name = SORTS[query.sort]
    column, by_id = _column(name), col(LeadRow.id)
    later_id = by_id < after.id if query.is_descending else by_id > after.id
    if after.value is None:
        return and_(column.is_(None), later_id)
    here, mark = tuple_(column, by_id), (after.value, after.id)
    later = here < mark if query.is_descending else here > mark
    return later if name in _NEVER_EMPTY else or_(later, column.is_(None))


def _column(name: str) -> Any:  # noqa: ANN401 - a column of any type
    return getattr(LeadRow, name)


def _holds(condition: Condition) -> ColumnElement[bool]:  # noqa: PLR0911 - one a kind
    match condition:
        case OneOf(field, values):
            return _one_of(field, values)
        case SameText(field, values):
            return func.lower(_column(field)).in_(values)
        case NameStarts(prefixes):
            key = _column("name_key")
            return or_(*(and_(key >= prefix, key < prefix + _BEHIND_EVERYTHING) for prefix in prefixes))
        case AtLeast(field, limit):
            return _flag(_column(field) >= limit)
        case AtMost(field, limit):
            return _flag(_column(field) <= limit)
        case Before(field, limit):
            return _flag(_column(field) < limit)
        case Converted(is_converted):
            column = _column("converted_at")
            return _flag(column.is_not(None) if is_converted else column.is_(None))
        case CustomHas(key, values):
            return or_(*(_column("custom").op("@>")(bindparam(None, {key: value}, JSONB)) for value in values))
        case _:
            assert_never(condition)


def _one_of(field: str, values: Sequence[str | None]) -> ColumnElement[bool]:
    column = _column(field)
    given = [UUID(value) if field in _IDS else value for value in values if value is not None]
    choices: list[ColumnElement[bool]] = [column.in_(given) if len(given) > 1 else column == given[0]] if given else []
    if None in values:
        choices.append(column.is_(None))
    return or_(*choices)


def _flag(condition: Any) -> ColumnElement[bool]:  # noqa: ANN401 - SQLAlchemy does not know what columns compare to
    flag: ColumnElement[bool] = condition
    return flag
