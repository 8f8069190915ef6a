"""Killed at any moment, the notifier stores each push once and in order."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import psycopg
import pytest

from contracts import streams
from support.notifiers import ACME, GLOBEX, World
from support.waiting import until

pytestmark = pytest.mark.faults


@contextlib.contextmanager
def commits_blocked(world: World) -> Iterator[psycopg.Connection]:
    """Keep cursors from being written, not from being read; what waits for it then never happens."""
    with psycopg.connect(world.database.url("postgres")) as connection:
        connection.execute("LOCK TABLE cursors IN EXCLUSIVE MODE")
        yield connection
        end_sessions(world)


def end_sessions(world: World) -> None:
    """Do what PostgreSQL does a while after a client died: end its sessions."""
    with psycopg.connect(world.database.url("postgres"), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'notifier' AND datname = current_database()"
        )


@contextlib.asynccontextmanager
async def forgetful(world: World) -> AsyncIterator[None]:
    """Make PUSH forget message ids at once, as it does two minutes after a message."""
    js = world.operator.jetstream()
    config = (await js.stream_info(streams.PUSH)).config
    await js.update_stream(replace(config, duplicate_window=0.1))
    yield


async def test_killed_between_storing_pushes_and_committing(world: World) -> None:
    first = await world.running_notifier()
    async with world.leads.answering():
        with commits_blocked(world):
            await world.leads.commit(ACME, 20)
            await until(lambda: world.positions(ACME))
            first.kill()
        stored = await world.positions(ACME)

        await world.running_notifier()
        await world.leads.commit(ACME, 5)
        await world.reaches(ACME, 25)

    assert stored == list(range(1, len(stored) + 1))
    assert await world.positions(ACME) == list(range(1, 26))


async def test_killed_so_and_down_until_the_duplicate_window_is_over(world: World) -> None:
    async with forgetful(world), world.leads.answering():
        first = await world.running_notifier()
        await world.leads.commit(ACME, 3)
        await world.leads.commit(GLOBEX, 3)
        await world.reaches(ACME, 3)
        await world.reaches(GLOBEX, 3)
        with commits_blocked(world):
            await world.leads.commit(ACME, 20)
            await until(lambda: has_grown(world, 3))
            first.kill()
        before = await world.positions(ACME)

        await world.running_notifier()
        await world.leads.commit(GLOBEX, 1)
        await world.reaches(GLOBEX, 4)
        await world.reaches(ACME, 23)

    assert len(before) > 3
    assert await world.positions(ACME) == list(range(1, 24))
    assert await world.positions(GLOBEX) == [1, 2, 3, 4]


async def has_grown(world: World, size: int) -> bool:
    return len(await world.positions(ACME)) > size


async def test_a_new_push_stream_begins_anew(world: World) -> None:
    async with forgetful(world), world.leads.answering():
        first = await world.running_notifier()
        await world.leads.commit(ACME, 10)
        await world.reaches(ACME, 10)
        first.kill()
        async with world.nats.client() as client:
            await client.jetstream().delete_stream(streams.PUSH)
            await streams.ensure(client.jetstream())

        async with forgetful(world):
            second = await world.running_notifier()
            with commits_blocked(world):
                await world.leads.commit(ACME, 2)
                await until(lambda: world.positions(ACME))
                second.kill()
            await world.running_notifier()
            await world.reaches(ACME, 12)

    assert await world.positions(ACME) == [11, 12]


async def test_a_batch_interrupted_by_the_loss_of_the_database_is_applied_once(world: World) -> None:
    notifier = await world.running_notifier()
    async with world.leads.answering():
        with commits_blocked(world):
            await world.leads.commit(ACME, 20)
            await until(lambda: world.positions(ACME))
        await world.reaches(ACME, 20)
        await notifier.ready()

    assert await world.positions(ACME) == list(range(1, 21))


async def test_a_commit_that_takes_too_long_is_tried_again(world: World) -> None:
    notifier = await world.running_notifier()
    async with world.leads.answering():
        with psycopg.connect(world.database.url("postgres")) as connection:
            connection.execute("LOCK TABLE cursors IN EXCLUSIVE MODE")
            await world.leads.commit(ACME, 20)
            await until(lambda: "batch interrupted" in notifier.log.read_text())
        await world.reaches(ACME, 20)

    assert await world.positions(ACME) == list(range(1, 21))


async def test_killed_at_random_while_facts_stream_in(world: World) -> None:
    chance = random.Random(7)
    counts = {ACME: 0, GLOBEX: 0}

    async def stream() -> None:
        for _ in range(120):
            for company_id in counts:
                count = chance.randint(1, 5)
                counts[company_id] += count
                await world.leads.commit(company_id, count)
            await asyncio.sleep(0.05)

    async with world.leads.answering():
        streaming = asyncio.create_task(stream())
        kills = 0
        while not streaming.done():
            notifier = await world.running_notifier()
            await asyncio.sleep(chance.uniform(0, 0.4))
            notifier.kill()
            kills += 1
        await streaming
        await world.running_notifier()
        for company_id, count in counts.items():
            await world.reaches(company_id, count)

    assert kills >= 3
    for company_id, count in counts.items():
        assert await world.positions(company_id) == list(range(1, count + 1))
