"""The cursors, and the session that holds the lock."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from contracts.push import Notification, NotificationKind
from notifier.notices import notification_id
from notifier.reaction import Told
from notifier.store import Advance, Changes, JobPart, JobState, Store, Telling, connected
from support.databases import Database
from support.notifiers import ACME, BEN, EVA, GLOBEX, NOW

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

    # psycopg tells of each statement that could not be cancelled politely.
    told = [line for line in done.stderr.splitlines() if "query cancellation interrupted" not in line]
    assert (done.returncode, told) == (0, [])


def telling(number: int, user_id: str = BEN, kind: NotificationKind = "assigned") -> Telling:
    notification = Notification(
        id=notification_id(f"e{number}", user_id, kind),
        kind=kind,
        critical=True,
        at=NOW,
        position=number,
        event_id=f"e{number}",
    )
    return Telling(company_id=ACME, told=Told(user_id, notification))


def batch(position: int, *tellings: Telling) -> Changes:
    return Changes(push_sequence=0, advances=[advance(ACME, position)], tellings=tellings)


async def test_notifications_are_numbered_by_inbox_and_wait_in_order(store: Store) -> None:
    await store.commit(batch(3, telling(1), telling(2, EVA), telling(3)))
    await store.commit(batch(4, telling(4)))

    waiting = await store.waiting(10)
    assert [(one.user_id, one.data["position"], one.data["number"], one.data["unread"]) for one in waiting] == [
        (BEN, 1, 1, 1),
        (EVA, 2, 1, 1),
        (BEN, 3, 2, 2),
        (BEN, 4, 3, 3),
    ]
    await store.sent([one.id for one in waiting[:2]])
    assert [one.data["position"] for one in await store.waiting(10)] == [3, 4]


async def test_a_notification_that_is_there_is_not_made_again(store: Store) -> None:
    await store.commit(batch(2, telling(1), telling(1)))
    await store.commit(batch(3, telling(1), telling(2)))

    assert [one.data["number"] for one in await store.waiting(10)] == [1, 2]


async def test_a_notification_is_on_disk_before_anybody_can_be_told(store: Store, notifier_database: Database) -> None:
    def ask(statement: str) -> Any:
        with psycopg.connect(notifier_database.url("postgres"), autocommit=True) as connection:
            row = connection.execute(statement).fetchone()
            assert row is not None
            return row[0]

    before = ask("SELECT pg_current_wal_insert_lsn()")
    await store.commit(batch(1, telling(1)))

    assert ask(f"SELECT pg_current_wal_flush_lsn() > '{before}'::pg_lsn")


async def test_what_was_left_out_is_taken_up_once(store: Store) -> None:
    left_out = Advance(company_id=ACME, position=3, passed_over=[2])
    await store.commit(Changes(push_sequence=0, advances=[left_out]))
    assert await store.is_passed_over(ACME, 2)
    assert not await store.is_passed_over(ACME, 3)

    await store.commit(Changes(push_sequence=0, taken_up=(ACME, 2), tellings=[telling(2)]))

    assert not await store.is_passed_over(ACME, 2)
    assert await store.positions([ACME]) == {ACME: 3}


async def test_jobs_are_owed_until_their_last_state_is_told(store: Store) -> None:
    def part(job_id: str, count: int, position: int) -> JobPart:
        return JobPart(company_id=ACME, job_id=job_id, count=count, position=position)

    await store.commit(Changes(push_sequence=0, advances=[advance(ACME, 9)], jobs=[part("a", 5, 5), part("b", 4, 9)]))
    first = await store.job_owed(ACME)
    assert first == JobState("a", 5, 5)
    await store.commit(Changes(push_sequence=0, advances=[advance(ACME, 12)], jobs=[part("a", 3, 12)]))
    await store.job_was_signalled(ACME, first)

    told = []
    while (job := await store.job_owed(ACME)) is not None:
        told.append(job)
        await store.job_was_signalled(ACME, job)
    assert told == [JobState("b", 4, 9), JobState("a", 8, 12)]
    assert await store.companies_owed_signals() == []


async def test_what_is_asked_meanwhile_is_no_part_of_a_batch(store: Store) -> None:
    async def commit() -> None:
        for number in range(1, 51):
            await store.commit(batch(number, telling(number)))

    async def ask() -> None:
        for number in range(50):
            await store.waiting(10)
            await store.stats_were_pushed(ACME, number)
            await store.check()

    await asyncio.gather(commit(), ask(), ask())

    assert [one.data["number"] for one in await store.waiting(100)] == list(range(1, 51))


async def test_an_inbox_keeps_its_newest_and_what_goes_counts_as_read(
    store: Store, notifier_database: Database
) -> None:
    await store.commit(batch(6, *map(telling, range(1, 7)), telling(7, EVA)))
    await store.sent([one.id for one in await store.waiting(10)])
    with psycopg.connect(notifier_database.url("postgres"), autocommit=True) as connection:
        connection.execute("UPDATE notifications SET read_at = now() WHERE user_id = %s AND number = 1", [BEN])
        connection.execute("UPDATE inboxes SET unread = 5 WHERE user_id = %s", [BEN])

        assert [await store.forget_notifications(kept=2), await store.forget_notifications(kept=2)] == [4, 0]

        left = connection.execute("SELECT user_id::text, number FROM notifications ORDER BY user_id, number").fetchall()
        counts = connection.execute("SELECT number, unread, revision FROM inboxes WHERE user_id = %s", [BEN]).fetchone()
    assert left == [(BEN, 5), (BEN, 6), (EVA, 1)]
    assert counts == (6, 2, 7)
    [push] = await store.waiting(10)
    assert (push.user_id, push.event) == (BEN, "notification.read")
    assert push.data == {"all_before": 5, "read": True, "unread": 2, "revision": 7}


async def test_finished_jobs_and_old_dead_letters_are_forgotten(store: Store, notifier_database: Database) -> None:
    jobs = [JobPart(company_id=ACME, job_id=job, count=1, position=9) for job in ("done", "owed", "new")]
    passing = Advance(company_id=ACME, position=9, passed_over=[2, 3])
    await store.commit(Changes(push_sequence=0, advances=[passing], jobs=jobs))
    for job in ("done", "new"):
        await store.job_was_signalled(ACME, JobState(job, 1, 9))
    with psycopg.connect(notifier_database.url("postgres"), autocommit=True) as connection:
        connection.execute("UPDATE jobs SET since = now() - interval '40 days' WHERE job_id <> 'new'")
        connection.execute("UPDATE passed_over SET since = now() - interval '40 days' WHERE position = 2")

        assert (await store.forget_jobs(), await store.forget_passed_over()) == (1, 1)

        assert connection.execute("SELECT job_id FROM jobs ORDER BY job_id").fetchall() == [("new",), ("owed",)]
    assert [await store.is_passed_over(ACME, position) for position in (2, 3)] == [False, True]
