"""Several gateways on one NATS, and NATS going away."""

import asyncio
import json
from http import HTTPStatus

import httpx
import pytest

from contracts import subjects
from contracts.push import Push
from support.gateways import OTHER_APP, SUCCEEDED
from support.waiting import until


@pytest.fixture
def pair(new_gateway, nats):
    return new_gateway(nats), new_gateway(nats)


async def test_an_event_reaches_the_listeners_of_every_gateway_once(pair):
    left, right = pair
    async with left.connect() as here, right.connect() as there:
        for client in (here, there):
            await client.join("news")

        for number in range(10):
            gateway = pair[number % 2]
            assert (await gateway.trigger("news", str(number))).text == "{}"

        for client in (here, there):
            assert [(await client.event())[0] for _ in range(10)] == [str(number) for number in range(10)]
            await client.hears_nothing()


async def test_113_an_excluded_socket_hears_nothing_wherever_it_is(pair):
    left, right = pair
    async with left.connect() as here, right.connect() as there, right.connect() as other:
        for client in (here, there, other):
            await client.join("news")

        await left.trigger("news", "first", socket_id=there.socket_id)
        await right.trigger("news", "second", socket_id=here.socket_id)
        await right.trigger("news", "third", socket_id="1.1")

        assert [(await here.event())[0] for _ in range(2)] == ["first", "third"]
        assert [(await there.event())[0] for _ in range(2)] == ["second", "third"]
        assert [(await other.event())[0] for _ in range(3)] == ["first", "second", "third"]


async def test_a_push_of_the_notifier_is_delivered_byte_for_byte_and_logged_with_its_correlation_id(new_gateway, nats):
    gateway = new_gateway(nats)
    push = Push(
        app_id="4242",
        channel="private-company.1",
        event="lead.created",
        data='{"name":"Zoë /\\u00e9"}',
        key="event-1",
        correlation_id="request-7",
    )
    async with gateway.connect() as client, nats.client("notifier") as notifier:
        await client.join(push.channel)

        for _ in range(2):  # the stream drops the second
            await notifier.jetstream().publish(push.subject, push.body, headers=push.headers)

        assert await client.socket.recv() == push.body.decode()
        await client.hears_nothing()

    (line,) = [line for line in gateway.log() if line["event"] == "delivered"]
    assert line["correlation_id"] == "request-7"
    assert (line["channel"], line["event_name"], line["listeners"]) == (push.channel, "lead.created", 1)
    assert "Zo" not in json.dumps(gateway.log())


async def test_only_channels_with_listeners_are_subscribed_at_nats(new_gateway, nats):
    gateway = new_gateway(nats, linger_seconds="0.1")
    subject = subjects.live("4242", "news")
    async with nats.client() as operator:
        async with gateway.connect() as client:
            await client.join("news")
            await operator.publish(subject, b'{"event":"e","channel":"news","data":"{}"}')
            assert (await client.event())[0] == "e"
            assert await gateway.metric("gateway_channels") == 1

        async def forgotten():
            return await gateway.metric("gateway_channels") == 0

        await until(forgotten)
        await operator.publish(subject, b"{}")
        await operator.flush()
        assert await gateway.metric("gateway_pushes_total") == 1


async def test_a_channel_that_empties_and_fills_again_stays_subscribed(new_gateway, nats):
    gateway = new_gateway(nats, linger_seconds="30")
    for number in range(3):
        async with gateway.connect() as client:
            await client.join("news")
            await gateway.trigger("news", str(number))
            assert (await client.event())[0] == str(number)
        assert await gateway.metric("gateway_channels") == 1


