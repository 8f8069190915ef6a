"""Killed at every boundary of its sequence of effects, the notifier tells everybody everything once, in order.

`PUSH` forgets message ids at once here: what keeps a push from being stored twice is what the next process looks up.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from contracts import streams, subjects
from contracts.channels import LeadChannel
from contracts.events import Change, LeadAssigned
from notifier.dead import retry
from notifier.retries import APPLIED, MISSING, REPEATED
from support.altered import STEPS
from support.notifiers import ACME, ANA, APP_ID, BEN, World, summary
from support.waiting import until

pytestmark = pytest.mark.faults

OF_A_BATCH = [
    ("before pushes are stored", 1),
    ("in the middle of storing pushes", 1),
    ("when pushes are stored", 1),
    ("before the commit", 1),
    ("after the commit", 1),
    ("when the outbox is read", 1),
    ("before pushes are stored", 2),  # those to users
    ("in the middle of storing pushes", 2),
    ("when pushes are stored", 2),
    ("before the outbox is emptied", 1),
    ("after the outbox is emptied", 1),
    ("before the acknowledgement", 1),
    ("after the acknowledgement", 1),
]
OF_A_READING = [
    "when the outbox is read",
    "before pushes are stored",
    "in the middle of storing pushes",
    "when pushes are stored",
    "before the outbox is emptied",
    "after the outbox is emptied",
]
OF_A_DEAD_LETTER = [
    "before dead letters are stored",
    "after dead letters are stored",
    "before the commit",
    "after the commit",
]
OF_A_RETRY = [
    "before pushes are stored",
    "when pushes are stored",
    "before the commit",
    "after the commit",
    "when the outbox is read",
    "before the outbox is emptied",
    "before a dead letter is taken away",
]


async def forget_message_ids(world: World) -> None:
    js = world.operator.jetstream()
    config = (await js.stream_info(streams.PUSH)).config
    await js.update_stream(replace(config, duplicate_window=0.1))


async def assign(world: World, count: int) -> None:
    """Let Ana assign leads to Ben."""
    facts = []
    for _ in range(count):
        number = len(world.leads.feeds.get(ACME, [])) + 1
        changes = {"assigned_to": Change(old=None, new=BEN)}
        facts.append(world.leads.add(LeadAssigned(lead=summary(number, assigned_to=BEN), changes=changes), actor=ANA))
    await world.leads.publish(*facts)


async def everything_was_told_once(world: World, count: int) -> None:
    positions = list(range(1, count + 1))
    assert await world.positions(ACME) == positions
    for number in positions:
        subject = subjects.push(APP_ID, str(LeadChannel(summary(number).id)))
        assert [push.data["position"] for push in await world.stored(streams.PUSH, subject)] == [number]
    told = [push.data for push in await world.user_pushes(BEN) if push.frame["event"] == "notification.created"]
    assert [(push["position"], push["number"]) for push in told] == [(at, at) for at in positions]
    kept = world.rows("SELECT number, body ->> 'id' FROM notifications ORDER BY number")
    assert kept == [(push["number"], push["id"]) for push in told]
    assert world.rows("SELECT FROM outbox") == []


def test_every_step_of_the_sequence_is_tried() -> None:
    tried = {*dict(OF_A_BATCH), *OF_A_READING, *OF_A_DEAD_LETTER, *OF_A_RETRY}

    assert tried == STEPS.keys() - {"before a job is told"}  # test_jobs.py


@pytest.mark.parametrize(("step", "number"), OF_A_BATCH)
async def test_killed_within_a_batch(world: World, step: str, number: int) -> None:
    await forget_message_ids(world)
    await assign(world, 5)
    async with world.leads.answering():
        first = world.notifier("kill", step, str(number))
        first.start()
        await first.died()

        await world.running_notifier()
        await assign(world, 2)
        await world.reaches(ACME, 7)
        await until(lambda: not world.rows("SELECT FROM outbox"))

    await everything_was_told_once(world, 7)


@pytest.mark.parametrize("step", OF_A_READING)
async def test_killed_after_a_reading_was_answered(world: World, step: str) -> None:
    await forget_message_ids(world)
    await assign(world, 3)
    async with world.leads.answering():
        before = await world.running_notifier()
        await world.reaches(ACME, 3)
        await until(lambda: not world.rows("SELECT FROM outbox"))
        before.stop()

        first = await world.running_notifier("kill", step, "1")
        async with world.client(first, BEN) as ben:
            answer = await ben.post("/notifications/read-all", json={"before": 3})
        assert answer.json()["meta"]["unread"] == 1
        await first.died()

        second = await world.running_notifier()
        await assign(world, 1)
        await world.reaches(ACME, 4)
        async with world.client(second, BEN) as ben:
            assert (await ben.get("/notifications")).json()["meta"] == {"unread": 2, "revision": 5, "number": 4}
        await until(lambda: not world.rows("SELECT FROM outbox"))

    await everything_was_told_once(world, 4)
    told = [push.data for push in await world.user_pushes(BEN)]
    assert [push["revision"] for push in told] == [1, 2, 3, 4, 5]
    assert told[3] == {"all_before": 3, "read": True, "unread": 1, "revision": 4}


@pytest.mark.parametrize("step", OF_A_DEAD_LETTER)
async def test_killed_while_a_dead_letter_is_put_aside(world: World, step: str) -> None:
    await assign(world, 1)
    broken = world.leads.add(LeadAssigned(lead=summary(2), changes={})).model_copy(update={"data": {}})
    world.leads.feeds[ACME][1] = broken
    await world.leads.publish(broken)
    await assign(world, 1)
    async with world.leads.answering():
        first = world.notifier("kill", step, "1")
        first.start()
        await first.died()

        await world.running_notifier()
        await world.reaches(ACME, 3)

    assert await world.positions(ACME) == [1, 3]
    assert len(await world.stored(streams.DEAD)) == 1
    assert world.rows("SELECT position FROM passed_over") == [(2,)]


@pytest.mark.parametrize("step", OF_A_RETRY)
async def test_killed_while_a_dead_letter_is_applied_after_all(world: World, step: str) -> None:
    await forget_message_ids(world)
    await assign(world, 3)
    async with world.leads.answering():
        mistaken = await world.running_notifier("refuse", "2")
        await world.reaches(ACME, 3)
        await until(lambda: not world.rows("SELECT FROM outbox"))
        mistaken.stop()

        first = await world.running_notifier("kill", step, "1")
        asking = asyncio.create_task(keep_retrying(world))
        await first.died()
        asking.cancel()
        await world.running_notifier()
        outcomes = [outcome async for outcome in retried(world)]
        await until(lambda: not world.rows("SELECT FROM outbox"))

    assert outcomes[-1] in {APPLIED, REPEATED}
    assert await world.positions(ACME) == [1, 3, 2]
    told = [push.data for push in await world.user_pushes(BEN)]
    assert [(push["position"], push["number"]) for push in told] == [(1, 1), (3, 2), (2, 3)]
    assert world.rows("SELECT FROM passed_over") == []
    assert await world.stored(streams.DEAD) == []


async def keep_retrying(world: World) -> None:
    """Ask until cancelled: a notifier may be ready before it is the active one."""
    async for _outcome in retried(world):
        pass


async def retried(world: World) -> AsyncIterator[str]:
    """Ask until somebody is active, and yield the answers."""
    outcome = ""
    while outcome not in {APPLIED, REPEATED, MISSING}:
        outcome, _cause = await retry(world.operator, 1)
        yield outcome
