"""Presence while gateways die or freeze and NATS is away. A lease lasts two seconds here."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import pytest

from support.presence import ADDED, REMOVED, Observer, change, sees, unsubscribe
from support.waiting import until

CHANNEL = "presence-room"
LEASE = "2"

pytestmark = pytest.mark.faults


@pytest.fixture
async def enter():
    """Let a user enter on a gateway; its connection is closed at the end of the test."""
    async with AsyncExitStack() as stack:

        async def enter(gateway, user_id):
            observer = Observer(await stack.enter_async_context(gateway.connect()), CHANNEL, user_id)
            await observer.enter()
            return observer

        yield enter


@pytest.fixture
def cluster(new_gateway, nats):
    return [new_gateway(nats, lease_seconds=LEASE, idle_seconds="300") for _ in range(3)]


async def test_the_members_of_a_killed_gateway_leave_everywhere(cluster, enter):
    first, second = await enter(cluster[0], "a"), await enter(cluster[1], "b")
    for user_id in ("c", "d"):
        await enter(cluster[2], user_id)
    for observer in (first, second):
        await observer.agree({"a", "b", "c", "d"})

    cluster[2].kill()

    for observer in (first, second):
        await observer.agree({"a", "b"})
    async with cluster[1].connect() as newcomer:
        await sees(newcomer, CHANNEL, {"a", "b"})


async def test_a_gateway_that_started_after_the_death_does_not_count_the_dead(cluster, new_gateway, nats, enter):
    witness = await enter(cluster[0], "a")
    await enter(cluster[2], "c")
    await witness.agree({"a", "c"})
    cluster[2].kill()
    await witness.agree({"a"})

    async with new_gateway(nats, lease_seconds=LEASE).connect() as newcomer:
        await sees(newcomer, CHANNEL, {"a"})


async def test_the_members_of_a_stopped_gateway_leave_before_its_lease_would_end(new_gateway, nats, enter):
    left, right = (new_gateway(nats, lease_seconds="300") for _ in range(2))
    witness = await enter(left, "a")
    await enter(right, "b")
    await witness.agree({"a", "b"})

    await asyncio.to_thread(right.stop)

    await witness.agree({"a"})
    async with nats.client() as operator:
        info = await operator.jetstream().stream_info("STATE", subjects_filter="state.>")
        living = [subject for subject in info.state.subjects if subject.startswith("state.topic.")]
        assert len(living) == 2  # the one who stays, and the mark that the other left


async def test_a_user_on_three_gateways_joins_once_and_leaves_once(cluster, enter):
    witness = await enter(cluster[0], "witness")
    tabs = [await enter(gateway, "u") for gateway in cluster]
    assert await change(witness.client) == (ADDED, {"user_id": "u"})

    cluster[2].kill()
    await until(lambda: len([line for line in cluster[0].log() if line["event"] == "gateway is gone"]) == 1)
    await unsubscribe(tabs[0].client, CHANNEL)
    await witness.client.hears_nothing()
    await unsubscribe(tabs[1].client, CHANNEL)

    assert await change(witness.client) == (REMOVED, {"user_id": "u"})
    await witness.client.hears_nothing()


@asynccontextmanager
async def frozen(gateway):
    os.kill(gateway.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(gateway.pid, signal.SIGCONT)


async def test_a_gateway_that_froze_for_longer_than_its_lease_is_back_with_its_members(cluster, enter):
    witness, inside = await enter(cluster[0], "a"), await enter(cluster[2], "c")
    leaver = await enter(cluster[1], "b")
    for observer in (witness, inside):
        await observer.agree({"a", "b", "c"})

    async with frozen(cluster[2]):
        await witness.agree({"a", "b"})
        await leaver.leave()
        await witness.agree({"a"})
        late = await enter(cluster[1], "d")
        for observer in (witness, late):  # each gateway notices by a clock of its own
            await observer.agree({"a", "d"})

    for observer in (witness, late, inside):
        await observer.agree({"a", "c", "d"})
    for gateway in cluster:
        async with gateway.connect() as newcomer:
            await sees(newcomer, CHANNEL, {"a", "c", "d"})


async def test_a_gateway_that_froze_takes_nobody_else_for_dead(cluster, enter):
    witness, inside = await enter(cluster[0], "a"), await enter(cluster[2], "c")
    await inside.agree({"a", "c"})
    await witness.agree({"a", "c"})
    async with frozen(cluster[2]):
        await witness.agree({"a"})
    await witness.agree({"a", "c"})

    await inside.client.hears_nothing()
    assert not [line for line in cluster[2].log() if line["event"] == "gateway is gone"]


async def test_nats_away_for_longer_than_a_lease_closes_no_socket_and_all_agree_afterwards(cluster, nats, enter):
    observers = [await enter(gateway, user_id) for gateway, user_id in zip(cluster, "abc", strict=True)]
    for observer in observers:
        await observer.agree(set("abc"))
    leaver, waiting = observers[1], Observer((await enter(cluster[1], "d")).client, "presence-new", "d")
    for observer in observers:
        await observer.agree(set("abcd"))

    nats.kill()
    await leaver.leave()
    await waiting.client.subscribe("presence-new", channel_data='{"user_id":"d"}')
    await unsubscribe(waiting.client, CHANNEL)
    await asyncio.sleep(5)  # more than two leases: nothing can be waited for, because nothing may happen
    for observer in (*observers, waiting):
        await observer.client.hears_nothing()
    nats.start()

    await waiting.entered()
    for observer in (observers[0], observers[2]):
        await observer.agree(set("ac"))
    await leaver.enter()
    for observer in observers:
        await observer.agree(set("abc"))


async def test_records_that_the_stream_lost_are_published_again(cluster, nats, enter, new_gateway):
    observers = [await enter(gateway, user_id) for gateway, user_id in zip(cluster, "abc", strict=True)]
    for observer in observers:
        await observer.agree(set("abc"))
    async with nats.client() as operator:
        js = operator.jetstream()
        reached = (await js.stream_info("STATE")).state.last_seq
        await js.delete_stream("STATE")
        nats.ensure_streams()
        for _ in range(reached):  # the new stream is as far as the old one before anybody looks
            await js.publish("state.filler", b"")

    async with new_gateway(nats, lease_seconds=LEASE).connect() as newcomer:
        await sees(newcomer, CHANNEL, set("abc"))
    await observers[1].leave()
    await observers[1].enter()

    numbers = count()
    for observer in observers:  # all still follow the same roster
        later = await enter(cluster[0], f"later{next(numbers)}")
        await observer.follow({later.user_id})


async def test_with_nats_killed_again_and_again_all_agree_in_the_end(cluster, nats, enter):
    steady = [await enter(gateway, f"steady{number}") for number, gateway in enumerate(cluster)]
    restless = [await enter(gateway, f"restless{number}") for number, gateway in enumerate(cluster)]
    for _ in range(3):
        for one in restless:
            await one.leave()
        nats.kill()
        for one in restless:
            await one.client.subscribe(CHANNEL, channel_data=f'{{"user_id":"{one.user_id}"}}')
        nats.start()
        for one in restless:
            await one.entered()

    last = [await enter(gateway, f"last{number}") for number, gateway in enumerate(cluster)]
    ends = {one.user_id for one in last}  # what each gateway says after all else
    for one in (*steady, *restless):
        await one.follow(until=ends)
        assert one.members == ends | {other.user_id for other in (*steady, *restless)}
