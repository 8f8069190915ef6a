"""An authorisation endpoint that fails now and then: unmodified client libraries with our resume helper ask again."""

import json
from contextlib import asynccontextmanager

import pytest

from support import node_clients
from support.gateways import APP

FIRST = 50  # milliseconds until the first retry
LONG = [503] * 6 + [200]  # takes longer than any retry that should not happen


class App:
    """A Node.js process, and the requests that its authorisation endpoint got."""

    def __init__(self, listener):
        self._listener = listener
        self.asked = []

    async def said(self, what):
        """Read on until it says something of this kind."""
        while True:
            said = await self._listener.said("asked", what)
            if said["what"] == "asked":
                self.asked.append(said)
            if said["what"] == what:
                return said

    def statuses(self, name):
        """Return how each request for a channel was answered; None: each sign-in."""
        return [asked["status"] for asked in self.asked if asked["name"] == name]

    def tell(self, command):
        self._listener.tell(command)

    async def waits(self):
        """Let pass what another channel needs for its many retries."""
        self.tell("control")
        while (await self.said("subscribed"))["name"] != "private-control":
            pass


@asynccontextmanager
async def running(node, library, gateway, **configuration):
    known = {"port": gateway.port, "app": APP, "controlStatuses": LONG, "firstRetry": FIRST}
    async with node_clients.running(node, "flaky.mjs", library, json.dumps(known | configuration)) as listener:
        yield App(listener)


@pytest.mark.parametrize(
    ("library", "channel"),
    [("pusher", "private-flaky"), ("pusher7", "presence-flaky"), ("echo", "private-flaky"), ("echo", "presence-flaky")],
)
async def test_a_channel_is_asked_for_until_there_is_an_answer(node, gateway, library, channel):
    statuses = [503, 500, 0, 429, "late", 404, 200]
    async with running(node, library, gateway, channel=channel, statuses=statuses) as app:
        assert (await app.said("subscribed"))["name"] == channel
        assert app.statuses(channel) == statuses
        await gateway.trigger(channel, "e", '"x"')
        assert (await app.said("heard"))["data"] == "x"


@pytest.mark.parametrize(("library", "status"), [("pusher", 401), ("pusher7", 403), ("echo", 403)])
async def test_a_refusal_is_final(node, gateway, library, status):
    channel = "private-refused"
    async with running(node, library, gateway, channel=channel, statuses=[503, status, 200]) as app:
        while (await app.said("refused"))["status"] != status:
            pass
        await app.waits()
        assert app.statuses(channel) == [503, status]


@pytest.mark.parametrize("library", ["pusher", "echo"])
async def test_who_leaves_the_channel_asks_no_more(node, gateway, library):
    channel = "private-left"
    async with running(node, library, gateway, channel=channel, statuses=[503], firstRetry=500) as app:
        await app.said("refused")
        app.tell("unsubscribe")
        await app.waits()
        assert app.statuses(channel) == [503]


@pytest.mark.parametrize("library", ["pusher", "pusher7"])
async def test_a_lost_connection_ends_the_retries_and_the_next_one_begins_anew(node, gateway, library):
    channel = "private-lost"
    async with running(node, library, gateway, channel=channel, statuses=[503, 503, 200], firstRetry=2000) as app:
        await app.said("refused")
        app.tell("disconnect")
        await app.said("disconnected")
        app.tell("connect")
        await app.said("connected")
        await app.said("subscribed")
        first, second, third = app.asked
        assert first["socketId"] != second["socketId"] == third["socketId"]


@pytest.mark.parametrize("library", ["pusher", "pusher7"])
async def test_signing_in_is_tried_until_there_is_an_answer(node, gateway, library):
    async with running(node, library, gateway, userStatuses=[503, 0, 500, 200]) as app:
        await app.said("signed-in")
        assert app.statuses(None) == [503, 0, 500, 200]
        await app.waits()
        assert len(app.statuses(None)) == 4


@pytest.mark.parametrize("library", ["pusher", "pusher7"])
async def test_a_refused_sign_in_is_final(node, gateway, library):
    async with running(node, library, gateway, userStatuses=[503, 403, 200]) as app:
        await app.waits()
        assert app.statuses(None) == [503, 403]
