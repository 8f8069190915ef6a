"""The last event of a cache channel for those who come later; the numbers are those of the conformance checklist."""

import asyncio
import json
import random
from contextlib import AsyncExitStack
from itertools import count
from uuid import uuid4

import pytest

from contracts import subjects
from contracts.push import frame
from gateway.cache import Cache, for_channel
from gateway.pusher import channels
from support.gateways import CACHES, MISS, OTHER_APP, SUCCEEDED
from support.waiting import until

MEMBER = '{"user_id":"7"}'  # all are the same user, so that nobody hears of members


@pytest.fixture(params=[*CACHES, "presence-cache-"])
def channel(request):
    return f"{request.param}{uuid4()}"


async def ask(client, channel):
    await client.subscribe(channel, **({"channel_data": MEMBER} if channel.startswith("presence-") else {}))


async def welcomed(client, channel):
    """Subscribe; return the frame right after the success frame."""
    await ask(client, channel)
    data = '{"presence":{"count":1,"ids":["7"],"hash":{"7":null}}}' if channel.startswith("presence-") else "{}"
    assert await client.frame() == {"event": SUCCEEDED, "channel": channel, "data": data}
    return await client.frame()


def missed(channel):
    return {"event": MISS, "channel": channel, "data": "{}"}


async def test_058_061_an_event_that_nobody_heard_greets_everyone_on_every_gateway(gateways, channel):
    await gateways[0].trigger(channel, "first", "1")
    await gateways[0].trigger(channel, "price", '{"v": 1.09, "\\u00e9": "é"}')

    for gateway in gateways:
        for _ in range(2):
            async with gateway.connect() as client:
                cached = await welcomed(client, channel)
                assert cached == {"event": "price", "channel": channel, "data": '{"v": 1.09, "\\u00e9": "é"}'}
                await client.hears_nothing()


async def test_059_an_empty_cache(gateways, channel):
    for gateway in gateways:
        async with gateway.connect() as client:
            assert await welcomed(client, channel) == missed(channel)
            await client.hears_nothing()


async def test_060_the_cache_outlives_the_listeners_and_the_room(new_gateway, nats, channel):
    gateway = new_gateway(nats, linger_seconds="0.1")
    async with gateway.connect() as client:
        assert await welcomed(client, channel) == missed(channel)
        await gateway.trigger(channel, "kept")
        assert (await client.event())[0] == "kept"

    async def forgotten():
        return await gateway.metric("gateway_channels") == 0

    await until(forgotten)
    async with gateway.connect() as client:
        assert (await welcomed(client, channel))["event"] == "kept"


async def test_the_cache_follows_what_is_live(gateways, channel):
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(gateways[0].connect())
        await welcomed(old, channel)
        for number in range(3):
            await gateways[1].trigger(channel, str(number))
            assert (await old.event())[0] == str(number)
            new = await stack.enter_async_context(gateways[0].connect())
            assert (await welcomed(new, channel))["event"] == str(number)
            await new.send("pusher:unsubscribe", data={"channel": channel})


async def test_062_an_event_is_forgotten_after_its_lifetime(new_gateway, nats, channel):
    here, there = (new_gateway(nats, cache_seconds="1") for _ in range(2))
    async with here.connect() as client:
        await welcomed(client, channel)
        await here.trigger(channel, "short-lived")
        assert (await client.event())[0] == "short-lived"

        for gateway in (here, there):  # one heard it, the other asks the stream

            async def gone(gateway=gateway):
                async with gateway.connect() as newcomer:
                    return await welcomed(newcomer, channel) == missed(channel)

            await until(gone)


def test_062_the_lifetime_counts_from_storing():
    now = 1000.0
    cache = Cache("cache-x", lifetime=60, now=lambda: now)
    miss = cache.greeting()
    cache.keep(b"event", stored=950.0)
    assert cache.greeting() == b"event"

    now = 1010.0

    assert cache.greeting() == miss
    assert b"pusher:cache_miss" in miss


