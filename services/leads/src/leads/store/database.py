"""The only way to a connection: every transaction belongs to one company, and row-level security sees which."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from time import perf_counter
from typing import Any, Final, TypeVar, cast
from uuid import UUID
from weakref import WeakValueDictionary

import psycopg
import structlog
from psycopg.errors import QueryCanceled
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool
from sqlmodel.ext.asyncio.session import AsyncSession

from runtime.pools import ACQUIRE_SECONDS
from runtime.postgres import connect, server_options

READ_TIMEOUT: Final = 5.0  # seconds one statement of a read may take
POOL_TIMEOUT: Final = 5.0  # seconds a request waits for a connection before it is told to come back
# A process that is frozen or cut off in the middle of a transaction must not keep a company's feed locked.
SESSION_OPTIONS: Final = server_options(statement_timeout="10s", idle_in_transaction_session_timeout="5s")
PATIENCE: Final = 12.0  # seconds for an answer of PostgreSQL, which gives up a statement itself after 10 s

_ENTER: Final = "SELECT set_config('app.company', %(company)s, true)"
_ENTER_SESSION: Final = text("SELECT set_config('app.company', :company, true)")
_ENTER_READING: Final = text(
    "SELECT set_config('app.company', :company, true), set_config('statement_timeout', :timeout, true)"
)

_log = structlog.stdlib.get_logger("leads.database")

T = TypeVar("T")
RawConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class DatabaseAway(Exception):
    """PostgreSQL cannot be asked at the moment: away, overloaded, or restarting."""


class QueryTooSlow(Exception):
    """A read was given up because it took longer than reads may."""

    code = "query_too_slow"


def sqlalchemy_url(database_url: str) -> URL:
    """Return a plain `postgresql://` address as one that names the driver."""
    return make_url(database_url).set(drivername="postgresql+psycopg")


class Database:
    """One process' connections.

    A company waits for its own turns before it takes a connection: its writers queue at its feed row anyway, and
    would keep the whole pool from everybody else.
    """

    def __init__(self, engine: AsyncEngine, *, turns: int, read_timeout: float = READ_TIMEOUT) -> None:
        self._engine = engine
        self._read_timeout = f"{round(read_timeout * 1000)}ms"
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._turns = turns
        self._queues: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.waiting = 0
        """How many wait for a connection, or for their company's turn."""

    @classmethod
    def connect(cls, database_url: str, *, pool_size: int, read_timeout: float = READ_TIMEOUT) -> "Database":
        """Return a database that opens its connections as they are needed."""
        engine = create_async_engine(
            sqlalchemy_url(database_url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
            async_creator=partial(
                connect,
                database_url,
                application_name="leads-api",
                options=SESSION_OPTIONS,
                patience=max(PATIENCE, read_timeout + 2.0),
                autocommit=False,
            ),
        )
        return cls(engine, turns=max(1, pool_size // 2), read_timeout=read_timeout)

    async def close(self) -> None:
        """Close every connection; one that is in use is closed when its user is done."""
        await self._engine.dispose()
        while self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def size(self) -> int:
        """How many connections there may be."""
        return self._pool.size()

    @property
    def in_use(self) -> int:
        """How many connections work for somebody now."""
        return self._pool.checkedout()

    @property
    def _pool(self) -> QueuePool:
        return cast("QueuePool", self._engine.pool)  # another one after each `dispose`

    @asynccontextmanager
    async def writing(self, company_id: UUID) -> AsyncIterator[RawConnection]:
        """Open a READ COMMITTED transaction of one company, committed at the end.

        It is a pipeline: statements travel together until the first one whose result is fetched.

        Raises:
            DatabaseAway: also when only the commit's outcome is unknown; the caller may not assume either.
        """
        async with self._turn(company_id), self._checkout(self._engine) as connection:
            driver = await _driver(connection)
            async with driver.pipeline():
                await driver.execute(_ENTER, {"company": str(company_id)})
                yield driver
                await driver.commit()

    @asynccontextmanager
    async def changing(self, company_id: UUID) -> AsyncIterator[AsyncSession]:
        """Open a READ COMMITTED transaction of one company for tables that are no log, committed at the end.

        Raises:
            DatabaseAway: see `writing`.
        """
        async with self._turn(company_id), self._checkout(self._engine) as connection:
            await connection.execute(_ENTER_SESSION, {"company": str(company_id)})
            async with AsyncSession(connection, expire_on_commit=False) as session:
                yield session
                await session.flush()
                await connection.commit()

    @asynccontextmanager
    async def reading(self, company_id: UUID) -> AsyncIterator[AsyncSession]:
        """Open a read-only snapshot of one company: all that is read in it is of the same moment.

        Raises:
            DatabaseAway: see there.
            QueryTooSlow: see there.
        """
        async with self._turn(company_id), self._checkout(self._snapshots) as connection:
            entered = {"company": str(company_id), "timeout": self._read_timeout}
            await connection.execute(_ENTER_READING, entered)
            async with AsyncSession(connection, expire_on_commit=False) as session:
                try:
                    yield session
                except OperationalError as error:
                    if isinstance(error.orig, QueryCanceled):
                        raise QueryTooSlow from None
                    raise

    async def fetch_credentials(
        self, email: str, company_id: UUID | None, *, at_most: int
    ) -> list[tuple[UUID, UUID, str]]:
        """Return company id, user id and password hash of the accounts with an address, of all companies or one."""
        values = {"email": email, "company_id": company_id, "at_most": at_most}
        async with self._checkout(self._snapshots) as connection:
            rows = await connection.execute(_CREDENTIALS, values)
            return [(row.company_id, row.user_id, row.password_hash) for row in rows]

    async def claim_job(self, worker: UUID, seconds: float) -> tuple[UUID, UUID] | None:
        """Give a worker a job of whichever company's turn it is: company and job; None when there is nothing to do."""
        async with self._checkout(self._engine) as connection:
            row = (await connection.execute(_CLAIM, {"worker": worker, "seconds": seconds})).one_or_none()
            await connection.commit()
            return None if row is None else (row.claimed_company, row.claimed_job)

    async def forget_jobs(self, at_most: int) -> int:
        """Forget some of what no job needs any more; return how much that was."""
        async with self._checkout(self._engine) as connection:
            forgotten = (await connection.execute(_FORGET, {"at_most": at_most})).scalar_one()
            await connection.commit()
            return int(forgotten)

    async def epoch(self) -> str:
        """Return the log's current epoch.

        Raises:
            DatabaseAway: see there.
        """
        async with self._checkout(self._engine) as connection:
            return str((await connection.execute(_EPOCH)).scalar_one())

    async def ping(self) -> None:
        """Ask for nothing.

        Raises:
            DatabaseAway: see there.
        """
        async with self._checkout(self._engine) as connection:
            await connection.execute(text("SELECT 1"))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    @asynccontextmanager
    async def _turn(self, company_id: UUID) -> AsyncIterator[None]:
        turns = self._queues.setdefault(company_id, asyncio.Semaphore(self._turns))
        try:
            with self._counted():
                async with asyncio.timeout(POOL_TIMEOUT):
                    await turns.acquire()
        except TimeoutError as error:
            raise DatabaseAway from error
        try:
            yield
        finally:
            turns.release()

    @asynccontextmanager
    async def _checkout(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        asked = perf_counter()
        pool = self._pool  # before the wait: a connection of a pool that is replaced meanwhile must be closed
        try:
            with self._counted():
                connection, driver = await self._acquire(engine, pool)
            ACQUIRE_SECONDS.observe(perf_counter() - asked)
            try:
                yield connection
            except Exception as error:
                if not driver.closed:
                    raise
                if pool is self._pool:
                    await self._engine.dispose()  # its siblings died with it: do not let each fail one more request
                # On a broken connection, rolling back or leaving a pipeline raises errors of many kinds.
                if isinstance(error, (SQLAlchemyError, psycopg.Error)):
                    raise DatabaseAway from error
                raise
            finally:
                await asyncio.shield(self._spawn(self._release(connection, driver, pool)))
        except (psycopg.OperationalError, PoolTimeout, OSError) as error:
            raise DatabaseAway from error
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.OperationalError):
                raise DatabaseAway from error
            raise

    async def _acquire(self, engine: AsyncEngine, pool: QueuePool) -> tuple[AsyncConnection, RawConnection]:
        """Take a connection; if the caller is cancelled meanwhile, it is released as soon as it is there."""
        opening = self._spawn(_open(engine))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._spawn(self._release_unused(opening, pool))
            raise

    async def _release_unused(
        self, opening: asyncio.Task[tuple[AsyncConnection, RawConnection]], pool: QueuePool
    ) -> None:
        await asyncio.wait({opening})
        if not opening.cancelled() and opening.exception() is None:
            await self._release(*opening.result(), pool)

    async def _release(self, connection: AsyncConnection, driver: RawConnection, pool: QueuePool) -> None:
        """Return a connection to the pool, or close it if it is broken or if its pool was replaced.

        Nobody looks into a pool that was replaced: what returns there would stay open until garbage collection.
        """
        try:
            if driver.closed:
                await connection.invalidate()
            await connection.close()
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            _log.info("connection not released cleanly", error=type(error).__name__)
            await driver.close()
        if pool is not self._pool:
            await driver.close()

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work that goes on when the request that began it is cancelled; `close` waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _open(engine: AsyncEngine) -> tuple[AsyncConnection, RawConnection]:
    connection = await engine.connect()
    return connection, await _driver(connection)


async def driver_of(session: AsyncSession) -> RawConnection:
    """Return what a session's statements go through, within the same transaction."""
    return await _driver(await session.connection())


async def _driver(connection: AsyncConnection) -> RawConnection:
    driver: RawConnection = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]
    return driver


_CLAIM: Final = text("SELECT claimed_company, claimed_job FROM claim_job(:worker, :seconds)")
_FORGET: Final = text("SELECT forget_jobs(:at_most)")
_EPOCH: Final = text("SELECT id FROM epochs ORDER BY number DESC LIMIT 1")
_CREDENTIALS: Final = text("""
SELECT user_id, company_id, password_hash FROM credentials(:email)
WHERE company_id = coalesce(CAST(:company_id AS uuid), company_id) ORDER BY company_id LIMIT :at_most
""")
