"""One process is active, the others stand by and take over."""

import time

import psycopg
import pytest

from support.notifiers import ACME, NotifierProcess, World
from support.waiting import until

pytestmark = pytest.mark.faults


async def is_active(process: NotifierProcess) -> bool:
    return await process.metric("notifier_active") == 1


async def test_a_standby_is_ready_and_idle(world: World) -> None:
    active = await world.running_notifier()
    await until(lambda: is_active(active))
    standby = await world.running_notifier()
    async with world.leads.answering():
        await world.leads.commit(ACME, 5)
        await world.reaches(ACME, 5)

    assert not await is_active(standby)
    assert await standby.metric("notifier_facts_applied_total") == 0


async def test_a_standby_takes_over_within_seconds_of_a_kill(world: World) -> None:
    active = await world.running_notifier()
    await until(lambda: is_active(active))
    standby = await world.running_notifier()
    async with world.leads.answering():
        await world.leads.commit(ACME, 5)
        await world.reaches(ACME, 5)
        killed = time.monotonic()
        active.kill()
        await world.leads.commit(ACME, 5)
        await world.reaches(ACME, 10)

    assert time.monotonic() - killed < 10
    assert await is_active(standby)
    assert await world.positions(ACME) == list(range(1, 11))


async def test_a_process_that_loses_its_session_stands_by_and_may_return(world: World) -> None:
    active = await world.running_notifier()
    await until(lambda: is_active(active))
    standby = await world.running_notifier()
    async with world.leads.answering():
        for lap, (loser, heir) in enumerate([(active, standby), (standby, active)], start=1):
            end_session_of_the_lock(world)
            await until(lambda heir=heir: is_active(heir))
            await until(lambda loser=loser: is_idle(loser))
            await world.leads.commit(ACME, 5)
            await world.reaches(ACME, 5 * lap)

    assert await world.positions(ACME) == list(range(1, 11))


async def is_idle(process: NotifierProcess) -> bool:
    return not await is_active(process)


def end_session_of_the_lock(world: World) -> None:
    with psycopg.connect(world.database.url("postgres"), autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
            "WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    assert len(ended) == 1
