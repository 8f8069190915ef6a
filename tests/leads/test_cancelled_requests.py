"""Requests whose client goes away in the middle of a statement: their connections are returned or closed at once."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from sqlalchemy import text

from leads.store.database import Database
from support.databases import Database as Databases
from support.waiting import until

from .conftest import Company

LOCKED = "SELECT FROM feeds WHERE company_id = %s FOR UPDATE"
BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'leads_app' AND state IS DISTINCT FROM 'idle'
"""
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'leads_app'"
POOL = 4

Work = Callable[[Database, Company], Awaitable[None]]


async def write(database: Database, company: Company) -> None:
    async with database.writing(company.id) as connection:
        await (await connection.execute(LOCKED, [company.id])).fetchall()


async def change(database: Database, company: Company) -> None:
    async with database.changing(company.id) as session:
        connection = await session.connection()
        await connection.execute(text("SELECT FROM feeds WHERE company_id = :id FOR UPDATE"), {"id": company.id})


async def read(database: Database, company: Company) -> None:
    async with database.reading(company.id) as session:
        await (await session.connection()).execute(text("SELECT pg_sleep(2)"))


async def settled(superuser: psycopg.Connection, database: Database) -> None:
    def is_settled() -> bool:
        return database.in_use == 0 and superuser.execute(BUSY).fetchone() == (0,)

    await until(is_settled, why="no connection is in use, and no session is busy")


@pytest.mark.parametrize("pauses", [(), (0.0,), (0.0, 0.001, 0.0)], ids=["once", "twice", "again-and-again"])
@pytest.mark.parametrize("work", [write, change, read])
async def test_a_request_that_is_cancelled_leaves_no_connection_behind(
    leads_database: Databases, superuser: psycopg.Connection, acme: Company, work: Work, pauses: tuple[float, ...]
) -> None:
    database = Database.connect(leads_database.url("leads_app"), pool_size=2 * POOL)
    with psycopg.connect(leads_database.url()) as blocker:
        blocker.execute(LOCKED, [acme.id])
        survivor = asyncio.create_task(work(database, acme))
        await until(lambda: superuser.execute(BUSY).fetchone() == (1,), why="a statement of a patient client waits")
        # Some are cancelled while they connect, the others in the middle of a statement.
        tasks = [asyncio.create_task(work(database, acme)) for _ in range(POOL - 1)]
        await asyncio.sleep(0)
        for task in tasks[1:]:
            await until(lambda: superuser.execute(BUSY).fetchone() != (1,), why="another one is busy, too")
            task.cancel()
        for pause in (0.0, *pauses):
            for task in tasks:
                task.cancel()
            await asyncio.sleep(pause)
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
    await survivor  # what others cancelled does not touch it
    await settled(superuser, database)

    await asyncio.gather(*(database.ping() for _ in range(2 * POOL)))

    await database.close()
    await until(lambda: superuser.execute(OPEN).fetchone() == (0,), why="every session has ended")
    gc.collect()  # an open connection that nobody holds would be a ResourceWarning here
