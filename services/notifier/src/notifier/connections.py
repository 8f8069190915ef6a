"""Connections for requests: while one is used it belongs to one user, and row-level security sees to whom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus

from runtime.pools import ACQUIRE_SECONDS
from runtime.postgres import connect, server_options

PATIENCE: Final = 5.0  # seconds a request waits for a connection before it is told to come back

# A client that is frozen in the middle must not keep an inbox locked: the active process writes into it.
_OPTIONS: Final = server_options(statement_timeout="5s", idle_in_transaction_session_timeout="3s")
_ANSWER_SECONDS: Final = 7.0  # for an answer of PostgreSQL, which gives up a statement itself after 5 s
_ENTER: Final = "SELECT set_config('app.company', %(company)s, true), set_config('app.user', %(user)s, true)"

RawConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class DatabaseAway(Exception):
    """PostgreSQL cannot be asked at the moment: away, overloaded, or restarting."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose inbox it is."""

    company_id: UUID
    user_id: UUID


class Connections:
    """A few connections, opened as they are needed; a broken one is replaced at its next use."""

    def __init__(self, database_url: str, *, size: int) -> None:
        self._database_url = database_url
        self._idle: asyncio.LifoQueue[RawConnection | None] = asyncio.LifoQueue()
        self.size = size
        self.waiting = 0
        """How many wait for a connection."""
        for _ in range(size):
            self._idle.put_nowait(None)

    @property
    def in_use(self) -> int:
        """How many connections work for somebody now."""
        return self.size - self._idle.qsize()

    async def close(self) -> None:
        """Close those that are idle."""
        while not self._idle.empty():
            if (connection := self._idle.get_nowait()) is not None:
                await connection.close()

    @asynccontextmanager
    async def of(self, owner: Owner) -> AsyncIterator[RawConnection]:
        """Open a transaction of one user, committed at the end.

        It is a pipeline: statements travel together, so that no lock waits for our side of the wire.

        Raises:
            DatabaseAway: also when only the commit's outcome is unknown; the caller may not assume either.
        """
        async with self._checkout() as connection, connection.pipeline(), connection.transaction():
            await connection.execute(_ENTER, {"company": str(owner.company_id), "user": str(owner.user_id)})
            yield connection

    async def check(self) -> str | None:
        """Answer readiness: whether the database can be asked."""
        async with self._checkout() as connection:
            await connection.execute("SELECT 1")
        return None

    @asynccontextmanager
    async def _checkout(self) -> AsyncIterator[RawConnection]:
        asked = perf_counter()
        self.waiting += 1
        try:
            connection = await asyncio.wait_for(self._idle.get(), PATIENCE)
        except TimeoutError as error:
            raise DatabaseAway from error
        finally:
            self.waiting -= 1
        try:
            if connection is None or connection.closed:
                connection = await self._connect()
            ACQUIRE_SECONDS.observe(perf_counter() - asked)
            yield connection
        except psycopg.OperationalError as error:
            raise DatabaseAway from error
        finally:
            if connection is not None and connection.info.transaction_status != TransactionStatus.IDLE:
                await connection.close()  # it was left in the middle of something
            self._idle.put_nowait(connection)

    async def _connect(self) -> RawConnection:
        return await connect(
            self._database_url, application_name="notifier-api", options=_OPTIONS, patience=_ANSWER_SECONDS
        )
