"""Data of an earlier revision is migrated while people read and write, and somebody else keeps a table busy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg.errors import LockNotAvailable
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from leads.migrate import migrate_database, revisions
from leads.store import feed
from leads.store.database import Database, sqlalchemy_url
from leads.store.directory import Directory
from leads.store.log import PostgresEventStore
from runtime.migrations import LOCK_TIMEOUT
from support.databases import Database as Databases
from support.waiting import until

from .conftest import Company, provisioned
from .given import create_lead
from .test_rebuild import rows

PREVIOUS = "0002"
"""The last revision with another shape of what is written all the time."""
ADVANCE = """
UPDATE feeds SET position = position + %(facts)s, settings_version = settings_version + %(settings)s
WHERE company_id = %(company_id)s RETURNING position, settings_version, 'first', clock_timestamp()
"""
"""What a release of that revision says, which knows of no epoch and no clock."""
LATER = """
SELECT feed_position FROM events JOIN feeds USING (company_id) WHERE recorded_at > clock AND feed_position <= 20
"""
LONGEST_WAIT = f"{LOCK_TIMEOUT * 2:.0f}s"
"""For any lock, after which the server ends a statement: a step may be behind another session's short one."""


def upgrade(database: Databases, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "leads:migrations")
    config.set_main_option("path_separator", "os")
    with create_engine(sqlalchemy_url(database.url("leads_owner")), poolclass=NullPool).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


@pytest.fixture
def old_database(empty_database: Databases) -> Databases:
    upgrade(empty_database, PREVIOUS)
    with psycopg.connect(empty_database.url(), autocommit=True) as superuser:
        for role in ("leads_app", "leads_relay"):
            superuser.execute(
                f"ALTER ROLE {role} IN DATABASE {empty_database.name} SET lock_timeout = '{LONGEST_WAIT}'"
            )
    return empty_database


@contextlib.asynccontextmanager
async def busy(store: PostgresEventStore, superuser: psycopg.Connection, company: Company) -> AsyncIterator[list[int]]:
    """Have somebody write and somebody read meanwhile; count what is done."""
    ended, done = asyncio.Event(), [0, 0]

    async def write() -> None:
        while not ended.is_set():
            await create_lead(store, company)
            done[0] += 1

    async def read() -> None:
        while not ended.is_set():
            superuser.execute("SELECT count(*) FROM leads JOIN events ON events.stream_id = leads.id").fetchone()
            done[1] += 1
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(write()), asyncio.create_task(read())]
    yield done
    ended.set()
    await asyncio.gather(*tasks)


async def test_data_of_the_previous_revision_is_migrated_while_people_work(
    old_database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "ADVANCE", ADVANCE)
    database = Database.connect(old_database.url("leads_app"), pool_size=5)
    store = PostgresEventStore(database, Directory(database))
    acme = provisioned(old_database, "Acme")
    for _ in range(20):
        await create_lead(store, acme)
    head, _earlier = revisions()

    with (
        psycopg.connect(old_database.url(), autocommit=True) as superuser,
        psycopg.connect(old_database.url()) as dump,
    ):
        before = rows(superuser)["leads"]
        superuser.execute(f"SET lock_timeout = '{LONGEST_WAIT}'".encode())
        dump.execute("LOCK TABLE feeds, companies IN ACCESS SHARE MODE")  # as a dump does, for as long as it takes
        async with busy(store, superuser, acme) as done:
            migrating = asyncio.create_task(asyncio.to_thread(migrate_database, old_database.url("leads_owner")))
            then = list(done)
            await until(lambda: waits_for_a_lock(superuser))
            await until(lambda: not waits_for_a_lock(superuser))
            assert not migrating.done()
            await until(lambda: done[0] >= then[0] + 20 and done[1] >= then[1] + 20)
            dump.rollback()
            await migrating
        assert superuser.execute("SELECT version_num FROM alembic_version").fetchone() == (head,)
        assert set(before) <= set(rows(superuser)["leads"])
        assert superuser.execute(LATER).fetchall() == []
    await database.close()


def waits_for_a_lock(superuser: psycopg.Connection) -> bool:
    """Whether a step of the migration waits for a table."""
    row = superuser.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'leads_owner'"
        " AND wait_event_type = 'Lock' AND wait_event = 'relation'"
    ).fetchone()
    return row != (0,)


def test_a_statement_that_would_wait_longer_is_ended(old_database: Databases) -> None:
    """What the other test relies on."""
    provisioned(old_database, "Acme")
    with psycopg.connect(old_database.url()) as superuser, psycopg.connect(old_database.url("leads_app")) as app:
        superuser.execute("LOCK TABLE feeds IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockNotAvailable):
            app.execute("SELECT FROM feeds")
