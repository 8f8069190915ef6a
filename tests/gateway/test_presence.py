"""Presence channels over two gateways; the numbers are those of the conformance checklist."""

import asyncio
import json
import random
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from support.gateways import APP, INTIMATE_APP, MISS, SUCCEEDED, channel_auth
from support.presence import ADDED, REMOVED, Observer, change, unsubscribe

INFO = {"name": "Ada"}


@pytest.fixture
def channel():
    return f"presence-{uuid4()}"


async def refusal(client):
    refused, error = await client.frame(), await client.frame()
    assert (refused["event"], error["event"]) == ("pusher:subscription_error", "pusher:error")
    return json.loads(refused["data"])


async def test_045_the_snapshot_of_who_comes_first(gateway, channel):
    async with gateway.connect() as client:
        await client.subscribe(channel, channel_data=json.dumps({"user_id": "42", "user_info": INFO}))

        frame = await client.frame()

    assert frame["event"] == "pusher_internal:subscription_succeeded"
    assert json.loads(frame["data"]) == {"presence": {"count": 1, "ids": ["42"], "hash": {"42": INFO}}}


async def test_046_048_051_joins_and_leaves_reach_the_others_on_every_gateway_once(gateways, channel):
    left, right = gateways
    async with left.connect() as first, right.connect() as far, left.connect() as near:
        assert await first.enter(channel, 42, user_info=INFO) == {"42": INFO}
        assert await far.enter(channel, "7", user_info={"n": 7}) == {"42": INFO, "7": {"n": 7}}
        assert await change(first) == (ADDED, {"user_id": "7", "user_info": {"n": 7}})
        assert set(await near.enter(channel, "8")) == {"42", "7", "8"}
        for client in (first, far):
            assert await change(client) == (ADDED, {"user_id": "8"})

        await unsubscribe(far, channel)

        for client in (first, near):
            assert await change(client) == (REMOVED, {"user_id": "7"})
        for client in (first, far, near):
            await client.hears_nothing()


async def test_047_a_member_without_information_is_null_in_the_snapshot(gateway, channel):
    async with gateway.connect() as first, gateway.connect() as second:
        assert await first.enter(channel, "1") == {"1": None}
        assert await second.enter(channel, "2", user_info=None) == {"1": None, "2": None}
        assert await change(first) == (ADDED, {"user_id": "2"})


async def test_049_050_further_connections_of_a_user_cause_no_event(gateways, channel):
    async with AsyncExitStack() as stack:
        witness = await stack.enter_async_context(gateways[0].connect())
        await witness.enter(channel, "42")
        tabs = [await stack.enter_async_context(gateways[number % 2].connect()) for number in range(4)]
        for tab in tabs:
            assert set(await tab.enter(channel, "7")) == {"42", "7"}
        assert await change(witness) == (ADDED, {"user_id": "7"})

        for tab in tabs[:3]:
            await unsubscribe(tab, channel)
            await tab.hears_nothing()
        await witness.hears_nothing()
        await tabs[3].socket.close()

        assert await change(witness) == (REMOVED, {"user_id": "7"})
        await witness.hears_nothing()


async def test_052_a_silent_connection_is_a_member_until_the_pong_is_overdue(new_gateway, nats, channel):
    gateway = new_gateway(nats, idle_seconds="0.5", pong_seconds="0.5")
    async with gateway.connect() as witness, gateway.raw() as silent:
        await witness.enter(channel, "42")
        data = json.dumps({"user_id": "7"})
        auth = channel_auth(silent.socket_id, channel, APP, data)
        subscription = {"channel": channel, "auth": auth, "channel_data": data}
        silent.send_text(json.dumps({"event": "pusher:subscribe", "data": subscription}))
        assert await change(witness) == (ADDED, {"user_id": "7"})

        assert await change(witness) == (REMOVED, {"user_id": "7"})


