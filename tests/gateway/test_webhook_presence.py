"""Webhooks of who comes and goes (items 132 to 135 and 142), across gateways and over their deaths."""

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from support.endpoints import HOOKED_APP, leads, only
from support.gateways import SUCCEEDED
from support.waiting import until

HOLD = 2  # seconds; what `new_hooked` sets
OCCUPIED, VACATED, ADDED, REMOVED = "channel_occupied", "channel_vacated", "member_added", "member_removed"
PRESENCE = (OCCUPIED, VACATED, ADDED, REMOVED)


@pytest.fixture
async def clients():
    """Connect clients that stay until the test ends, or leave when told: `await clients(gateway)`."""
    async with AsyncExitStack() as stack:

        async def connect(gateway):
            # With a bounded queue, a client that nobody reads from pauses: closing it would take 10 s.
            return await stack.enter_async_context(gateway.connect(HOOKED_APP, max_queue=None))

        yield connect


def pair(new_hooked, endpoint, *kinds, **fields):
    """Return two gateways, the one that leads first."""
    return [new_hooked([only(endpoint, *kinds)], **fields) for _ in range(2)]


async def by_lead(gateways):
    await until(lambda: any(map(leads, gateways)))
    return sorted(gateways, key=leads, reverse=True)


async def leave(client, channel):
    await client.send("pusher:unsubscribe", data={"channel": channel})
    await client.hears_nothing()


def names(events):
    return [event["name"] for event in events]


class TestOccupancy:
    async def test_132_133_the_first_listener_occupies_and_the_last_one_vacates_wherever_they_are(
        self, new_hooked, endpoint, clients
    ):
        left, right = pair(new_hooked, endpoint, OCCUPIED, VACATED)
        first, second = await clients(left), await clients(right)
        await first.join("news")
        assert await endpoint.heard(1) == [{"name": OCCUPIED, "channel": "news"}]
        await second.join("news")
        await leave(first, "news")
        await second.join("marker")
        await endpoint.heard(1, "marker")
        await leave(second, "marker")
        await endpoint.heard(2, "marker")
        assert names(endpoint.of("news")) == [OCCUPIED]

        left_at = asyncio.get_running_loop().time()
        await leave(second, "news")

        assert names(await endpoint.heard(2, "news")) == [OCCUPIED, VACATED]
        assert endpoint.posted[-1].at - left_at >= HOLD

    async def test_134_who_returns_in_time_was_never_gone(self, new_hooked, endpoint, clients):
        gateways = pair(new_hooked, endpoint, *PRESENCE)
        stay, reload = await clients(gateways[0]), await clients(gateways[1])
        await stay.join("news", "marker")
        await stay.enter("presence-room", "7")
        await endpoint.heard(1, "news")
        await endpoint.heard(2, "presence-room")

        for channel in ("news", "presence-room", "marker"):
            await leave(stay, channel)
        await reload.join("news")
        await reload.enter("presence-room", "7")

        assert names(await endpoint.heard(2, "marker")) == [OCCUPIED, VACATED]
        assert names(endpoint.of("news")) == [OCCUPIED]
        assert names(endpoint.of("presence-room")) == [OCCUPIED, ADDED]

    async def test_channels_of_users_are_never_told(self, new_hooked, endpoint, clients):
        (gateway, _) = pair(new_hooked, endpoint, *PRESENCE)
        client = await clients(gateway)
        await client.sign_in("u1")
        await client.subscribe("#server-to-user-u1", auth="")
        assert (await client.frame())["event"] == SUCCEEDED
        await client.join("marker")
        await endpoint.heard(1, "marker")
        await client.socket.close()

        await endpoint.heard(2, "marker")

        assert {event["channel"] for event in endpoint.events} == {"marker"}


