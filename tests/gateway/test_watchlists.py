"""Users who hear whether others are online; the numbers are the checklist's."""

import json
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pusher.watchlist import Watchlist
from support.gateways import APP, SIGNED_IN, WATCH_APP
from support.waiting import until

NEWS = "pusher_internal:watchlist_events"


async def news(client):
    """Read a watchlist frame; return its groups."""
    frame = await client.frame()
    assert set(frame) == {"event", "data"}, frame
    assert frame["event"] == NEWS
    data = json.loads(frame["data"])
    assert set(data) == {"events"}
    groups = {group["name"]: group["user_ids"] for group in data["events"]}
    assert len(groups) == len(data["events"])
    assert all(groups.values())
    return groups


async def hears_online(client, *users):
    """Read on until these are online; nobody else may be told."""
    missing = set(users)
    while missing:
        groups = await news(client)
        assert set(groups.get("offline", ())) <= missing
        missing -= set(groups.get("online", ()))


@pytest.fixture
async def sign_in(gateways):
    """Sign in on one of two gateways: `sign_in(1, "u1", watchlist=["u2"])`."""
    async with AsyncExitStack() as stack:

        async def sign_in(number, user, **fields):
            client = await stack.enter_async_context(gateways[number].connect(WATCH_APP))
            await client.sign_in(user, **fields)
            return client

        yield sign_in


@pytest.mark.parametrize("elsewhere", [0, 1])
async def test_091_092_093_who_is_online_and_who_comes_and_goes(sign_in, elsewhere):
    await sign_in(elsewhere, "w-u2")
    await hears_online(await sign_in(0, "w-u0", watchlist=["w-u2"]), "w-u2")
    watcher = await sign_in(0, "w-u1", watchlist=["w-u2", "w-u3"])
    assert await news(watcher) == {"online": ["w-u2"], "offline": ["w-u3"]}

    first = await sign_in(elsewhere, "w-u3")
    assert await news(watcher) == {"online": ["w-u3"]}
    second = await sign_in(1 - elsewhere, "w-u3")
    await second.socket.close()
    await watcher.hears_nothing()
    await first.socket.close()
    assert await news(watcher) == {"offline": ["w-u3"]}
    await watcher.hears_nothing()


async def test_091_all_online_or_all_offline_is_one_group_and_nobody_is_no_frame(sign_in):
    nobody = await sign_in(0, "g-u1", watchlist=[])
    await hears_online(await sign_in(1, "g-u0", watchlist=["g-u1"]), "g-u1")
    assert await news(await sign_in(1, "g-u2", watchlist=["g-u1"])) == {"online": ["g-u1"]}
    assert await news(await sign_in(1, "g-u3", watchlist=["g-u8", "g-u9"])) == {"offline": ["g-u8", "g-u9"]}
    await nobody.hears_nothing()


async def test_094_only_the_first_of_too_many_are_watched(sign_in, gateway):
    async with gateway.connect(WATCH_APP) as client:
        await client.ask_to_sign_in(json.dumps({"id": "l-u1", "watchlist": [f"l-w{number}" for number in range(6)]}))

        assert (await client.frame())["event"] == SIGNED_IN
        error = await client.frame()
        assert (error["event"], error["data"]["code"]) == ("pusher:error", 4302)
        assert await news(client) == {"offline": [f"l-w{number}" for number in range(5)]}
        await sign_in(1, "l-w5")
        await sign_in(1, "l-w4")
        assert await news(client) == {"online": ["l-w4"]}


async def test_095_without_the_feature_nobody_hears_of_others(gateway):
    async with gateway.connect(APP) as watcher, gateway.connect(APP) as other:
        await watcher.sign_in("o-u1", watchlist=[f"o-u{number}" for number in range(2, 200)])
        await other.sign_in("o-u2")
        await watcher.hears_nothing()


async def test_signing_in_again_replaces_the_watchlist(sign_in):
    client = await sign_in(0, "a-u1", watchlist=["a-u2", "a-u3"])
    assert await news(client) == {"offline": ["a-u2", "a-u3"]}

    await client.sign_in("a-u1", watchlist=["a-u3"])
    assert await news(client) == {"offline": ["a-u3"]}
    await sign_in(0, "a-u2")
    await sign_in(1, "a-u3")
    assert await news(client) == {"online": ["a-u3"]}


