"""The cursors, and the session that holds the lock."""

import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from notifier.store import Advance, Changes, Store, connected
from support.databases import Database
from support.notifiers import ACME, GLOBEX

CLOSING = """
import asyncio, sys, uvloop
from notifier.store import connected

async def main():
    for turns in range(8):
        async with connected(sys.argv[1]) as store:
            statements = [asyncio.create_task(store.check()) for _ in range(3)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for statement in statements[: turns % 3]:
                statement.cancel()
        await asyncio.gather(*statements, return_exceptions=True)

uvloop.run(main())
"""


@pytest.fixture
async def store(notifier_database: Database) -> AsyncIterator[Store]:
    async with connected(notifier_database.url("notifier_writer")) as opened:
        yield opened


def advance(company_id: str, position: int, stats_due: int = 0) -> Advance:
    return Advance(company_id=company_id, position=position, stats_due=stats_due)


async def test_a_company_begins_at_nothing_and_advances(store: Store) -> None:
    await store.commit(Changes(advances=[advance(ACME, 3), advance(GLOBEX, 1)], push_sequence=4))
    await store.commit(Changes(advances=[advance(ACME, 5)], push_sequence=6))
    nobody = "cccccccc-0000-4000-8000-000000000003"

    assert await store.positions([ACME, GLOBEX, nobody]) == {ACME: 5, GLOBEX: 1, nobody: 0}
    assert await store.push_sequence() == 6


async def test_no_cursor_goes_back(store: Store) -> None:
    await store.commit(Changes(advances=[advance(ACME, 5, stats_due=5)], push_sequence=6))
    await store.commit(Changes(advances=[advance(ACME, 3, stats_due=3)], push_sequence=4))

    assert await store.positions([ACME]) == {ACME: 5}
    assert await store.push_sequence() == 6


async def test_figures_are_owed_until_what_they_reflect_is_pushed(store: Store) -> None:
    await store.commit(Changes(advances=[advance(ACME, 5, stats_due=4), advance(GLOBEX, 1)], push_sequence=6))
    assert await store.companies_owed_stats() == [ACME]

    await store.stats_were_pushed(ACME, 3)
    assert await store.companies_owed_stats() == [ACME]
    await store.stats_were_pushed(ACME, 4)
    assert await store.companies_owed_stats() == []
    await store.commit(Changes(advances=[advance(ACME, 6)], push_sequence=7))
    assert await store.companies_owed_stats() == []


async def test_one_session_at_a_time_has_the_lock(store: Store, notifier_database: Database) -> None:
    assert await store.try_lock()
    async with connected(notifier_database.url("notifier_writer")) as other:
        assert not await other.try_lock()


def test_closing_with_statements_in_flight_ends_nothing_but_the_session(notifier_database: Database) -> None:
    command = [sys.executable, "-c", CLOSING, notifier_database.url("notifier_writer")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
