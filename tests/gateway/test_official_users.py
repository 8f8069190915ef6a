"""Users, reads and every other documented method, with the unmodified libraries on two gateways."""

import asyncio
import json
from contextlib import AsyncExitStack

import pusher
import pytest

from support import node_clients
from support.gateways import APP, WATCH_APP
from support.waiting import until

EVENT = "notification"


@pytest.fixture
async def signing_in(node):
    """Start a client: `signing_in(gateway, "u1", watchlist=["u2"])`."""
    async with AsyncExitStack() as stack:

        async def start(gateway, user, *, app=APP, presence=None, **fields):
            user_data = {"id": user, **fields}
            configuration = {"port": gateway.port, "app": app, "user": user_data, "event": EVENT, "presence": presence}
            running = node_clients.running(node, "user.mjs", json.dumps(configuration))
            client = await stack.enter_async_context(running)
            assert (await client.said("signed-in"))["user"] == user_data
            return client

        yield start


def python_sdk(gateway, app=APP):
    return pusher.Pusher(
        app_id=app["id"], key=app["key"], secret=app["secret"], host="127.0.0.1", port=gateway.port, ssl=False
    )


async def by_python(gateway, method, *parameters, app=APP, **named):
    return await asyncio.to_thread(getattr(python_sdk(gateway, app), method), *parameters, **named)


async def by_node(node, gateway, *calls, app=APP):
    """Return the answers: status and body."""
    configuration = {"port": gateway.port, "app": app, "calls": calls}
    answers = await node_clients.answer(node, "backend.mjs", configuration)
    return [(answer["status"], answer["body"]) for answer in answers]


async def test_096_both_sdks_send_to_a_user_of_pusher_js(node, gateways, signing_in):
    here, there = gateways
    client = await signing_in(here, "js-1;@x", user_info={"name": "Zoë"})
    assert (await client.said("subscribed"))["channel"] == "#server-to-user-js-1;@x"

    assert await by_python(there, "send_to_user", "js-1;@x", EVENT, {"n": 1}) == {}
    assert await by_node(node, there, ["sendToUser", ["js-1;@x", EVENT, {"n": 2}]]) == [(200, "{}")]

    assert [(await client.said("heard"))["data"] for _ in range(2)] == [{"n": 1}, {"n": 2}]


async def test_055_pusher_js_joins_a_presence_channel_as_the_user_it_is(gateways, signing_in):
    client = await signing_in(gateways[1], "js-member", user_info={"name": "Ada"}, presence="presence-of-users")

    assert (await client.said("joined"))["me"] == {"id": "js-member", "info": {"name": "Ada"}}


async def test_089_both_sdks_send_a_user_away_for_good(node, gateways, signing_in):
    here, there = gateways
    for user, terminate in (
        ("js-away,1", lambda: by_python(there, "terminate_user_connections", "js-away,1")),
        ("js|away 2", lambda: by_node(node, there, ["terminateUserConnections", ["js|away 2"]])),
    ):
        client = await signing_in(here, user)

        assert await terminate() in ({}, [(200, "{}")])

        assert (await client.said("error"))["code"] == 4009
        await client.said("disconnected")


async def test_091_093_pusher_js_hears_who_is_online(gateways, signing_in):
    here, there = gateways
    watcher = await signing_in(here, "js-w1", app=WATCH_APP, watchlist=["js-w2"])
    assert (await watcher.said("online", "offline")) == {"what": "offline", "users": ["js-w2"]}

    async with there.connect(WATCH_APP) as other:
        await other.sign_in("js-w2")
        assert (await watcher.said("online", "offline")) == {"what": "online", "users": ["js-w2"]}
    assert (await watcher.said("online", "offline")) == {"what": "offline", "users": ["js-w2"]}


CHANNEL = "presence-cache-of-sdks"


async def test_128_every_method_of_the_python_sdk(gateways):
    here, there = gateways
    sdk = python_sdk(here)
    async with there.connect() as client, here.connect() as user:
        signed = sdk.authenticate(CHANNEL, client.socket_id, {"user_id": "py", "user_info": {"name": "Zoë"}})
        await client.subscribe(CHANNEL, **signed)
        assert await client.entered(CHANNEL) == {"py": {"name": "Zoë"}}
        assert (await client.frame())["event"] == "pusher:cache_miss"
        user_data = sdk.authenticate_user(user.socket_id, {"id": "py", "user_info": {"name": "Zoë"}})
        await user.ask_to_sign_in(user_data["user_data"], auth=user_data["auth"])
        assert (await user.frame())["event"] == "pusher:signin_success"

        assert await by_python(here, "trigger", CHANNEL, EVENT, {"n": 1}) == {}
        assert await by_python(here, "trigger", [CHANNEL, "news"], EVENT, "x", client.socket_id) == {}
        batch = [{"channel": CHANNEL, "name": EVENT, "data": {"n": 2}, "socket_id": "1.1"}]
        assert await by_python(here, "trigger_batch", batch) == {}
        assert await by_python(here, "send_to_user", "py", EVENT, {"n": 3}) == {}
        for heard, data in ((client, '{"n": 1}'), (client, '{"n": 2}'), (user, '{"n": 3}')):
            assert (await heard.event())[2] == data

        told = await by_python(here, "channels_info", "presence-cache-of-", ["user_count"])
        assert told == {"channels": {CHANNEL: {"user_count": 1}}}
        assert CHANNEL in (await by_python(here, "channels_info"))["channels"]
        told = await by_python(here, "channel_info", CHANNEL, ["user_count", "subscription_count", "cache"])
        assert (told["occupied"], told["user_count"], told["subscription_count"]) == (True, 1, 1)
        assert told["cache"]["data"] == '{"n": 2}'
        assert await by_python(here, "channel_info", "nowhere") == {"occupied": False}
        assert await by_python(here, "users_info", CHANNEL) == {"users": [{"id": "py"}]}

        assert await by_python(here, "terminate_user_connections", "py") == {}
        assert (await user.closing())[0] == 4009
        await client.hears_nothing()