@pytest.mark.parametrize("name", ["private-cache-a", "private-encrypted-cache-a"])
async def test_063_client_events_never_change_the_cache(gateways, name):
    channel = f"{name}{uuid4()}"
    async with gateways[0].connect() as sender, gateways[1].connect() as other:
        for client in (sender, other):
            assert await welcomed(client, channel) == missed(channel)
        await sender.send("client-x", channel=channel)
        assert (await other.event())[0] == "client-x"
        async with gateways[1].connect() as newcomer:
            assert await welcomed(newcomer, channel) == missed(channel)

        await gateways[0].trigger(channel, "stored")
        assert (await other.event())[0] == "stored"
        await sender.send("client-y", channel=channel)
        assert (await other.event())[0] == "client-y"

    async with gateways[1].connect() as newcomer:
        assert (await welcomed(newcomer, channel))["event"] == "stored"


def test_064_only_cache_channels_have_a_cache():
    for kind in channels.Kind:
        has_one = for_channel("1", f"{kind.value}a", lifetime=1, now=float, on_miss=print) is not None
        assert has_one == ("cache-" in kind.value)
    for name in ("x-cache-a", "private-x-cache-a", "cache", "private-cache"):
        assert for_channel("1", name, lifetime=1, now=float, on_miss=print) is None


async def test_064_no_cache_frame_on_another_channel(gateway):
    async with gateway.connect() as client:
        await gateway.trigger("x-cache-a", "before")
        await client.join("x-cache-a")

        await client.hears_nothing()


async def test_an_excluded_socket_finds_the_event_in_the_cache(gateway, channel):
    async with gateway.connect() as author, gateway.connect() as other:
        for client in (author, other):
            await welcomed(client, channel)
        await gateway.trigger(channel, "mine", socket_id=author.socket_id)
        assert (await other.event())[0] == "mine"
        await author.hears_nothing()

        await author.send("pusher:unsubscribe", data={"channel": channel})
        assert (await welcomed(author, channel))["event"] == "mine"


async def test_the_cached_frame_is_the_stored_one_byte_for_byte(gateway, nats_server, channel):
    stored = b'{"event":"e","channel":"%s","data":"{\\"name\\":\\"Zo\xc3\xab\\"}"}' % channel.encode()
    async with nats_server.client() as operator, gateway.connect() as client:
        await operator.jetstream().publish(subjects.push("4242", channel), stored)
        await ask(client, channel)

        assert (await client.frame())["event"] == SUCCEEDED
        assert (await client.socket.recv()).encode() == stored


async def test_apps_have_caches_of_their_own(gateway, channel):
    await gateway.trigger(channel, "ours")
    async with gateway.connect(OTHER_APP) as client:
        assert await welcomed(client, channel) == missed(channel)


class Publisher:
    """Stores numbers on channels, each counted from 1."""

    def __init__(self, operator):
        self._operator = operator
        self._numbers = {}

    async def publish(self, channel):
        number = next(self._numbers.setdefault(channel, count(1)))
        await self._operator.publish(subjects.push("4242", channel), frame("n", channel, str(number)))


async def heard(client, ends, already=()):
    """Read until every channel has had its last number; return channel → numbers, 0 for a miss."""
    numbers = {channel: list(already) for channel in ends}
    while any(not numbers[channel] or numbers[channel][-1] != end for channel, end in ends.items()):
        got = await client.frame()
        if got["event"] == SUCCEEDED:
            assert not numbers[got["channel"]], "events before the success frame"
        else:
            numbers[got["channel"]].append(0 if got["event"] == MISS else int(got["data"]))
    return numbers


def without_gap(numbers):
    return numbers == list(range(numbers[0], numbers[-1] + 1))


