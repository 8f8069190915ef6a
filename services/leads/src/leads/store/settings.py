"""Changes of a company's settings, one at a time under the lock of its feed, each seen by all processes at once.

The tables are the truth about settings. What others must hear of (users, the pipeline) is a fact in the feed as well.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb
from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.events import Fact, PipelineChanged, UserEvent
from leads import access
from leads.command import Feed, Origin
from leads.domain import people
from leads.domain.company import Company, CustomField, Source, User
from leads.domain.people import EmailTaken
from leads.domain.saved_views import SavedView
from leads.store import feed
from leads.store.database import Database, driver_of
from leads.store.directory import load
from leads.store.tables import CustomFieldRow, SavedViewRow, SourceRow

COUNTED: Final = 10_000  # leads that are in the way of a change; more are as many, and the lock is not held for them

COMPANY: Final = text("""
UPDATE companies SET name = :name, region = :region, currency = :currency WHERE company_id = :company_id
""")
PIPELINE: Final = text("UPDATE pipelines SET stages = :stages, version = :version WHERE company_id = :company_id")
ADD_USER: Final = text("""
INSERT INTO users (company_id, id, email, name, role, password_hash, version)
VALUES (:company_id, :id, :email, :name, :role, :password_hash, :version)
""")
CHANGE_USER: Final = text("""
UPDATE users SET
    email = :email, name = :name, role = :role, active = :active, version = :version, tokens_since = :tokens_since
WHERE company_id = :company_id AND id = :id
""")
PASSWORD: Final = text("UPDATE users SET password_hash = :password_hash WHERE company_id = :company_id AND id = :id")
IN_STAGE: Final = text("""
SELECT count(*) FROM (SELECT FROM leads WHERE company_id = :company_id AND status = :key LIMIT :most) AS counted
""")
OF_SOURCE: Final = text("""
SELECT count(*) FROM (SELECT FROM leads WHERE company_id = :company_id AND source = :key LIMIT :most) AS counted
""")

Row = TypeVar("Row", SourceRow, CustomFieldRow, SavedViewRow)


class Settings:
    """The settings of companies, as they are changed.

    Raises:
        UnknownCompany: from every method, when the company was never provisioned.
        DatabaseAway: from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def changing(self, origin: Origin) -> AsyncIterator["Change"]:
        """Open a change: nobody else changes the company's settings, or its leads, until it ends.

        Raises:
            AccessRefused: the author may not, by the settings of this moment.
            EmailTaken: another user of the company has the e-mail address.
        """
        try:
            async with self._database.changing(origin.company_id) as session:
                driver = await driver_of(session)
                # The company's lock: as of here its settings stay as they are, and nobody decides by older ones.
                locked = await feed.feed_of(await feed.advance(driver, origin, facts=0, settings=1))
                company = await load(session, origin.company_id)
                if origin.permit is not None:
                    access.check(company, origin.permit)
                change = Change(session, origin, company, locked)
                yield change
                if change.facts:
                    await feed.advance(driver, origin, facts=len(change.facts))
                    await feed.append(driver, origin, change.facts, position=change.position, at=change.at)
        except IntegrityError as error:
            if not _violates(error, "users_email_key"):
                raise
            raise EmailTaken from None

    async def views(self, company_id: UUID) -> list[SavedView]:
        """Return all saved views of a company, by name."""
        query = select(SavedViewRow).where(SavedViewRow.company_id == company_id)
        async with self._database.reading(company_id) as session:
            rows = await session.exec(query.order_by(func.lower(SavedViewRow.name), col(SavedViewRow.id)))
            return [row.view() for row in rows]

    async def view(self, company_id: UUID, view_id: UUID) -> SavedView | None:
        async with self._database.reading(company_id) as session:
            row = await session.get(SavedViewRow, (company_id, view_id))
            return row.view() if row else None


