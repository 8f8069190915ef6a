"""One gateway is cut off from NATS while the others go on: its sockets stay, and afterwards all agree."""

import asyncio
import json

import httpx
import pytest

from support.balancer import balancer
from support.gateways import SUCCEEDED
from support.presence import Observer
from support.resuming import hear, join, place
from support.waiting import until

CHANNEL = "private-news"
LEASE = "2"

pytestmark = pytest.mark.faults


@pytest.fixture
async def front(nats):
    """What stands between one of the gateways and NATS."""
    async with balancer(nats.port) as front:
        yield front


@pytest.fixture
async def pair(front, new_gateway, nats):
    """A gateway that reaches NATS, and one that does so through the front."""
    url = nats.url("gateway").replace(f":{nats.port}", f":{front.port}")
    here = await asyncio.to_thread(new_gateway, nats, lease_seconds=LEASE)
    return here, await asyncio.to_thread(new_gateway, nats, lease_seconds=LEASE, nats_url=url)


async def cut_off(gateway, front):
    front.cut()
    await until(lambda: _is_ready(gateway, ready=False), why="the gateway has noticed")


async def _is_ready(gateway, *, ready):
    async with httpx.AsyncClient(base_url=gateway.admin_url()) as http:
        return (await http.get("/readyz")).is_success == ready


async def test_what_was_published_meanwhile_comes_once_and_in_order_before_anything_newer(pair, front, nats):
    here, there = pair
    async with here.connect() as near, there.connect() as far, there.connect() as resuming, there.connect() as late:
        await near.join(CHANNEL)
        await far.join(CHANNEL)
        _, position = await join(resuming, CHANNEL)
        await cut_off(there, front)

        names = [str(number) for number in range(20)]
        for name in names:
            assert (await here.trigger(CHANNEL, name)).text == "{}"
        assert [(await near.event())[0] for _ in names] == names
        await late.subscribe("private-late")
        for client in (far, resuming, late):
            await client.hears_nothing()  # and nobody was closed
        assert (await there.trigger(CHANNEL, "refused")).status_code == 503

        front.target = nats.port
        assert [(await far.event())[0] for _ in names] == names
        assert await late.frame() == {"event": SUCCEEDED, "channel": "private-late", "data": "{}"}
        heard, told = await hear(resuming, len(names))
        assert heard == names
        await until(lambda: _is_ready(there, ready=True))
        assert (await there.trigger(CHANNEL, "newer")).text == "{}"
        for client in (near, far):
            assert (await client.event())[0] == "newer"
            await client.hears_nothing()
        assert (await hear(resuming, 1))[0] == ["newer"]
        async with here.connect() as back:
            assert (await join(back, CHANNEL, **place(told)))[0] == ["newer"]
            heard, again = await join(resuming, "private-other")
            assert (heard, again["epoch"]) == ([], position["epoch"])


async def test_members_behind_the_cut_leave_for_the_others_and_come_back_once(pair, front, nats):
    here, there = pair
    async with here.connect() as first, here.connect() as second, there.connect() as third:
        near = Observer(first, "presence-room", "a")
        far = Observer(third, "presence-room", "c")
        for observer in (near, far):
            await observer.enter()
        await near.agree({"a", "c"})
        await cut_off(there, front)

        await near.agree({"a"})  # its lease is over
        newcomer = Observer(second, "presence-room", "b")
        await newcomer.enter()
        assert newcomer.members == {"a", "b"}
        await near.agree({"a", "b"})
        await far.client.hears_nothing()  # who hears nobody takes nobody for dead

        front.target = nats.port
        for observer in (near, newcomer, far):
            await observer.agree({"a", "b", "c"})


async def test_whispers_cross_again_after_the_cut(pair, front, nats):
    here, there = pair
    async with here.connect() as near, there.connect() as far:
        for client in (near, far):
            await client.join(CHANNEL)
        await cut_off(there, front)
        await far.send("client-lost", channel=CHANNEL, data={})
        await far.hears_nothing()
        front.target = nats.port
        await until(lambda: _is_ready(there, ready=True))

        await far.send("client-heard", channel=CHANNEL, data={"n": 1})

        frame = await near.frame()
        assert (frame["event"], json.loads(frame["data"])) == ("client-heard", {"n": 1})