async def test_a_nats_restart_closes_no_socket_and_events_flow_again(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as old, gateway.connect() as new:
        await old.join("news")

        nats.kill()
        await until(lambda: _status(gateway, HTTPStatus.SERVICE_UNAVAILABLE))
        refused = await gateway.trigger("news", "lost")
        await new.subscribe("private-later")
        await new.hears_nothing()
        nats.start()

        assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert await new.frame() == {"event": SUCCEEDED, "channel": "private-later", "data": "{}"}
        await until(lambda: _status(gateway, HTTPStatus.OK))
        for client, channel in ((old, "news"), (new, "private-later")):
            assert (await gateway.trigger(channel, "back")).status_code == HTTPStatus.OK
            assert await client.event() == ("back", channel, "{}")
            await client.hears_nothing()


async def test_a_gateway_that_starts_before_nats_accepts_clients_and_serves_them_later(new_nats, new_gateway):
    nats = new_nats()
    nats.ensure_streams()
    nats.stop()
    gateway = new_gateway(nats, ready=False)
    async with gateway.connect() as client:
        await client.subscribe("news")
        await client.hears_nothing()

        nats.start()

        assert (await client.frame())["event"] == SUCCEEDED
        await until(lambda: _status(gateway, HTTPStatus.OK))
        await gateway.trigger("news", "hello")
        assert (await client.event())[0] == "hello"


async def test_068_what_is_published_as_soon_as_the_success_frame_is_there_is_never_missed(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as client, nats.client() as operator:
        for number in range(300):
            channel = f"fresh-{number}"
            await client.join(channel)
            await operator.publish(
                subjects.live("4242", channel), b'{"event":"e","channel":"%s","data":""}' % channel.encode()
            )
            assert await client.event() == ("e", channel, "")


async def test_many_channels_are_subscribed_at_once(gateway):
    async with gateway.connect() as client:
        channels = [f"many-{number}" for number in range(300)]
        for channel in channels:
            await client.send("pusher:subscribe", data={"channel": channel})

        assert {(await client.frame())["channel"] for _ in channels} == set(channels)


async def test_a_slow_consumer_is_closed_and_the_others_get_everything(new_gateway, nats):
    gateway = new_gateway(nats, max_buffer_bytes="65536")
    frame = json.dumps({"event": "big", "channel": "news", "data": "x" * 10_000}).encode()
    async with gateway.connect() as healthy, gateway.raw() as slow, nats.client() as operator:
        slow.send_text('{"event":"pusher:subscribe","data":{"channel":"news"}}')
        await slow.frame()
        await healthy.join("news")
        while await gateway.metric("gateway_slow_consumers_total") == 0:
            for _ in range(50):
                await operator.publish("live.4242.news", frame)
            for _ in range(50):
                assert (await healthy.event())[0] == "big"

        assert await slow.closing() == 4200
        await operator.publish("live.4242.news", b'{"event":"last","channel":"news","data":""}')
        assert (await healthy.event())[0] == "last"


async def test_a_consumer_that_never_reads_again_is_cut(new_gateway, nats):
    gateway = new_gateway(nats, max_buffer_bytes="65536", close_seconds="0.5")
    frame = json.dumps({"event": "big", "channel": "news", "data": "x" * 10_000}).encode()
    async with gateway.raw() as slow, nats.client() as operator:
        slow.send_text('{"event":"pusher:subscribe","data":{"channel":"news"}}')
        await slow.frame()

        async def gone():
            for _ in range(50):
                await operator.publish("live.4242.news", frame)
            return await gateway.metric("gateway_connections") == 0

        await until(gone)


async def _status(gateway, status):
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{gateway.admin_url()}/readyz")).status_code == status


async def test_the_correlation_id_of_the_request_reaches_the_delivery(gateway):
    async with gateway.connect() as client:
        await client.join("correlated")
        await gateway.trigger("correlated", headers={"X-Correlation-ID": "trace-me"})
        await client.event()

    lines = [line for line in gateway.log() if line.get("correlation_id") == "trace-me"]
    assert {line["event"] for line in lines} == {"delivered", "request"}


async def test_a_repeated_idempotency_key_delivers_once_and_keys_of_apps_are_apart(gateway):
    headers = {"Idempotency-Key": f"key-{asyncio.get_running_loop().time()}"}
    async with gateway.connect() as ours, gateway.connect(OTHER_APP) as theirs:
        await ours.join("idempotent")
        await theirs.join("idempotent")
        for _ in range(2):
            for app in (ours.app, OTHER_APP):
                assert (await gateway.trigger("idempotent", app=app, headers=headers)).text == "{}"

        for client in (ours, theirs):
            await client.event()
            await client.hears_nothing()