class TestMembers:
    async def test_135_a_user_of_several_connections_comes_once_and_leaves_once(self, new_hooked, endpoint, clients):
        gateways = pair(new_hooked, endpoint, *PRESENCE)
        tabs = [await clients(gateways[number % 2]) for number in range(3)]
        for tab in tabs:
            await tab.enter("presence-room", 7)
        for tab in tabs[:2]:
            await leave(tab, "presence-room")
        assert await endpoint.heard(2) == [
            {"name": OCCUPIED, "channel": "presence-room"},
            {"name": ADDED, "channel": "presence-room", "user_id": "7"},
        ]

        await tabs[2].socket.close()

        told = await endpoint.heard(4)
        assert told[2:] == [
            {"name": REMOVED, "channel": "presence-room", "user_id": "7"},
            {"name": VACATED, "channel": "presence-room"},
        ]

    async def test_135_only_who_really_left_is_removed(self, new_hooked, endpoint, clients):
        gateways = pair(new_hooked, endpoint, ADDED, REMOVED, batchWebhooks=False)
        here, there = [await clients(gateway) for gateway in gateways]
        await here.enter("presence-room", "7")
        await there.enter("presence-room", "8")
        await endpoint.heard(2)

        await there.socket.close()

        told = await endpoint.heard(3)
        assert [(event["name"], event["user_id"]) for event in told] == [(ADDED, "7"), (ADDED, "8"), (REMOVED, "8")]


class TestCounts:
    async def test_142_counts_are_integers_and_rare_above_a_hundred(self, new_hooked, endpoint, clients):
        gateways = pair(new_hooked, endpoint, "subscription_count", enableSubscriptionCounting=True)
        some = [await clients(gateways[number % 2]) for number in range(2)]
        for number, client in enumerate(some, 1):
            await client.subscribe("news")
            await until(lambda told=number: endpoint.events[-1:] and endpoint.events[-1]["subscription_count"] == told)
        assert endpoint.events == [
            {"name": "subscription_count", "channel": "news", "subscription_count": number} for number in (1, 2)
        ]

        for number in range(120):
            await (await clients(gateways[number % 2])).subscribe("news")

        await until(lambda: endpoint.events[-1]["subscription_count"] == 122)
        many = [
            posted.document["time_ms"]
            for posted in endpoint.posted
            if any(event["subscription_count"] > 100 for event in posted.events)
        ]
        gaps = [after - before for before, after in pairwise(many)]
        assert all(gap >= 4000 for gap in gaps), gaps  # 5 s apart when counted; the times are those of sending
        assert all(type(event["subscription_count"]) is int for event in endpoint.events)

    async def test_142_without_subscription_counting_none_is_told(self, new_hooked, endpoint, clients):
        (gateway, _) = pair(new_hooked, endpoint, OCCUPIED, "subscription_count")
        await (await clients(gateway)).join("news")

        await endpoint.heard(1)

        assert names(endpoint.events) == [OCCUPIED]


