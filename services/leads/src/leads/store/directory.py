"""Companies' settings, kept in memory for as long as the feed's row says that they are the current ones."""

from collections import OrderedDict
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import CursorResult, Row, TextClause, text
from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.events import Pipeline, Stage
from leads.command import Feed
from leads.domain.company import Company, CustomField, Source, User
from leads.store.database import Database
from leads.store.feed import EPOCH, UnknownCompany
from runtime.coalescing import Coalesced

KEPT: Final = 10_000  # companies; the one asked for least recently goes first

FEED: Final = text(f"""
SELECT position, settings_version, {EPOCH} AS epoch, feed_clock(clock) AS at FROM feeds WHERE company_id = :company_id
""")  # noqa: S608 - a constant
COMPANY: Final = text("""
SELECT c.name, c.region, c.currency, p.stages, p.version, f.settings_version
FROM companies AS c JOIN pipelines AS p USING (company_id) JOIN feeds AS f USING (company_id)
WHERE c.company_id = :company_id
""")
USERS: Final = text("""
SELECT id::text AS id, name, role, email, active, tokens_since, version FROM users
WHERE company_id = :company_id ORDER BY name, id
""")
SOURCES: Final = text("SELECT key, name, active FROM sources WHERE company_id = :company_id ORDER BY key")
FIELDS: Final = text("""
SELECT key, label, kind, choices, required, active, position FROM custom_fields
WHERE company_id = :company_id ORDER BY position, key
""")
_STAGES: Final = TypeAdapter(tuple[Stage, ...])


class Directory:
    """The settings of companies, one process' copy.

    Raises:
        UnknownCompany: from every method, when the company was never provisioned.
        DatabaseAway: from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[UUID, Company] = OrderedDict()
        self._looks = Coalesced[Feed]()
        self._loads = Coalesced[Company]()
        self.epoch = ""
        """The log's epoch as of the last look; empty before the first."""

    async def feed(self, company_id: UUID) -> Feed:
        """Return the company's feed row as it is now."""
        return await self._looks.read(company_id, lambda: self._look(company_id))

    async def _look(self, company_id: UUID) -> Feed:
        async with self._database.reading(company_id) as session:
            row = (await _execute(session, FEED, company_id)).one_or_none()
        if row is None:
            raise UnknownCompany
        self._note(row.epoch)
        return Feed(row.position, row.settings_version, row.epoch, row.at)

    def _note(self, epoch: str) -> None:
        """Forget settings that were read in another epoch: their versions are used again."""
        if epoch != self.epoch:
            self._known.clear()
            self.epoch = epoch

    async def look_at_epoch(self) -> None:
        """Find out whether the log's epoch has changed; `epoch` tells."""
        self._note(await self._database.epoch())

    async def company(self, company_id: UUID, *, at_least: int = 0) -> Company:
        """Return the company's settings, at version `at_least` or a later one.

        What is in memory may be outdated: whoever decides something by it compares versions under the feed's lock.
        """
        known = self._known.get(company_id)
        if known is None or known.settings_version < at_least or 0 < at_least < known.settings_version:
            # Thousands may have waited for the fact that comes with a new version. One behind the known version is
            # rare: somebody else has just loaded a newer one, or an older state of the database was restored.
            known = self._known[company_id] = await self._loads.read(company_id, lambda: self._load(company_id))
        self._known.move_to_end(company_id)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return known

    async def _load(self, company_id: UUID) -> Company:
        async with self._database.reading(company_id) as session:
            return await load(session, company_id)


async def load(session: AsyncSession, company_id: UUID) -> Company:
    """Return a company's settings as a transaction sees them.

    Raises:
        UnknownCompany: see `Directory`.
    """
    company = (await _execute(session, COMPANY, company_id)).one_or_none()
    if company is None:
        raise UnknownCompany
    users = [User(**row._asdict()) for row in await _execute(session, USERS, company_id)]
    sources = [Source(**row._asdict()) for row in await _execute(session, SOURCES, company_id)]
    fields = [_field(row) for row in await _execute(session, FIELDS, company_id)]
    return Company(
        id=str(company_id),
        name=company.name,
        region=company.region,
        currency=company.currency,
        pipeline=Pipeline(stages=_STAGES.validate_python(company.stages), version=company.version),
        users={user.id: user for user in users},
        sources={source.key: source for source in sources},
        custom_fields={field.key: field for field in fields},
        settings_version=company.settings_version,
    )


def _field(row: Row[Any]) -> CustomField:
    return CustomField(**{**row._asdict(), "choices": tuple(row.choices)})


async def _execute(session: AsyncSession, statement: TextClause, company_id: UUID) -> CursorResult[Any]:
    return await (await session.connection()).execute(statement, {"company_id": company_id})