class Change:
    """One change of one company's settings."""

    def __init__(self, session: AsyncSession, origin: Origin, company: Company, locked: Feed) -> None:
        self._session = session
        self._origin = origin
        self.facts: list[Fact] = []
        """What others must hear of, in order."""
        self.company = company
        """The settings before."""
        self._locked = locked
        self.at = locked.at
        """When the change happens, by PostgreSQL's clock."""

    @property
    def position(self) -> int:
        """The feed position that the change is reflected at; rises with each fact."""
        return self._locked.position + len(self.facts)

    @property
    def feed(self) -> Feed:
        """The company's feed row with the change."""
        return replace(self._locked, position=self.position)

    # Facts, each with its effect on the tables.

    async def add_user(self, fact: UserEvent, password_hash: str) -> User:
        user = people.after(None, fact, self.at)
        self.facts.append(fact)
        await self._run(ADD_USER, **_columns(user), password_hash=password_hash)
        return user

    async def change_user(self, user: User, fact: UserEvent) -> User:
        changed = people.after(user, fact, self.at)
        self.facts.append(fact)
        await self._run(CHANGE_USER, **_columns(changed))
        return changed

    async def set_password(self, user: User, password_hash: str) -> User:
        """Give somebody another password. Whoever knew the old one has to log in anew."""
        await self._run(PASSWORD, id=UUID(user.id), password_hash=password_hash)
        return await self.end_tokens(user)

    async def end_tokens(self, user: User) -> User:
        """Make the access tokens that a user has void."""
        return await self.change_user(user, people.sign_out(user))

    async def change_pipeline(self, fact: PipelineChanged) -> None:
        self.facts.append(fact)
        stages = Jsonb([asdict(stage) for stage in fact.pipeline.stages])
        await self._run(PIPELINE, stages=stages, version=fact.pipeline.version)

    # No facts: only the company itself is concerned.

    async def change_company(self, name: str, region: str | None, currency: str | None) -> None:
        await self._run(COMPANY, name=name, region=region, currency=currency)

    async def put_source(self, source: Source) -> None:
        await self._put(SourceRow(company_id=self._origin.company_id, **asdict(source)))

    async def remove_source(self, key: str) -> None:
        await self._remove(SourceRow, key)

    async def put_field(self, field: CustomField) -> None:
        values = {**asdict(field), "choices": list(field.choices)}
        await self._put(CustomFieldRow(company_id=self._origin.company_id, **values))

    async def put_view(self, view: SavedView) -> None:
        values = {**asdict(view), "id": UUID(view.id), "owner": UUID(view.owner)}
        await self._put(SavedViewRow(company_id=self._origin.company_id, **values))

    async def remove_view(self, view_id: str) -> None:
        await self._remove(SavedViewRow, UUID(view_id))

    # What the rules want to know.

    async def view(self, view_id: UUID) -> SavedView | None:
        row = await self._session.get(SavedViewRow, (self._origin.company_id, view_id))
        return row.view() if row else None

    async def count_views(self) -> tuple[int, int]:
        """Return how many saved views the author has, and the company."""
        query = select(func.count().filter(col(SavedViewRow.owner) == self._origin.actor), func.count())
        own, all_views = (await self._session.exec(query.select_from(SavedViewRow))).one()
        return own, all_views

    async def leads_in(self, stages: Iterable[str]) -> dict[str, int]:
        """Return how many leads are in each of some stages; those without any are left out."""
        counts = {key: await self._count(IN_STAGE, key) for key in stages}
        return {key: count for key, count in counts.items() if count}

    async def leads_of(self, source: str) -> int:
        """Return how many leads name a source."""
        return await self._count(OF_SOURCE, source)

    async def _put(self, row: Row) -> None:
        await self._session.merge(row)

    async def _remove(self, table: type[Row], key: str | UUID) -> None:
        row = await self._session.get(table, (self._origin.company_id, key))
        if row is not None:
            await self._session.delete(row)

    async def _count(self, statement: TextClause, key: str) -> int:
        return int((await self._run(statement, key=key, most=COUNTED)).scalar_one())

    async def _run(self, statement: TextClause, **values: object) -> CursorResult[Any]:
        connection = await self._session.connection()
        return await connection.execute(statement, {"company_id": self._origin.company_id, **values})


def _columns(user: User) -> dict[str, object]:
    return {**asdict(user), "id": UUID(user.id)}


def _violates(error: IntegrityError, constraint: str) -> bool:
    return isinstance(error.orig, UniqueViolation) and error.orig.diag.constraint_name == constraint
