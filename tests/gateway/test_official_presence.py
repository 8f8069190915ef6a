"""Presence channels with the unmodified client libraries, on two gateways."""

import json
from contextlib import AsyncExitStack

import pytest

from support import node_clients
from support.gateways import APP

CHANGES = ("here", "joining", "leaving")
ADA, ZOE, EVE = ({"user_id": name, "user_info": {"id": name, "name": name.title()}} for name in ("ada", "zoë", "eve"))


@pytest.fixture
async def join(node):
    async with AsyncExitStack() as stack:

        async def join(library, gateway, user, channel):
            configuration = {"port": gateway.port, "app": APP, "channel": channel, "user": user}
            running = node_clients.running(node, "presence.mjs", library, json.dumps(configuration))
            return await stack.enter_async_context(running)

        yield join


def names(said):
    return sorted(member["name"] for member in said["members"])


@pytest.mark.parametrize("library", ["echo", "pusher"])
async def test_148_here_joining_and_leaving_once_per_user(gateways, join, library):
    channel = f"room-{library}"
    ada = await join(library, gateways[0], ADA, channel)
    assert names(await ada.said(*CHANGES)) == ["Ada"]
    zoe = await join(library, gateways[1], ZOE, channel)
    assert names(await zoe.said(*CHANGES)) == ["Ada", "Zoë"]
    assert await ada.said(*CHANGES) == {"what": "joining", "member": ZOE["user_info"]}

    tab = await join(library, gateways[0], ZOE, channel)  # no news for anybody
    assert names(await tab.said(*CHANGES)) == ["Ada", "Zoë"]
    eve = await join(library, gateways[1], EVE, channel)
    assert names(await eve.said(*CHANGES)) == ["Ada", "Eve", "Zoë"]
    for other in (ada, zoe, tab):
        assert await other.said(*CHANGES) == {"what": "joining", "member": EVE["user_info"]}

    zoe.tell({"leave": True})
    eve.tell({"leave": True})
    for other in (ada, tab):
        assert await other.said(*CHANGES) == {"what": "leaving", "member": EVE["user_info"]}
    tab.tell({"leave": True})
    assert await ada.said(*CHANGES) == {"what": "leaving", "member": ZOE["user_info"]}


async def test_149_whispers_on_a_presence_channel_reach_the_others_and_name_the_sender(gateways, join):
    ada = await join("echo", gateways[0], ADA, "chat")
    await ada.said("here")  # before anybody else comes: only then is the other one news
    zoe = await join("pusher", gateways[1], ZOE, "chat")
    await zoe.said("here")
    await ada.said("joining")

    ada.tell({"whisper": {"typing": True}})
    assert await zoe.said("heard") == {"what": "heard", "data": {"typing": True}, "userId": "ada"}
    zoe.tell({"whisper": "me, too"})
    assert await ada.said("heard") == {"what": "heard", "data": "me, too"}  # and not its own


async def test_a_missing_user_is_refused_with_its_status(gateway, join):
    client = await join("echo", gateway, {"user_id": ""}, "nobody")

    assert await client.said("refused") == {"what": "refused", "status": 400}