async def test_054_broken_channel_data_is_told_to_nobody(gateway, channel):
    async with gateway.connect() as witness, gateway.connect() as client:
        await witness.enter(channel, "42")
        for channel_data in ("{}", "no json", '{"user_id":""}', '{"user_id":{}}'):
            await client.subscribe(channel, channel_data=channel_data)
            assert (await refusal(client))["status"] == 400

        await witness.hears_nothing()
        await client.enter(channel, "7")
        assert await change(witness) == (ADDED, {"user_id": "7"})


async def test_055_056_a_signed_in_user_needs_no_channel_data(gateway, channel):
    async with gateway.connect() as witness, gateway.connect() as client:
        await witness.enter(channel, "42")
        await client.subscribe(channel)
        assert (await refusal(client))["status"] == 400
        await client.sign_in("u1", user_info=INFO)

        await client.subscribe(channel)

        assert await client.entered(channel) == {"42": None, "u1": INFO}
        assert await change(witness) == (ADDED, {"user_id": "u1", "user_info": INFO})


async def test_064_a_cached_event_follows_the_snapshot(gateways):
    channel = f"presence-cache-{uuid4()}"
    async with gateways[0].connect() as first, gateways[1].connect() as second:
        await first.enter(channel, "1")
        assert await first.event() == (MISS, channel, "{}")
        await gateways[0].trigger(channel, "kept", "7")
        assert await first.event() == ("kept", channel, "7")
        assert set(await second.enter(channel, "2")) == {"1", "2"}
        assert await second.event() == ("kept", channel, "7")

        await unsubscribe(second, channel)
        assert await change(first) == (ADDED, {"user_id": "2"})
        assert await change(first) == (REMOVED, {"user_id": "2"})
        await first.send("client-x", channel=channel)
        assert set(await second.enter(channel, "2")) == {"1", "2"}
        assert await second.event() == ("kept", channel, "7")


async def test_068_no_event_comes_before_the_snapshot_and_none_after_it_is_missed(gateways, channel):
    for number in range(20):
        fresh = f"{channel}-{number}"
        async with gateways[0].connect() as client:
            await client.subscribe(fresh, channel_data='{"user_id":"7"}')
            await gateways[1].trigger(fresh, "racing")
            assert await client.entered(fresh) == {"7": None}
            await gateways[1].trigger(fresh, "after")
            names = [(await client.event())[0]]
            while names[-1] != "after":
                names.append((await client.event())[0])

        assert names in (["after"], ["racing", "after"])


async def test_071_072_a_client_event_names_its_sender_as_signed(gateways, channel):
    async with AsyncExitStack() as stack:
        sender, tab, other = [await stack.enter_async_context(gateways[number % 2].connect()) for number in range(3)]
        await sender.enter(channel, 42)
        await tab.enter(channel, "42")
        await other.enter(channel, "7")
        for client in (sender, tab):
            assert (await change(client))[0] == ADDED

        await sender.send("client-x", channel=channel, data={"a": 1}, user_id="7", socket="1.1")

        for client in (tab, other):
            frame = {"event": "client-x", "channel": channel, "data": '{"a":1}', "user_id": "42"}
            assert await client.frame() == frame
        await sender.hears_nothing()


async def test_the_latest_information_wins_for_newcomers_and_is_no_event(gateways, channel):
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateways[number % 2].connect()) for number in range(5)]
        assert await clients[0].enter(channel, "7", user_info={"v": 1}) == {"7": {"v": 1}}
        assert await clients[1].enter(channel, "7", user_info={"v": 2}) == {"7": {"v": 2}}
        assert await clients[2].enter(channel, "7", user_info={"v": 3}) == {"7": {"v": 3}}
        for client in clients[:3]:
            await client.hears_nothing()

        assert await clients[3].enter(channel, "8") == {"7": {"v": 3}, "8": None}
        await unsubscribe(clients[2], channel)  # the gateway's other connection of this user stays
        assert (await clients[4].enter(channel, "9"))["7"] == {"v": 3}


