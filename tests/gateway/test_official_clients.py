"""The official libraries, unmodified: pusher-js and Laravel Echo listen, the Python and Node.js SDKs trigger."""

import asyncio
import json
from contextlib import asynccontextmanager

import pusher
import pytest

from support import node_clients
from support.gateways import APP

LIBRARIES = ("pusher", "echo")
EVENT = "lead.created"
RECONNECT = 90  # seconds; pusher-js waits 15 when nobody listens on the port


def listening(node, library, gateway):
    configuration = {"port": gateway.port, "app": APP, "public": "news", "private": "orders", "event": EVENT}
    return node_clients.running(node, "client.mjs", library, json.dumps(configuration))


@asynccontextmanager
async def whispering(node, gateway):
    """Yield an Echo client that has joined."""
    configuration = {"port": gateway.port, "app": APP, "channel": "chat", "event": "typing"}
    async with node_clients.running(node, "whisper.mjs", json.dumps(configuration)) as listener:
        await listener.said("subscribed")
        yield listener


async def subscribed(listener):
    await listener.said("subscribed")
    await listener.said("subscribed")


async def trigger_by_node(node, gateway, channels, socket_id=None, app=APP):
    event = {"channels": channels, "event": EVENT, "data": {"a": "é"}, "socketId": socket_id}
    return await node_clients.answer(node, "trigger.mjs", {"port": gateway.port, "app": app, **event})


def python_sdk(gateway, **changes):
    app = APP | changes
    return pusher.Pusher(
        app_id=app["id"], key=app["key"], secret=app["secret"], host="127.0.0.1", port=gateway.port, ssl=False
    )


async def trigger_by_python(gateway, channels, data, socket_id=None):
    return await asyncio.to_thread(python_sdk(gateway).trigger, channels, EVENT, data, socket_id)


@pytest.mark.parametrize("library", LIBRARIES)
async def test_143_145_a_public_and_a_private_channel_hear_events(node, gateway, library):
    async with listening(node, library, gateway) as listener:
        connected = await listener.said("connected")
        await subscribed(listener)

        answer = await trigger_by_python(gateway, ["news", "private-orders"], {"name": "Zoë", "n": 1})

        assert answer == {}
        heard = [await listener.said("heard"), await listener.said("heard")]
        assert [one["data"] for one in heard] == [{"name": "Zoë", "n": 1}] * 2
        assert {one["channel"].removeprefix("private-") for one in heard} == {"news", "orders"}
        assert connected["socketId"]


async def test_113_147_the_sdks_exclude_a_socket(node, gateway):
    async with listening(node, "pusher", gateway) as author, listening(node, "echo", gateway) as other:
        socket_id = (await author.said("connected"))["socketId"]
        await subscribed(author)
        await subscribed(other)

        await trigger_by_python(gateway, "news", "by python", socket_id)
        assert await trigger_by_node(node, gateway, ["news"], socket_id) == {"status": 200, "body": "{}"}
        await trigger_by_python(gateway, "news", "for all")

        assert [(await other.said("heard"))["data"] for _ in range(3)] == ["by python", {"a": "é"}, "for all"]
        assert (await author.said("heard"))["data"] == "for all"


async def test_116_the_sdks_trigger_batches(node, gateways):
    here, there = gateways
    async with here.connect() as near, there.connect() as far:
        for client in (near, far):
            await client.join("batched")
        batch = [{"channel": "batched", "name": str(number), "data": {"n": number}} for number in range(10)]

        assert await asyncio.to_thread(python_sdk(here).trigger_batch, batch) == {}
        ours = {"port": there.port, "app": APP, "batch": batch}
        assert await node_clients.answer(node, "trigger-batch.mjs", ours) == {"status": 200, "body": "{}"}

        for client in (near, far):
            heard = [await client.event() for _ in range(20)]
            assert [name for name, _, _ in heard] == [str(number) for number in range(10)] * 2
            assert [json.loads(data)["n"] for _, _, data in heard] == list(range(10)) * 2

        too_many = {"port": there.port, "app": APP, "batch": [*batch, batch[0]]}
        assert (await node_clients.answer(node, "trigger-batch.mjs", too_many))["status"] == 400
        large = [*batch[:9], {"channel": "batched", "name": "x", "data": "x" * 10_241}]
        assert (await node_clients.answer(node, "trigger-batch.mjs", too_many | {"batch": large}))["status"] == 413
        for client in (near, far):
            await client.hears_nothing()


async def test_149_echo_whispers_between_two_gateways(node, gateways):
    here, there = gateways
    async with whispering(node, here) as left, whispering(node, there) as right:
        left.tell({"name": "Zoë"})
        assert (await right.said("heard"))["data"] == {"name": "Zoë"}

        right.tell("thanks")
        assert (await left.said("heard"))["data"] == "thanks"  # and not its own


async def test_the_sdks_see_a_refusal(node, gateway):
    with pytest.raises(pusher.errors.PusherBadAuth, match="Invalid signature"):
        await asyncio.to_thread(python_sdk(gateway, secret="wrong").trigger, "news", EVENT, {})

    answer = await trigger_by_node(node, gateway, ["news"], app=APP | {"secret": "wrong"})
    assert answer == {"status": 401, "body": "Invalid signature\n"}


@pytest.mark.parametrize("ended", ["stop", "kill"])
async def test_024_where_the_port_outlives_the_gateway_pusher_js_waits_for_the_successor_and_is_never_refused(
    node, new_gateway, nats, ended
):
    gateway = new_gateway(nats, holds_port=True, arguments=["--workers", "1"], drain_seconds="0.5")
    async with listening(node, "pusher", gateway) as pusher_js:
        await pusher_js.said("connected")
        await subscribed(pusher_js)

        await asyncio.to_thread(getattr(gateway, ended))
        if ended == "stop":
            assert (await pusher_js.said("error"))["code"] == 4200
        await pusher_js.said("connecting")
        gateway.start()

        # "unavailable" only says that it has waited for ten seconds, as on a busy machine.
        again = await pusher_js.said("connected", "connecting", "failed", "error", within=RECONNECT)
        assert again["what"] == "connected"
        await subscribed(pusher_js)


async def test_024_after_a_restart_the_clients_come_back_by_themselves(node, new_gateway, nats):
    gateway = new_gateway(nats)
    async with listening(node, "pusher", gateway) as pusher_js, listening(node, "echo", gateway) as echo:
        first = [(await listener.said("connected"))["socketId"] for listener in (pusher_js, echo)]
        for listener in (pusher_js, echo):
            await subscribed(listener)

        await asyncio.to_thread(gateway.stop)
        for listener in (pusher_js, echo):
            assert (await listener.said("error"))["code"] == 4200
        gateway.start()

        second = [(await listener.said("connected", within=RECONNECT))["socketId"] for listener in (pusher_js, echo)]
        assert not set(first) & set(second)
        for listener in (pusher_js, echo):
            await subscribed(listener)
        await trigger_by_python(gateway, "private-orders", "welcome back")
        for listener in (pusher_js, echo):
            assert (await listener.said("heard"))["data"] == "welcome back"
