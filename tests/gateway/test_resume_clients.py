"""Unmodified pusher-js and Laravel Echo with our helper, and a socket of our own: a gateway dies, and nobody misses."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from contracts.push import Push
from leadwire import paths
from support.balancer import balancer
from support.gateways import APP, QUERY, connected
from support.resuming import POSITION, join, place
from support.waiting import until

NODE_SCRIPTS = Path(__file__).parents[1] / "node"
EVENT = "lead.updated"
LIBRARIES = ("pusher", "echo")
NUMBER = 500
keys = count()


class App:
    """A Node.js process with a client library in it, and what it said."""

    def __init__(self, process):
        self._process = process
        self.heard = []
        self.positions = []
        self.sockets = []

    async def said(self, what, within=90):
        """Read on until it says something of this kind; return that line."""
        async with asyncio.timeout(within):
            while True:
                line = await self._process.stdout.readline()
                assert line, "the client ended"
                said = json.loads(line)
                if said["what"] == "heard":
                    self.heard.append(said["data"])
                elif said["what"] == "position":
                    self.positions.append(said)
                elif said["what"] == "connected":
                    self.sockets.append(said["socketId"])
                if said["what"] == what:
                    return said

    async def hears(self, number):
        """Read on until it has heard so many events."""
        while len(self.heard) < number:
            await self.said("heard")
        return self.heard


@asynccontextmanager
async def running(node, library, port, channel):
    configuration = {"port": port, "app": APP, "channel": channel, "event": EVENT}
    process = await asyncio.create_subprocess_exec(
        node, NODE_SCRIPTS / "resume.mjs", library, json.dumps(configuration), stdout=asyncio.subprocess.PIPE
    )
    try:
        app = App(process)
        await app.said("subscribed")
        yield app
    finally:
        process.kill()
        await process.communicate()


async def raw(port, channel, heard, number, joined):
    """Listen until so many events were heard, coming back as often as needed."""
    member = {}
    while len(heard) < number:
        try:
            async with connected(port, APP, f"/app/{APP['key']}?{QUERY}") as client:
                await client.subscribe(channel, channel_data=json.dumps({"leadwire": member}))
                while len(heard) < number:
                    frame = await client.frame()
                    if frame["event"] == POSITION:
                        member = place(json.loads(frame["data"]))
                        joined.set()
                    elif frame["event"] == EVENT:
                        heard.append(json.loads(frame["data"]))
        except (ConnectionClosed, OSError):
            await asyncio.sleep(0.05)  # as a real client would wait


async def store(client, channel, data, except_socket=None):
    push = Push(
        app_id=APP["id"],
        channel=channel,
        event=EVENT,
        data=json.dumps(data),
        key=f"resumed-{next(keys)}",
        except_socket=except_socket,
    )
    await client.jetstream().publish(push.subject, push.body, headers=push.headers)


async def test_a_gateway_dies_in_the_middle_of_500_events_and_everybody_hears_all_of_them_once_in_order(
    node, new_gateway, nats
):
    here, there = new_gateway(nats), new_gateway(nats)
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(balancer(here.port))
        backend = await stack.enter_async_context(nats.client())
        apps = [await stack.enter_async_context(running(node, name, front.port, "orders")) for name in LIBRARIES]
        ours = []
        joined = asyncio.Event()
        listening = asyncio.create_task(raw(front.port, "private-orders", ours, NUMBER, joined))
        reading = [asyncio.create_task(app.hears(NUMBER)) for app in apps]
        await joined.wait()
        for number in range(NUMBER):
            await store(backend, "private-orders", number)
            if number == NUMBER // 3:
                here.kill()
                front.target = there.port
            elif number == NUMBER - NUMBER // 3:  # the rest is stored while they subscribe again
                await until(lambda: all(len(app.sockets) == 2 for app in apps))

        await asyncio.wait_for(asyncio.gather(listening, *reading), 120)

        everything = list(range(NUMBER))
        assert ours == everything
        for app in apps:
            assert app.heard == everything
            while not any(told.get("resumed") for told in app.positions):
                await app.said("position")
            assert [told["resumed"] for told in app.positions if "resumed" in told] == [False, True]


@pytest.mark.parametrize("library", ["pusher", "pusher7"])
async def test_however_often_the_connection_is_cut_nothing_is_missed(node, library, new_gateway, nats):
    gateway = new_gateway(nats)
    async with (
        balancer(gateway.port) as front,
        nats.client() as backend,
        running(node, library, front.port, "cut") as app,
    ):
        await app.said("position")
        for number in range(4):
            front.close()
            await store(backend, "private-cut", number)
            assert await app.hears(number + 1) == list(range(number + 1))
        assert len(app.sockets) == 5
        assert {told["resumed"] for told in app.positions[1:] if "resumed" in told} == {True}


async def test_pusher_js_7_alone_gives_up(node, new_gateway, nats):
    gateway = new_gateway(nats)
    async with balancer(gateway.port) as front, running(node, "pusher7-alone", front.port, "cut") as app:
        front.close()
        await app.said("subscribed")
        front.close()
        await app.said("failed")


def test_the_lines_for_pusher_js_7_are_those_of_the_guide():
    script = " ".join((NODE_SCRIPTS / "resume.mjs").read_text().split())
    for guide in ("realtime.md", "realtime.pt-BR.md"):
        text = (paths.CHECKOUT / "docs" / guide).read_text()
        lines = text[text.index("for (const state of ['failed'") :].partition("```")[0]
        assert " ".join(lines.split()) in script


@pytest.mark.parametrize("library", LIBRARIES)
async def test_ones_own_events_stay_excluded_when_the_library_comes_back(node, library, new_gateway, nats):
    here, there = new_gateway(nats), new_gateway(nats)
    async with (
        balancer(here.port) as front,
        nats.client() as backend,
        running(node, library, front.port, "mine") as app,
    ):
        await app.said("position")
        front.target = there.port
        here.kill()
        await store(backend, "private-mine", "own", except_socket=app.sockets[0])
        await store(backend, "private-mine", "theirs")

        assert await app.hears(1) == ["theirs"]
        told = await app.said("position")
        assert (told["resumed"], told["replayed"]) == (True, 1)


async def test_plain_pusher_js_hears_no_positions(node, gateway):
    async with running(node, "plain", gateway.port, "quiet") as app, gateway.connect() as opted_in:
        await join(opted_in, "private-quiet")
        await gateway.trigger("private-quiet", EVENT, "1")
        await gateway.trigger("private-quiet", EVENT, "2")

        assert await app.hears(2) == [1, 2]
        assert app.positions == []


async def test_who_cannot_resume_is_told_to_load_anew(node, new_gateway, nats):
    here, there = new_gateway(nats), new_gateway(nats, max_replay_events="1")
    async with (
        balancer(here.port) as front,
        nats.client() as backend,
        running(node, "echo", front.port, "fresh") as app,
    ):
        assert (await app.said("fresh"))["channel"] == "private-fresh"
        front.target = there.port
        here.kill()
        for number in range(3):
            await store(backend, "private-fresh", number)

        assert (await app.said("fresh"))["channel"] == "private-fresh"
        await store(backend, "private-fresh", "live again")
        assert await app.hears(1) == ["live again"]