async def test_a_socket_that_gives_up_before_it_was_admitted_was_never_there(new_gateway, nats, channel):
    gateway = new_gateway(nats)
    async with gateway.connect() as client, gateway.connect() as witness:
        nats.kill()
        await client.subscribe(channel, channel_data='{"user_id":"7"}')
        await client.hears_nothing()
        await unsubscribe(client, channel)
        await client.hears_nothing()
        nats.start()

        assert await witness.enter(channel, "42") == {"42": None}
        await client.hears_nothing()
        await witness.hears_nothing()


@pytest.mark.parametrize("user_id", ["é" * 128, "\U0001f600" * 128, ".*>", "a b", "~x", "=41"])
async def test_any_user_id_crosses_the_gateways(gateways, channel, user_id):
    async with gateways[0].connect() as first, gateways[1].connect() as second:
        await first.enter(channel, "A")
        assert await second.enter(channel, user_id) == {"A": None, user_id: None}
        assert await change(first) == (ADDED, {"user_id": user_id})
        await unsubscribe(second, channel)

        assert await change(first) == (REMOVED, {"user_id": user_id})


async def test_apps_have_members_of_their_own(gateway, channel):
    async with gateway.connect() as ours, gateway.connect(INTIMATE_APP) as theirs:
        await ours.enter(channel, "1")

        assert await theirs.enter(channel, "2") == {"2": None}
        await ours.hears_nothing()


async def test_053_a_full_channel_takes_further_connections_of_its_members_only(gateways, channel):
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateways[number % 2].connect(INTIMATE_APP)) for number in range(5)]
        for number, client in enumerate(clients[:3]):
            await client.enter(channel, number)
        assert [await change(clients[0]) for _ in range(2)] == [(ADDED, {"user_id": "1"}), (ADDED, {"user_id": "2"})]
        assert await change(clients[1]) == (ADDED, {"user_id": "2"})  # so that both gateways know that it is full
        for client in clients[3:]:
            await client.subscribe(channel, channel_data='{"user_id":"new"}')
            data = await refusal(client)
            assert (data["type"], data["status"]) == ("LimitReached", 413)

        assert set(await clients[3].enter(channel, 0)) == {"0", "1", "2"}

        for client in clients[:3]:
            await client.hears_nothing()


async def test_053_of_many_who_race_for_the_last_places_never_too_many_win(gateways, channel):
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateways[number % 2].connect(INTIMATE_APP)) for number in range(10)]
        for number, client in enumerate(clients):
            await client.subscribe(channel, channel_data=json.dumps({"user_id": number}))

        answers = [(await client.frame())["event"] for client in clients]

        assert answers.count(SUCCEEDED) == 3, answers


async def test_057_joins_and_leaves_race_with_a_thousand_subscriptions(gateways, channel):
    async with AsyncExitStack() as stack:

        async def observer(number, name):
            client = await stack.enter_async_context(gateways[number % 2].connect())
            return Observer(client, channel, name)

        async def come_and_go(one):
            for _ in range(random.randrange(3)):
                await one.enter()
                await asyncio.sleep(random.random() * 0.003)
                await one.leave()

        async def come(one):
            await asyncio.sleep(random.random() * 0.01)
            await one.enter()

        restless = [await observer(number, f"restless{number}") for number in range(6)]
        steady = [await observer(number, f"steady{number}") for number in range(20)]
        last = [await observer(number, "") for number in range(2)]
        for turn in range(50):
            await asyncio.gather(*map(come_and_go, restless), *map(come, steady))
            for number, one in enumerate(last):  # what each gateway says after all else
                one.user_id = f"last{turn}.{number}"
                await one.enter()

            ends = {one.user_id for one in last}
            await asyncio.gather(*(one.follow(until=ends) for one in steady))

            for one in steady:
                assert one.members == ends | {other.user_id for other in steady}
            await asyncio.gather(*(one.leave() for one in (*steady, *last)))
