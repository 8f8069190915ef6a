"""What a company's feed has in common with earlier epochs of the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

_SHARED: Final = text("""
SELECT id,
    (SELECT min(position) FROM epoch_forks AS f WHERE f.company_id = :company_id AND f.number > epochs.number),
    (SELECT position FROM epoch_forks AS f WHERE f.company_id = :company_id AND f.number = epochs.number)
FROM epochs ORDER BY number DESC LIMIT :most
""")
_MOST: Final = 20  # epochs; one older than these is treated as one that the log does not know


@dataclass(frozen=True, slots=True)
class Epochs:
    """The last position that the feed of each earlier epoch shares with the present one; None: all of them."""

    shared: Mapping[str, int | None]
    """By epoch; the present one is among them."""
    shared_with_others: int | None
    """With an epoch that the log does not know: it began after what was restored had been saved."""


async def of_company(session: AsyncSession, company_id: UUID) -> Epochs:
    """Return what a company's feed shares with earlier epochs."""
    rows = (await (await session.connection()).execute(_SHARED, {"company_id": company_id, "most": _MOST})).all()
    return Epochs({epoch: shared for epoch, shared, _ in rows}, rows[0][2])