async def test_the_seam_is_exact_for_300_channels_that_open_while_events_come(gateways, nats_server):
    names = [f"cache-{uuid4()}" for _ in range(300)]
    ends = dict.fromkeys(names, 20)
    async with nats_server.client() as operator, gateways[0].connect() as near, gateways[1].connect() as far:

        async def publish():
            publisher = Publisher(operator)
            for _ in range(20):
                for name in names:
                    await publisher.publish(name)
                    await asyncio.sleep(0)

        async def subscribe(client):
            for name in random.sample(names, len(names)):
                await client.send("pusher:subscribe", data={"channel": name})
                await asyncio.sleep(0.001)  # so that the openings meet every stage of publishing

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(publish())
            listening = [tasks.create_task(heard(client, ends)) for client in (near, far)]
            for client in (near, far):
                tasks.create_task(subscribe(client))

        for task in listening:
            for numbers in task.result().values():
                assert without_gap(numbers), numbers
        for client in (near, far):
            await client.hears_nothing()


async def test_an_event_stored_while_the_channel_opens_is_heard_once_though_nothing_follows(gateway, nats_server):
    names = [f"cache-{uuid4()}" for _ in range(300)]
    async with nats_server.client() as operator, gateway.connect() as client:
        publisher = Publisher(operator)
        for name in names:
            await publisher.publish(name)

        listening = asyncio.create_task(heard(client, dict.fromkeys(names, 2)))
        for name in names:
            await client.send("pusher:subscribe", data={"channel": name})
            await asyncio.sleep(random.random() * 0.004)
            await publisher.publish(name)

        for numbers in (await listening).values():
            assert without_gap(numbers), numbers
        await client.hears_nothing()


async def test_the_seam_is_exact_for_200_listeners_that_join_one_channel_while_events_come(gateways, nats_server):
    name = f"cache-{uuid4()}"
    async with nats_server.client() as operator, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateways[number % 2].connect()) for number in range(200)]
        publisher = Publisher(operator)
        joined = 0

        async def publish():
            published = 0
            while joined < len(clients) or published < 400:
                await publisher.publish(name)
                published += 1
                await asyncio.sleep(0.001)
            return published

        publishing = asyncio.create_task(publish())
        for client in clients:
            await client.send("pusher:subscribe", data={"channel": name})
            joined += 1
            if joined % 10 == 0:
                await asyncio.sleep(0.005)
        last = await publishing

        for client in clients:
            numbers = (await heard(client, {name: last}))[name]
            assert without_gap(numbers), numbers
            await client.hears_nothing()


async def test_after_nats_was_away_the_cache_is_what_the_stream_has_and_the_seam_is_exact(new_gateway, nats):
    gateway = new_gateway(nats)
    name = f"cache-{uuid4()}"
    async with gateway.connect() as old, gateway.connect() as waiting, AsyncExitStack() as stack:
        async with nats.client() as operator:
            publisher = Publisher(operator)
            assert await welcomed(old, name) == missed(name)
            await publisher.publish(name)
            assert (await old.event())[2] == "1"
        nats.kill()
        fresh = f"cache-{uuid4()}"
        await waiting.send("pusher:subscribe", data={"channel": fresh})
        await waiting.hears_nothing()
        nats.start()

        async with nats.client() as operator:
            publisher._operator = operator
            newcomers = []
            for _ in range(50):
                await publisher.publish(name)
                await publisher.publish(fresh)
                newcomer = await stack.enter_async_context(gateway.connect())
                await newcomer.send("pusher:subscribe", data={"channel": name})
                newcomers.append(newcomer)

            assert (await heard(old, {name: 51}))[name] == list(range(2, 52))
            assert without_gap((await heard(waiting, {fresh: 50}))[fresh])
            for newcomer in newcomers:
                numbers = (await heard(newcomer, {name: 51}))[name]
                assert without_gap(numbers), numbers
                await newcomer.hears_nothing()
            last = await stack.enter_async_context(gateway.connect())
            assert json.loads((await welcomed(last, name))["data"]) == 51
