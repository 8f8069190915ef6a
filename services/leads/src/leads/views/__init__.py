"""What can be asked: each answer is read in one snapshot and says which feed position it reflects."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events import LeadSummary, Message
from leads.domain import figures
from leads.domain.counters import Key
from leads.domain.listing import LeadQuery
from leads.store.database import Database
from leads.store.tables import DeletedLeadRow, LeadRow
from leads.views import chat, counting, epochs, facts, listing
from leads.views.chat import DeletedLead
from leads.views.epochs import Epochs
from leads.views.facts import Moment
from leads.views.listing import LeadList, Mark
from leads.views.snapshot import Snapshot, of_now

__all__ = ["DeletedLead", "Epochs", "LeadList", "Mark", "Moment", "Snapshot", "Views"]


class Views:
    """Reads, one company at a time.

    Raises:
        UnknownCompany: from every method, when the company was never provisioned.
        DatabaseAway: from every method.
        QueryTooSlow: from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lead(self, company_id: UUID, lead_id: UUID) -> Snapshot[LeadSummary | None]:
        async with self._database.reading(company_id) as session:
            row = await session.get(LeadRow, (company_id, lead_id))
            return await of_now(session, row.summary() if row else None)

    async def merged_into(self, company_id: UUID, lead_id: UUID) -> str | None:
        """Return the lead that took in another one; None when none did."""
        async with self._database.reading(company_id) as session:
            row = await session.get(DeletedLeadRow, (company_id, lead_id))
            return str(row.merged_into) if row and row.merged_into else None

    async def leads(self, company_id: UUID, query: LeadQuery, *, after: Mark | None, limit: int) -> Snapshot[LeadList]:
        """Return leads from below a mark."""
        async with self._database.reading(company_id) as session:
            return await of_now(session, await listing.page(session, company_id, query, after=after, limit=limit))

    async def lead_ids(
        self, company_id: UUID, query: LeadQuery, *, after: Mark | None, limit: int
    ) -> Sequence[tuple[UUID, datetime]]:
        """Return ids of leads from below a mark, with when each was created; the query sorts by that."""
        async with self._database.reading(company_id) as session:
            found = listing.statement(company_id, query, after=after, limit=limit)
            rows = await (await session.connection()).execute(found.with_only_columns(*listing.IDS))
            return [(row.id, row.created_at) for row in rows]

    async def count(self, company_id: UUID, query: LeadQuery, *, at_most: int) -> Snapshot[int]:
        """Return how many leads a query means, counted up to a number."""
        async with self._database.reading(company_id) as session:
            return await of_now(session, await listing.count(session, company_id, query, at_most=at_most))

    async def deleted(self, company_id: UUID, *, after: Mark | None, limit: int) -> Snapshot[Sequence[DeletedLead]]:
        """Return deleted leads, the last one deleted first."""
        async with self._database.reading(company_id) as session:
            return await of_now(session, await chat.deleted(session, company_id, after=after, limit=limit))

    async def messages(
        self, company_id: UUID, lead_id: UUID, *, after: int, limit: int
    ) -> Snapshot[Sequence[tuple[int, Message]] | None]:
        """Return a lead's messages behind a feed position, oldest first, each with its own.

        Returns:
            None when there is no such lead.
        """
        async with self._database.reading(company_id) as session:
            if await session.get(LeadRow, (company_id, lead_id)) is None:
                return await of_now(session, None)
            found = await chat.messages(session, company_id, lead_id, after=after, limit=limit)
            return await of_now(session, found)

    async def history(
        self, company_id: UUID, lead_id: UUID, *, after: int, limit: int
    ) -> Snapshot[Sequence[Envelope] | None]:
        """Return what happened to a lead, and to those it took in, behind a feed position.

        Returns:
            None when there never was such a lead.
        """
        async with self._database.reading(company_id) as session:
            found = await facts.history(session, company_id, lead_id, after=after, limit=limit)
            if not found and await facts.fact_at(session, company_id, lead_id, 1) is None:
                return await of_now(session, None)
            return await of_now(session, found)

    async def lead_as_of(self, company_id: UUID, lead_id: UUID, moment: Moment) -> Snapshot[LeadSummary | None]:
        """Return a lead as it was; None at a moment when it was not there."""
        async with self._database.reading(company_id) as session:
            return await of_now(session, await facts.lead_at(session, company_id, lead_id, moment))

    async def lead_twice(
        self, company_id: UUID, lead_id: UUID, start: Moment, end: Moment
    ) -> Snapshot[tuple[LeadSummary | None, LeadSummary | None]]:
        """Return a lead as it was at two moments."""
        async with self._database.reading(company_id) as session:
            before = await facts.lead_at(session, company_id, lead_id, start)
            after = await facts.lead_at(session, company_id, lead_id, end)
            return await of_now(session, (before, after))

    async def changes(self, company_id: UUID, *, after: int, limit: int) -> Snapshot[list[Envelope]]:
        """Return the company's facts after a position, in order; `position` is how far the feed has come."""
        async with self._database.reading(company_id) as session:
            return await of_now(session, await facts.changes(session, company_id, after=after, limit=limit))

    async def changes_and_epochs(
        self, company_id: UUID, *, after: int, limit: int
    ) -> tuple[Snapshot[list[Envelope]], Epochs]:
        """Return the same, and what the feed has in common with earlier epochs of the log."""
        async with self._database.reading(company_id) as session:
            found = await of_now(session, await facts.changes(session, company_id, after=after, limit=limit))
            return found, await epochs.of_company(session, company_id)

    async def counters(self, company_id: UUID) -> Snapshot[Mapping[Key, int]]:
        """Return what `leads.domain.figures` makes figures of at the time of the snapshot."""
        async with self._database.reading(company_id) as session:
            now = (await of_now(session, None)).feed
            periods = [*figures.months(now.at), *figures.days(now.at)]
            return Snapshot(await counting.found(session, company_id, periods), now)
