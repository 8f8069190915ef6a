"""A company's counters, read as they are added up."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from leads.domain import counters
from leads.domain.counters import Key

# Every month and day that ever was has a counter: of those, only the ones asked for.
_COUNTERS: Final = text("""
SELECT dimension, key, count FROM counters
WHERE company_id = :company_id AND (dimension NOT IN (:month, :day) OR key = ANY (:periods))
""")


async def found(session: AsyncSession, company_id: UUID, periods: Sequence[str]) -> dict[Key, int]:
    """Return the counters; of months and days only some."""
    parameters = {"company_id": company_id, "month": counters.MONTH, "day": counters.DAY, "periods": list(periods)}
    rows = await (await session.connection()).execute(_COUNTERS, parameters)
    return {(dimension, key): count for dimension, key, count in rows}