async def test_128_the_python_sdk_sees_refusals(gateway):
    with pytest.raises(pusher.errors.PusherBadRequest, match="user_count"):
        await by_python(gateway, "channels_info", "private-", ["user_count"])
    with pytest.raises(pusher.errors.PusherBadRequest, match="presence"):
        await by_python(gateway, "users_info", "news")
    with pytest.raises(pusher.errors.PusherBadAuth):
        await by_python(gateway, "channels_info", app=APP | {"secret": "wrong"})


async def test_128_every_method_of_the_node_sdk(node, gateways):
    here, there = gateways
    async with there.connect() as client, there.connect() as user:
        await client.enter("presence-of-node", "n1")
        await client.join("cache-of-node")
        await user.sign_in("node")
        batch = [
            {"channel": "presence-of-node", "name": EVENT, "data": {"n": 2}, "info": "user_count"},
            {"channel": "cache-of-node", "name": EVENT, "data": "x", "socket_id": client.socket_id},
        ]

        answers = await by_node(
            node,
            here,
            ["trigger", ["presence-of-node", EVENT, {"n": 1}, {"info": "user_count,subscription_count"}]],
            ["triggerBatch", [batch]],
            ["sendToUser", ["node", EVENT, {"n": 3}]],
            ["get", [{"path": "/channels", "params": {"filter_by_prefix": "presence-of-n", "info": "user_count"}}]],
            ["get", [{"path": "/channels/presence-of-node", "params": {"info": "subscription_count,user_count"}}]],
            ["get", [{"path": "/channels/cache-of-node", "params": {}}]],
            ["get", [{"path": "/channels/presence-of-node/users"}]],
            ["get", [{"path": "/channels/news/users"}]],
            ["post", [{"path": "/events", "body": {"name": EVENT, "channels": ["cache-of-node"], "data": "y"}}]],
            ["terminateUserConnections", ["node"]],
        )

        assert answers == [
            (200, '{"channels":{"presence-of-node":{"user_count":1,"subscription_count":1}}}'),
            (200, '{"batch":[{"user_count":1},{}]}'),
            (200, "{}"),
            (200, '{"channels":{"presence-of-node":{"user_count":1}}}'),
            (200, '{"occupied":true,"user_count":1,"subscription_count":1}'),
            (200, '{"occupied":true}'),
            (200, '{"users":[{"id":"n1"}]}'),
            (400, "Only presence channels have users\n"),
            (200, "{}"),
            (200, "{}"),
        ]
        assert [(await client.event())[2] for _ in range(3)] == ['{"n":1}', '{"n":2}', "y"]
        assert (await user.event())[2] == '{"n":3}'
        assert (await user.closing())[0] == 4009
        await client.hears_nothing()


async def test_152_an_encrypted_channel_is_relayed_as_it_is(gateway):
    sdk = pusher.Pusher(
        app_id=APP["id"],
        key=APP["key"],
        secret=APP["secret"],
        host="127.0.0.1",
        port=gateway.port,
        ssl=False,
        encryption_master_key_base64="aXBmLU1hc3RlciBrZXktMzItYnl0ZXMtbG9uZyEhISE=",
    )
    async with gateway.connect() as client:
        signed = sdk.authenticate("private-encrypted-sdk", client.socket_id)
        await client.subscribe("private-encrypted-sdk", auth=signed["auth"])
        await client.frame()

        await asyncio.to_thread(sdk.trigger, "private-encrypted-sdk", EVENT, {"secret": 1})

        name, _, data = await client.event()
        assert name == EVENT
        assert set(json.loads(data)) == {"nonce", "ciphertext"}


async def test_a_user_of_pusher_js_signs_in_again_after_a_restart(new_gateway, nats, signing_in):
    gateway = new_gateway(nats)
    client = await signing_in(gateway, "js-back")
    await asyncio.to_thread(gateway.stop)
    gateway.start()
    assert (await client.said("signed-in"))["user"]["id"] == "js-back"

    async def sent():
        return await by_python(gateway, "send_to_user", "js-back", EVENT, "hello") == {}

    await until(sent)
    assert (await client.said("heard"))["data"] == "hello"