class TestSurvival:
    async def test_what_was_told_is_not_told_again_by_the_successor_of_a_killed_leader(
        self, new_hooked, endpoint, clients
    ):
        leader, other = await by_lead(pair(new_hooked, endpoint, *PRESENCE))
        client = await clients(other)
        await client.join("news")
        await client.enter("presence-room", "7")
        await endpoint.heard(3)

        leader.kill()
        await until(lambda: leads(other))
        await leave(client, "news")

        await endpoint.heard(4)
        assert names(endpoint.of("news")) == [OCCUPIED, VACATED]
        assert names(endpoint.of("presence-room")) == [OCCUPIED, ADDED]

    async def test_what_happens_while_nobody_leads_is_told_later(self, new_hooked, endpoint, clients):
        leader, other = await by_lead(pair(new_hooked, endpoint, *PRESENCE))
        client = await clients(other)
        await client.join("news")
        await endpoint.heard(1)

        leader.kill()
        await leave(client, "news")
        await client.enter("presence-room", "7")

        await endpoint.heard(4)
        assert names(endpoint.of("news")) == [OCCUPIED, VACATED]
        assert names(endpoint.of("presence-room")) == [OCCUPIED, ADDED]

    async def test_who_was_on_a_killed_gateway_is_gone_and_the_others_are_not(self, new_hooked, endpoint, clients):
        leader, other = await by_lead(pair(new_hooked, endpoint, *PRESENCE))
        stay, lost = await clients(other), await clients(leader)
        for client in (stay, lost):
            await client.enter("presence-room", "7")
        await lost.enter("presence-lost", "8")
        await lost.join("news")
        await endpoint.heard(5)

        leader.kill()

        await endpoint.heard(8)
        assert names(endpoint.of("presence-room")) == [OCCUPIED, ADDED]
        assert names(endpoint.of("presence-lost")) == [OCCUPIED, ADDED, REMOVED, VACATED]
        assert names(endpoint.of("news")) == [OCCUPIED, VACATED]

    async def test_a_leader_that_slept_repeats_nothing(self, new_hooked, endpoint, clients):
        leader, other = await by_lead(pair(new_hooked, endpoint, *PRESENCE))
        client = await clients(other)
        await client.join("news")
        await endpoint.heard(1)
        os.kill(leader.pid, signal.SIGSTOP)
        try:
            await until(lambda: leads(other))
            await leave(client, "news")
            await endpoint.heard(2)
        finally:
            os.kill(leader.pid, signal.SIGCONT)
        await until(lambda: not leads(leader))

        await client.join("news")

        assert names(await endpoint.heard(3)) == [OCCUPIED, VACATED, OCCUPIED]

    async def test_nats_may_restart(self, new_hooked, nats, endpoint, clients):
        gateway, _ = await by_lead(pair(new_hooked, endpoint, *PRESENCE))
        client = await clients(gateway)
        await client.join("news")
        await client.enter("presence-room", "7")
        await endpoint.heard(3)

        nats.kill()
        await leave(client, "news")
        nats.start()

        await endpoint.heard(4)
        assert names(endpoint.of("news")) == [OCCUPIED, VACATED]
        assert names(endpoint.of("presence-room")) == [OCCUPIED, ADDED]

    async def test_all_gateways_may_be_killed(self, new_hooked, endpoint, clients):
        gateways = pair(new_hooked, endpoint, *PRESENCE)
        for gateway in gateways:
            await (await clients(gateway)).enter("presence-room", "7")
        await endpoint.heard(2)
        for gateway in gateways:
            gateway.kill()

        client = await clients(new_hooked([only(endpoint, *PRESENCE)]))
        await client.join("news")

        await endpoint.heard(5)
        assert names(endpoint.of("presence-room")) == [OCCUPIED, ADDED, REMOVED, VACATED]
        assert names(endpoint.of("news")) == [OCCUPIED]

    async def test_kills_in_the_middle_of_churn_repeat_nothing_and_forget_nothing(self, new_hooked, endpoint, clients):
        dice = random.Random(7)
        webhooks = [only(endpoint, *PRESENCE)]
        settings = {"webhook_hold_seconds": "0.2"}
        gateways = [new_hooked(webhooks, settings=settings) for _ in range(3)]
        steady = await clients(gateways[0])
        channels = [f"presence-{number}" for number in range(20)]
        present = set()
        for _ in range(3):
            leader, *_ = await by_lead(gateways[1:] + gateways[:1])
            for _ in range(60):
                channel = dice.choice(channels)
                if channel in present:
                    await steady.send("pusher:unsubscribe", data={"channel": channel})
                else:
                    await steady.enter(channel, "7")
                present ^= {channel}
            if leader is not gateways[0]:
                leader.kill()
                gateways.remove(leader)
                gateways.append(new_hooked(webhooks, settings=settings))
        for channel in present:
            await steady.send("pusher:unsubscribe", data={"channel": channel})

        def all_told():
            told = [names(endpoint.of(channel)) for channel in channels]
            return all(not one or one[-1] == VACATED for one in told)

        await until(all_told)
        for channel in channels:
            told = names(endpoint.of(channel))
            assert told == [OCCUPIED, ADDED, REMOVED, VACATED] * (len(told) // 4), (channel, told)
