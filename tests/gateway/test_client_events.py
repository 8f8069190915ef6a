"""Events of clients to each other, between two gateways; the numbers are those of the conformance checklist."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from contracts import streams
from support.gateways import CHATTY_APP, OTHER_APP, channel_auth
from support.waiting import until

CHANNEL = "private-chat"


async def joined(stack, gateway, *channels, **options):
    client = await stack.enter_async_context(gateway.connect(**options))
    await client.join(*channels)
    return client


async def refusal(client):
    """Return the code of the error that must come next."""
    frame = await client.frame()
    assert frame["event"] == "pusher:error"
    return frame["data"]["code"]


@pytest.mark.parametrize(
    "channel",
    [CHANNEL, "private-cache-chat", "private-encrypted-chat", "private-encrypted-cache-chat"],
)
async def test_069_an_object_reaches_everybody_else_as_a_compact_string(gateways, channel):
    here, there = gateways
    async with AsyncExitStack() as stack:
        sender, near, far = [await joined(stack, gateway, channel) for gateway in (here, here, there)]

        await sender.send("client-typing", channel=channel, data={"x": 1, "name": "Zoë"})

        for client in (near, far):
            assert await client.event() == ("client-typing", channel, '{"x":1,"name":"Zoë"}')
        await sender.hears_nothing()


@pytest.mark.parametrize(
    ("data", "relayed"),
    [
        pytest.param('{"x": 1}', '{"x": 1}', id="070-a-string-stays-the-same"),
        pytest.param("", "", id="070-an-empty-string"),
        pytest.param([1, None], "[1,null]", id="a-list"),
        pytest.param(None, "null", id="null"),
        pytest.param(7, "7", id="a-number"),
    ],
)
async def test_070_data_is_relayed_as_a_string(gateways, data, relayed):
    async with AsyncExitStack() as stack:
        sender, other = [await joined(stack, gateway, CHANNEL) for gateway in gateways]

        await sender.send("client-x", channel=CHANNEL, data=data)

        assert await other.event() == ("client-x", CHANNEL, relayed)


async def test_missing_data_is_an_empty_object(gateways):
    async with AsyncExitStack() as stack:
        sender, other = [await joined(stack, gateway, CHANNEL) for gateway in gateways]

        await sender.send("client-x", channel=CHANNEL)

        assert await other.event() == ("client-x", CHANNEL, "{}")


async def test_072_other_keys_are_discarded(gateways):
    async with AsyncExitStack() as stack:
        sender, other = [await joined(stack, gateway, CHANNEL) for gateway in gateways]

        await sender.send("client-x", channel=CHANNEL, data="1", user_id="7", socket_id="1.1", extra={})

        assert await other.frame() == {"event": "client-x", "channel": CHANNEL, "data": "1"}


async def test_074_an_app_without_client_events(gateway):
    async with AsyncExitStack() as stack:
        sender, other = [await joined(stack, gateway, CHANNEL, app=OTHER_APP) for _ in range(2)]

        await sender.send("client-x", channel=CHANNEL, data={})

        assert await refusal(sender) is None
        await nobody_heard(other, gateway)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"event": "client-x", "channel": "chat"}, id="075-public"),
        pytest.param({"event": "client-x", "channel": "cache-chat-1"}, id="075-cache"),
        pytest.param({"event": "client-x", "channel": "privateers"}, id="075-almost-private"),
        pytest.param({"event": "client-x", "channel": "#server-to-user-1"}, id="075-user"),
        pytest.param({"event": "client-x", "channel": "private-other"}, id="076-not-subscribed"),
        pytest.param({"event": "xclient-a", "channel": CHANNEL}, id="077-another-prefix"),
        pytest.param({"event": "client-" + "x" * 194, "channel": CHANNEL}, id="077-name-too-long"),
        pytest.param({"event": "client-x"}, id="no-channel"),
        pytest.param({"event": "client-x", "channel": 7}, id="channel-not-a-string"),
        pytest.param({"event": "client-x", "channel": CHANNEL, "data": "é" * 5121}, id="078-a-string-too-large"),
        pytest.param({"event": "client-x", "channel": CHANNEL, "data": ["x" * 10_237]}, id="078-a-value-too-large"),
    ],
)
async def test_075_to_078_refused_events_reach_nobody_and_the_connection_stays(gateway, fields):
    async with AsyncExitStack() as stack:
        public = ("chat", "privateers")
        sender = await joined(stack, gateway, CHANNEL, *public)
        other = await joined(stack, gateway, CHANNEL, "private-other", *public)

        await sender.send(**{"data": {}} | fields)

        assert await refusal(sender) is None
        await nobody_heard(other, gateway)
        await sender.send("client-good", channel=CHANNEL, data="é" * 5120)
        assert (await other.event())[0] == "client-good"


async def test_data_nested_too_deeply_is_an_error(gateway):
    async with AsyncExitStack() as stack:
        sender = await joined(stack, gateway, CHANNEL)
        deep = "[" * 400 + "]" * 400

        await sender.socket.send(f'{{"event":"client-x","channel":"{CHANNEL}","data":{deep}}}')

        assert await refusal(sender) is None
        await sender.hears_nothing()


async def test_after_unsubscribing_nothing_can_be_sent(gateway):
    async with AsyncExitStack() as stack:
        sender, other = [await joined(stack, gateway, CHANNEL) for _ in range(2)]

        await sender.send("client-last", channel=CHANNEL)
        await sender.send("pusher:unsubscribe", data={"channel": CHANNEL})
        await sender.send("client-late", channel=CHANNEL)

        assert await refusal(sender) is None
        assert (await other.event())[0] == "client-last"
        await nobody_heard(other, gateway)


async def test_079_the_eleventh_event_of_a_second_is_dropped_and_the_connection_works_on(gateways):
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(gateways[0].raw())
        auth = channel_auth(sender.socket_id, CHANNEL)
        sender.send_text(json.dumps({"event": "pusher:subscribe", "data": {"channel": CHANNEL, "auth": auth}}))
        await sender.frame()
        other = await joined(stack, gateways[1], CHANNEL)
        sender.send_text(*(whisper("client-n", str(number)) for number in range(11)))  # a second is long: at once

        assert json.loads((await sender.frame())[1])["data"]["code"] == 4301
        assert [(await other.event())[2] for _ in range(10)] == [str(number) for number in range(10)]

        async def accepted():
            sender.send_text(whisper("client-again", ""), json.dumps({"event": "pusher:ping"}))
            if json.loads((await sender.frame())[1])["event"] == "pusher:pong":
                return True
            await sender.frame()
            return False

        await until(accepted)
        assert (await other.event())[0] == "client-again"


async def test_080_the_order_of_one_sender_is_kept(gateways):
    here, there = gateways
    async with AsyncExitStack() as stack:
        sender, near, far = [await joined(stack, one, CHANNEL, app=CHATTY_APP) for one in (here, here, there)]

        for number in range(1, 101):
            await sender.send("client-n", channel=CHANNEL, data=number)

        for client in (near, far):
            assert [(await client.event())[2] for _ in range(100)] == [str(number) for number in range(1, 101)]


async def test_apps_never_hear_each_other(gateways):
    async with AsyncExitStack() as stack:
        sender = await joined(stack, gateways[0], CHANNEL)
        others = [await joined(stack, gateways[1], CHANNEL, app=app) for app in (CHATTY_APP, OTHER_APP)]
        same = await joined(stack, gateways[1], CHANNEL)

        await sender.send("client-x", channel=CHANNEL)

        assert (await same.event())[0] == "client-x"
        for other in others:
            await other.hears_nothing()


async def test_a_client_event_is_never_stored(gateway, nats_server):
    async with AsyncExitStack() as stack:
        sender, other = [await joined(stack, gateway, CHANNEL) for _ in range(2)]
        operator = await stack.enter_async_context(nats_server.client())
        before = (await operator.jetstream().stream_info(streams.PUSH)).state.last_seq

        await sender.send("client-x", channel=CHANNEL)

        assert (await other.event())[0] == "client-x"
        assert (await operator.jetstream().stream_info(streams.PUSH)).state.last_seq == before


async def test_while_nats_is_away_client_events_are_lost_and_counted(new_gateway, nats):
    gateway = new_gateway(nats)
    async with AsyncExitStack() as stack:
        sender, other = [await joined(stack, gateway, CHANNEL) for _ in range(2)]
        await asyncio.to_thread(nats.kill)

        async def counted():
            await sender.send("client-lost", channel=CHANNEL)
            await sender.send("pusher:ping", data={})
            await sender.frame()
            return await gateway.metric("gateway_client_events_total") >= 1

        await until(counted)
        assert not sender.socket.close_code
        assert not other.socket.close_code


def whisper(name, data):
    return json.dumps({"event": name, "channel": CHANNEL, "data": data})


async def nobody_heard(client, gateway):
    """Make sure that nothing came before an event triggered now."""
    await gateway.trigger(CHANNEL, "fence", app=client.app)
    assert (await client.event())[0] == "fence"
