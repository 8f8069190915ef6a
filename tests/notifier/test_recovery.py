"""What is lost comes back, and the notifier goes on by itself; stopped, it ends within seconds."""

import asyncio
import time

import pytest

from contracts import streams
from notifier.health import PATIENCE, Progress
from runtime.stream_health import StreamHealth
from support.notifiers import ACME, NotifierProcess, World
from support.waiting import until

pytestmark = pytest.mark.faults

CONSUMER = f"consumer {streams.NOTIFIER} of {streams.CRM}"


async def says(process: NotifierProcess, check: str, expected: str) -> None:
    async def it_does() -> bool:
        readiness = await process.readiness()
        return expected in readiness.get("checks", {}).get(check, "")

    await until(it_does, why=f"{check}: {expected}")


async def test_a_consumer_that_was_deleted_and_made_again_is_consumed_again(world: World) -> None:
    notifier = await world.running_notifier()
    async with world.leads.answering(), world.nats.client() as client:
        await world.leads.commit(ACME, 3)
        await world.reaches(ACME, 3)
        await client.jetstream().delete_consumer(streams.CRM, streams.NOTIFIER)
        await says(notifier, CONSUMER, "does not exist")
        assert (await notifier.readiness())["code"] == 503

        await world.leads.commit(ACME, 3)
        await streams.ensure(client.jetstream())
        await notifier.ready()
        await world.reaches(ACME, 6)

    assert await world.positions(ACME) == [1, 2, 3, 4, 5, 6]


async def test_started_before_its_consumer_it_waits(world: World) -> None:
    async with world.leads.answering(), world.nats.client() as client:
        await client.jetstream().delete_consumer(streams.CRM, streams.NOTIFIER)
        notifier = world.notifier()
        notifier.start()
        await says(notifier, CONSUMER, "does not exist")
        await world.leads.commit(ACME, 3)
        await streams.ensure(client.jetstream())
        await notifier.ready()
        await world.reaches(ACME, 3)


async def test_a_facts_stream_that_was_lost_and_made_again_is_consumed_again(world: World) -> None:
    notifier = await world.running_notifier()
    async with world.leads.answering(), world.nats.client() as client:
        await world.leads.commit(ACME, 3)
        await world.reaches(ACME, 3)
        await client.jetstream().delete_stream(streams.CRM)
        world.leads.append(ACME, 3)  # never published: the stream was away
        await says(notifier, CONSUMER, "does not exist")
        await streams.ensure(client.jetstream())
        await world.leads.commit(ACME)
        await world.reaches(ACME, 7)
        await notifier.ready()

    assert await world.positions(ACME) == [1, 2, 3, 4, 5, 6, 7]


async def test_nats_killed_and_started_again_while_facts_stream_in(world: World) -> None:
    notifier = await world.running_notifier()
    async with world.leads.answering():
        for lap in range(3):
            await world.leads.commit(ACME, 100)
            world.nats.kill()
            await says(notifier, "nats", "not connected")
            world.nats.start()
            await world.leads.commit(ACME, 10)
            await world.reaches(ACME, 110 * (lap + 1))
        await notifier.ready()

    assert await world.positions(ACME) == list(range(1, 331))


async def test_started_while_nats_is_away_it_lives_and_waits(world: World) -> None:
    world.nats.kill()
    notifier = world.notifier()
    notifier.start()
    await says(notifier, "nats", "not connected")
    world.nats.start()

    await notifier.ready()


async def test_stopped_while_nats_is_away_it_ends(world: World) -> None:
    unconnected, connected = world.notifier(), await world.running_notifier()
    world.nats.kill()
    unconnected.start()
    await says(unconnected, "nats", "not connected")
    await says(connected, "nats", "not connected")
    started = time.monotonic()

    assert [await asyncio.to_thread(process.stop) for process in (unconnected, connected)] == [0, 0]
    assert time.monotonic() - started < 10


async def test_stopped_in_the_middle_it_finishes_its_batch_and_its_heir_goes_on(world: World) -> None:
    facts = world.leads.append(ACME, 3000)
    await world.leads.publish(*facts)
    async with world.leads.answering():
        first = await world.running_notifier()
        await until(lambda: world.cursor(ACME) > 0)
        stopping = time.monotonic()
        assert await asyncio.to_thread(first.stop) == 0
        assert time.monotonic() - stopping < 5

        await world.running_notifier()
        await world.reaches(ACME, 3000)

    assert await world.positions(ACME) == list(range(1, 3001))


async def test_without_its_database_it_is_not_ready(world: World) -> None:
    notifier = world.notifier(NOTIFIER_WRITER_DATABASE_URL="postgresql://notifier_writer:x@127.0.0.1:1/notifier")
    notifier.start()

    await says(notifier, "database", "OperationalError")


async def test_a_refused_nats_password_ends_it(world: World) -> None:
    notifier = world.notifier(NOTIFIER_NATS_URL=f"nats://notifier:wrong@{world.nats.host}:{world.nats.port}")
    notifier.start()

    await until(lambda: notifier.exit_code is not None)
    assert notifier.exit_code == 1
    assert "uthorization" in notifier.log.read_text()


async def test_messages_that_wait_while_nothing_is_handled_make_it_not_ready(world: World) -> None:
    now = 0.0
    progress = Progress(lambda: now)
    consumer = {(streams.CRM, streams.NOTIFIER): progress.on_consumer}
    watching = asyncio.create_task(StreamHealth(consumers=consumer, clock=lambda: now).run(world.operator))
    await world.leads.commit(ACME, 3)
    try:
        await progress.consumer_exists.wait()
        await until(lambda: progress._waiting == 3)
        now = PATIENCE + 1

        assert await progress.check(is_active=True) == "3 messages wait and none was handled for 31 s"
        assert await progress.check(is_active=False) is None
        progress.progressed()
        assert await progress.check(is_active=True) is None
    finally:
        watching.cancel()
