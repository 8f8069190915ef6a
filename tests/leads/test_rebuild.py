"""The read models made anew are what they were, row by row and with all that protects them, while people go on."""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from leads.store.projections import TABLES
from leadwire.processes import Process
from support.databases import Database, run
from support.servers import OwnProcess
from support.traffic import command
from support.waiting import until

from .conftest import Company, Connect, provisioned

CATALOGUE = """
SELECT 'column', attrelid::regclass::text, attnum::text, attname::text,
    concat_ws(' ', atttypid::regtype, attnotnull, attcollation, attstorage, attacl, pg_get_expr(adbin, adrelid))
FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
WHERE attrelid = ANY(%(tables)s::text[]::regclass[]) AND attnum > 0
UNION ALL
SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid::text
FROM pg_index WHERE indrelid = ANY(%(tables)s::text[]::regclass[])
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), ''
FROM pg_constraint WHERE conrelid = ANY(%(tables)s::text[]::regclass[])
UNION ALL
SELECT 'policy', tablename::text, policyname::text, concat_ws(' ', permissive, roles, cmd),
    concat_ws('/', qual, with_check)
FROM pg_policies WHERE tablename = ANY(%(tables)s::text[])
UNION ALL
SELECT 'table', relname::text, concat_ws(' ', relowner::regrole, relrowsecurity, relforcerowsecurity), relacl::text,
    reloptions::text
FROM pg_class WHERE oid = ANY(%(tables)s::text[]::regclass[])
"""


def catalogue(superuser: psycopg.Connection) -> list[tuple[str, ...]]:
    return sorted(map(repr, superuser.execute(CATALOGUE, {"tables": list(TABLES)}).fetchall()))  # type: ignore[arg-type]


def rows(superuser: psycopg.Connection) -> dict[str, list[str]]:
    """Return all read models; a counter that is zero is the same as none."""
    return {
        table: sorted(
            row for (row,) in superuser.execute(f"SELECT row::text FROM {table} AS row{condition}").fetchall()
        )
        for table in TABLES
        for condition in [" WHERE count <> 0" if table == "counters" else ""]
    }


def rebuild_process(database: Database, *options: str) -> Process:
    environment = {"LEADS_DATABASE_URL": database.url("leads_owner")}
    return Process(
        name="rebuild", command=(sys.executable, "-P", "-m", "leads", "rebuild", *options), environment=environment
    )


async def rebuild(database: Database) -> None:
    await asyncio.to_thread(run, rebuild_process(database, "--processes", "2"))


async def work(api: httpx.AsyncClient, company: Company, seed: int, is_enough: Callable[[int], bool]) -> int:
    """Give commands of all kinds until it is enough, and return how many were carried out."""
    chance = random.Random(seed)
    known: list[str] = []
    users = [str(user) for role, user in company.users.items() if role != "viewer"]
    done = 0
    while not is_enough(done):
        method, path, body = command(chance, known, users, f"{seed}-{done}-{len(known)}")
        answer = await api.request(method, path, json=body, headers={"If-Match": "*"})
        assert answer.status_code < 500, answer.text
        done += answer.is_success
        if answer.is_success and path == "/leads":
            known.append(answer.json()["data"]["id"])
    return done


@contextlib.asynccontextmanager
async def working(connect: Connect, *companies: Company) -> AsyncIterator[None]:
    """Have people work meanwhile."""
    ended = asyncio.Event()
    tasks = [
        asyncio.create_task(work(connect("manager", company), company, 100 + number, lambda _: ended.is_set()))
        for number, company in enumerate(companies)
    ]
    yield
    ended.set()
    assert min(await asyncio.gather(*tasks)) > 0


async def test_what_is_right_stays_as_it_is(
    leads_database: Database, connect: Connect, superuser: psycopg.Connection, acme: Company, globex: Company
) -> None:
    for company in (acme, globex):
        await work(connect("manager", company), company, 1, lambda done: done >= 150)
    before, protected = rows(superuser), catalogue(superuser)
    outbox = superuser.execute("SELECT count(*) FROM outbox").fetchone()

    await rebuild(leads_database)

    assert rows(superuser) == before
    assert catalogue(superuser) == protected
    assert superuser.execute("SELECT count(*) FROM outbox").fetchone() == outbox
    assert superuser.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuil%'").fetchone() == (0,)


async def test_what_is_wrong_is_put_right_while_people_work(
    leads_database: Database, connect: Connect, superuser: psycopg.Connection, acme: Company, globex: Company
) -> None:
    await work(connect("manager", acme), acme, 1, lambda done: done >= 50)
    superuser.execute("UPDATE leads SET name = 'Wrong'")
    superuser.execute("UPDATE counters SET count = count + 7")
    superuser.execute("DELETE FROM lead_messages")

    async with working(connect, acme, globex, acme):
        await rebuild(leads_database)
        newcomer = provisioned(leads_database, "Initech")
        await work(connect("manager", newcomer), newcomer, 7, lambda done: done >= 5)

    while_working = rows(superuser)
    await rebuild(leads_database)
    assert rows(superuser) == while_working
    assert not [row for row in while_working["leads"] if "Wrong" in row]


@pytest.mark.parametrize("moment", ["rebuild_parts", "leads_search"])
async def test_one_that_is_killed_is_followed_by_one_that_goes_on(
    leads_database: Database,
    connect: Connect,
    superuser: psycopg.Connection,
    acme: Company,
    moment: str,
    tmp_path: Path,
) -> None:
    await work(connect("manager", acme), acme, 1, lambda done: done >= 50)
    before = rows(superuser)
    superuser.execute("UPDATE leads SET name = 'Wrong'")
    process = rebuild_process(leads_database)
    running = OwnProcess(process, tmp_path / "rebuild.log")
    running.start()

    def is_there() -> bool:
        return superuser.execute("SELECT to_regclass(%s) IS NOT NULL", [f"rebuilding.{moment}"]).fetchone() == (True,)

    await until(is_there)
    running.kill()
    await work(connect("manager", acme), acme, 2, lambda done: done >= 10)

    await rebuild(leads_database)
    running.forget()

    after = rows(superuser)
    assert len(after["leads"]) >= len(before["leads"])
    assert not [row for row in after["leads"] if "Wrong" in row]
