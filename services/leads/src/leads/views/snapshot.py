"""What every read gives: data, and the feed row of the same moment."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sqlalchemy import Text, literal_column
from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leads.command import Feed
from leads.store.feed import EPOCH, UnknownCompany
from leads.store.tables import FeedRow

T = TypeVar("T")

_FEED: Final = select(
    FeedRow.position, FeedRow.settings_version, literal_column(EPOCH, Text), func.feed_clock(FeedRow.clock)
)


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[T]):
    """Something read, and the company's feed row that it reflects."""

    data: T
    feed: Feed

    @property
    def position(self) -> int:
        return self.feed.position


async def of_now(session: AsyncSession, data: T) -> Snapshot[T]:
    """Return data with the feed row of the session's snapshot.

    Raises:
        UnknownCompany: there is none.
    """
    row = (await session.exec(_FEED)).one_or_none()
    if row is None:
        raise UnknownCompany
    return Snapshot(data, Feed(*row))