async def test_who_watches_oneself_is_online(sign_in):
    client = await sign_in(0, "s-u1", watchlist=["s-u1", "s-u2"])
    assert await news(client) == {"online": ["s-u1"], "offline": ["s-u2"]}

    other = await sign_in(1, "s-u1")
    await other.socket.close()
    await sign_in(1, "s-u2")
    assert await news(client) == {"online": ["s-u2"]}


async def test_membership_of_a_presence_channel_is_not_being_online(sign_in, gateway):
    watcher = await sign_in(0, "p-u1", watchlist=["p-u2"])
    assert await news(watcher) == {"offline": ["p-u2"]}
    async with gateway.connect(WATCH_APP) as member:
        await member.enter("presence-room", "p-u2")
        await watcher.hears_nothing()


async def test_other_apps_do_not_count(sign_in, gateway):
    async with gateway.connect(APP) as stranger:
        await stranger.sign_in("x-u2")
        assert await news(await sign_in(0, "x-u1", watchlist=["x-u2"])) == {"offline": ["x-u2"]}


async def test_093_who_was_on_a_gateway_that_was_killed_goes_offline(new_gateway, nats):
    here, there = (new_gateway(nats, lease_seconds="2") for _ in range(2))
    async with here.connect(WATCH_APP) as watcher, there.connect(WATCH_APP) as first, there.connect(WATCH_APP) as other:
        await first.sign_in("k-u2")
        await other.sign_in("k-u3")
        await watcher.sign_in("k-u1", watchlist=["k-u2", "k-u3"])
        await hears_online(watcher, "k-u2", "k-u3")

        there.kill()

        assert await news(watcher) == {"offline": ["k-u2", "k-u3"]}


async def test_092_who_comes_while_nats_is_away_is_told_when_it_is_back(new_gateway, nats):
    here, there = (new_gateway(nats) for _ in range(2))
    async with here.connect(WATCH_APP) as watcher, there.connect(WATCH_APP) as other:
        await watcher.sign_in("n-u1", watchlist=["n-u2"])
        assert await news(watcher) == {"offline": ["n-u2"]}
        nats.kill()
        await other.ask_to_sign_in('{"id":"n-u2"}')
        await other.hears_nothing()
        nats.start()

        assert (await other.frame())["event"] == SIGNED_IN
        assert await news(watcher) == {"online": ["n-u2"]}


async def test_nothing_is_left_of_who_is_gone(new_gateway, nats):
    gateway = new_gateway(nats, linger_seconds="0")
    for _ in range(2):
        async with gateway.connect(WATCH_APP) as client, gateway.connect(WATCH_APP) as other:
            await client.sign_in("z-u1", watchlist=["z-u2"])
            assert await news(client) == {"offline": ["z-u2"]}
            await other.sign_in("z-u2", watchlist=["z-u1"])
            assert await news(client) == {"online": ["z-u2"]}
            await hears_online(other, "z-u1")

        async def forgotten():
            return [await gateway.metric(f"gateway_{name}") for name in ("channels", "records")] == [0, 1]  # its own

        await until(forgotten)


states = st.lists(st.dictionaries(st.sampled_from("abc"), st.booleans(), min_size=1), max_size=20)


@given(states)
def test_what_was_told_is_always_the_present_and_never_told_twice(steps):
    watchlist, present, told = Watchlist("me", ("a", "b", "c", "me")), dict.fromkeys("abc", False), {}
    for changes in [dict.fromkeys("abc", False), *steps]:
        present |= changes
        frame = watchlist.news(changes, present.__getitem__)
        events = [] if frame is None else json.loads(json.loads(frame)["data"])["events"]
        assert frame is None or events
        for group in events:
            for user_id in group["user_ids"]:
                state = group["name"] == "online"
                assert told.get(user_id) is not state
                told[user_id] = state
        assert told == present
