"""Sockets that were prepared before their user was sent away: nobody hears anything afterwards, whatever the order.

A client may connect, have its subscriptions signed, and keep the signatures until the order is over or forgotten.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from contracts import streams, subjects
from gateway.pusher import channels, expiry
from support.gateways import APP, BOUND_APP, MISS, SUCCEEDED, channel_auth, user_auth
from support.resuming import POSITION
from support.waiting import until

CHANNEL = "private-company.7"
SOON = 60
TERMINATED, SEND_BACK = 4009, 4200


def signed(user_id="ada", seconds=SOON, **fields):
    return json.dumps({"user_id": user_id, "signature_expires_at": int(time.time()) + seconds, **fields})


async def refusal(client):
    """Return the status of the subscription's refusal."""
    frame = await client.frame()
    assert frame["event"] == "pusher:subscription_error", frame
    assert (await client.frame())["event"] == "pusher:error"
    return json.loads(frame["data"])["status"]


async def sent_away(client, code=TERMINATED):
    """See it closed without hearing anything before."""
    frame = await client.frame()
    assert (frame["event"], frame["data"]["code"]) == ("pusher:error", code)
    assert (await client.closing())[0] == code


async def terminate(gateway, user_id):
    answer = await gateway.post(f"/apps/{APP['id']}/users/{user_id}/terminate_connections")
    return answer.is_success


@pytest.mark.parametrize("channel", [CHANNEL, "private-encrypted-x", "private-cache-y", "presence-z"])
@pytest.mark.parametrize(
    ("expires_at", "status"),
    [
        (lambda now: now - 1, 408),
        (lambda now: 0, 408),
        (lambda now: -now, 408),
        (lambda now: now * 1000, 400),
        (lambda now: now + expiry.LONGEST + SOON, 400),
        (lambda now: str(now + SOON), 400),
        (lambda now: now + 60.5, 400),
        (lambda now: True, 400),
        (lambda now: None, 400),
        (lambda now: [now + SOON], 400),
    ],
)
async def test_an_expired_or_unreadable_signature_opens_nothing_and_a_new_one_does(
    gateway, channel, expires_at, status
):
    async with gateway.connect() as client:
        wrong = json.dumps({"user_id": "ada", "signature_expires_at": expires_at(int(time.time()))})
        await client.subscribe(channel, channel_data=wrong)
        assert await refusal(client) == status

        await client.subscribe(channel, channel_data=signed())
        assert (await client.frame())["event"] == SUCCEEDED


async def test_the_expiry_is_part_of_what_is_signed(gateway):
    async with gateway.connect() as client:
        auth = channel_auth(client.socket_id, CHANNEL, APP, signed(seconds=-1))
        await client.subscribe(CHANNEL, auth=auth, channel_data=signed())
        assert await refusal(client) == 401
        await client.subscribe(CHANNEL, auth=auth)
        assert await refusal(client) == 401


@pytest.mark.parametrize(
    ("channel", "channel_data", "status"),
    [
        ("private-company.7-1", None, 401),
        ("private-company.7-1", '{"user_id":"ada"}', 401),
        ("private-company.7-1", {"user_id": None}, 401),
        ("private-company.7-1", {"user_id": "x" * 129}, 400),
        ("presence-company.7-1", {"user_info": {}}, 401),
        ("private-company.7-1", {}, None),
        ("presence-company.7-1", {"terminable": True}, None),
        ("private-company.7", None, None),
        ("private-other", '{"mine":1}', None),
        ("presence-other", '{"user_id":"ada"}', None),
    ],
)
async def test_an_app_may_ask_for_an_expiry_and_an_owner_on_some_channels(gateway, channel, channel_data, status):
    if isinstance(channel_data, dict):  # signed when the test runs: a signature expires
        channel_data = signed(**channel_data)
    async with gateway.connect(BOUND_APP) as client:
        await client.subscribe(channel, channel_data=channel_data)
        if status is None:
            assert (await client.frame())["event"] == SUCCEEDED
        else:
            assert await refusal(client) == status


async def test_of_many_prepared_sockets_none_hears_a_single_event_after_the_order(gateways):
    here, there = gateways
    async with AsyncExitStack() as stack:
        prepared = []
        for number in range(20):
            gateway = gateways[number % 2]
            client = await stack.enter_async_context(gateway.connect())
            channel_data = signed("hoarder", **({"leadwire": {}} if number % 4 < 2 else {}))
            prepared.append((client, channel_auth(client.socket_id, CHANNEL, APP, channel_data), channel_data))
        listener = await stack.enter_async_context(there.connect())
        await listener.join(CHANNEL)
        assert await terminate(here, "hoarder")

        async def talk():
            while True:
                await here.trigger(CHANNEL, "secret")

        talking = asyncio.create_task(talk())
        try:
            assert (await listener.event())[0] == "secret"
            for client, auth, channel_data in prepared:
                await client.subscribe(CHANNEL, auth=auth, channel_data=channel_data)
            for client, _, _ in prepared:
                await sent_away(client)
        finally:
            talking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await talking


async def purge(js, user_id):
    await js.purge_stream(streams.PUSH)


async def purge_of_the_user(js, user_id):
    await js.purge_stream(streams.PUSH, subject=subjects.push(APP["id"], channels.of_user(user_id)))


async def make_anew(js, user_id):
    await js.delete_stream(streams.PUSH)
    await streams.ensure(js)


async def age_out(js, user_id):
    config = (await js.stream_info(streams.PUSH)).config
    await js.update_stream(replace(config, max_age=1.0, duplicate_window=1.0))

    async def is_empty():
        return (await js.stream_info(streams.PUSH)).state.messages == 0

    await until(is_empty)
    await js.update_stream(config)


FORGETTING = [purge, purge_of_the_user, make_anew, age_out]


@pytest.fixture
def forgets(nats):
    """Let the stream forget its orders: `await forgets(purge, "ada")`."""

    async def forgets(how, user_id):
        async with nats.client() as client:
            await how(client.jetstream(), user_id)

    return forgets


@pytest.mark.parametrize("how", FORGETTING)
async def test_what_the_stream_has_forgotten_is_unknown_and_the_socket_is_sent_back(new_gateway, nats, forgets, how):
    gateway = new_gateway(nats)
    async with gateway.connect() as client, gateway.connect() as signing_in, gateway.connect() as other:
        await gateway.trigger("news", "before")
        channel_data = signed("gone")
        auth = channel_auth(client.socket_id, CHANNEL, APP, channel_data)
        user_data = json.dumps({"id": "gone", "signature_expires_at": int(time.time()) + SOON})
        assert await terminate(gateway, "gone")
        await gateway.trigger("news", "after")
        await forgets(how, "gone")

        await client.subscribe(CHANNEL, auth=auth, channel_data=channel_data)
        await sent_away(client, SEND_BACK)
        await signing_in.ask_to_sign_in(user_data)
        await sent_away(signing_in, SEND_BACK)
        await other.join(CHANNEL)  # nobody's: what another application signs

    async with gateway.connect() as fresh:  # has been authorised since
        await fresh.subscribe(CHANNEL, channel_data=signed("gone"))
        assert (await fresh.frame())["event"] == SUCCEEDED


@pytest.mark.parametrize("how", FORGETTING)
async def test_who_listens_stays_while_the_stream_forgets(new_gateway, nats, forgets, how):
    gateway = new_gateway(nats)
    async with gateway.connect() as client:
        await client.subscribe(CHANNEL, channel_data=signed("stays"))
        assert (await client.frame())["event"] == SUCCEEDED
        await gateway.trigger("news", "x")
        await forgets(how, "stays")
        await until(lambda: gateway.trigger(CHANNEL, "still"))
        assert (await client.event())[0] == "still"
        assert await terminate(gateway, "stays")
        await sent_away(client)


@pytest.mark.parametrize("how", FORGETTING)
async def test_a_gateway_that_missed_an_order_for_good_sends_everybody_back(new_gateway, nats, forgets, how):
    here, there = new_gateway(nats), new_gateway(nats)
    async with there.connect() as listening, there.connect() as signed_in, there.connect() as nobodys:
        await listening.subscribe(CHANNEL, channel_data=signed("missed"))
        assert (await listening.frame())["event"] == SUCCEEDED
        await signed_in.sign_in("missed")
        await nobodys.join(CHANNEL)
        os.kill(there.pid, signal.SIGSTOP)
        nats.kill()
        nats.start()
        try:
            await until(lambda: terminate(here, "missed"))
            await forgets(how, "missed")
        finally:
            os.kill(there.pid, signal.SIGCONT)

        await sent_away(listening, SEND_BACK)
        await sent_away(signed_in, SEND_BACK)
        await until(lambda: here.trigger(CHANNEL, "x"))
        assert (await nobodys.event())[0] == "x"


async def test_signing_in_with_a_signature_from_before_the_order(gateways):
    here, there = gateways
    user_data = json.dumps({"id": "late", "signature_expires_at": int(time.time()) + SOON})
    async with there.connect() as bound, there.connect() as plain:
        auth = user_auth(bound.socket_id, user_data)
        assert await terminate(here, "late")

        await bound.ask_to_sign_in(user_data, auth=auth)
        await sent_away(bound)
        await plain.sign_in("late")  # as with the hosted service

    async with here.connect() as client:
        for wrong in (0, int(time.time()) * 1000, "soon"):
            await client.ask_to_sign_in(json.dumps({"id": "late", "signature_expires_at": wrong}))
            assert (await client.frame())["event"] == "pusher:error"
        await client.sign_in("late", signature_expires_at=int(time.time()) + SOON)
        await client.hears_nothing()
        await terminate(there, "late")
        await sent_away(client)


async def test_while_nats_is_away_nobody_is_let_in_and_may_say_anything(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as client, gateway.connect() as friend:
        await friend.join(CHANNEL, "private-left")
        nats.kill()
        for channel in (CHANNEL, "private-left", "private-cache-news"):
            await client.subscribe(channel, channel_data=signed("waiting"))
        await client.send("client-x", channel=CHANNEL, data={})
        assert (await client.frame())["event"] == "pusher:error"
        await client.subscribe(CHANNEL, channel_data=signed("waiting"))
        assert (await refusal_or_error(client)) == "pusher:error"
        await client.send("pusher:unsubscribe", data={"channel": "private-left"})
        await client.hears_nothing()
        nats.start()

        heard = [await client.frame() for _ in range(3)]
        assert sorted((frame["event"], frame["channel"]) for frame in heard) == [
            (MISS, "private-cache-news"),
            (SUCCEEDED, "private-cache-news"),
            (SUCCEEDED, CHANNEL),
        ]
        await client.send("client-x", channel=CHANNEL, data={})
        assert (await friend.event())[:2] == ("client-x", CHANNEL)


async def refusal_or_error(client):
    return (await client.frame())["event"]


async def test_a_signature_for_a_socket_of_before_a_restart_opens_nothing(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as before:
        channel_data = signed()
        auth = channel_auth(before.socket_id, CHANNEL, APP, channel_data)
        gateway.kill()
    gateway.start()
    async with gateway.connect() as after:
        await after.subscribe(CHANNEL, auth=auth, channel_data=channel_data)
        assert await refusal(after) == 401


async def test_a_resumed_subscription_waits_for_the_orders_too(new_gateway, nats, forgets):
    gateway, other = new_gateway(nats), new_gateway(nats)
    async with gateway.connect() as client:
        channel_data = signed("resumer", leadwire={})
        await client.subscribe(CHANNEL, channel_data=channel_data)
        frames = [await client.frame() for _ in range(2)]
        assert [frame["event"] for frame in frames] == [SUCCEEDED, POSITION]
        place = json.loads(frames[1]["data"])
    async with gateway.connect() as prepared, other.connect() as forgotten:
        heard = {"epoch": place["epoch"], "offset": place["offset"]}
        await gateway.trigger(CHANNEL, "missed")
        assert await terminate(gateway, "resumer")
        await prepared.subscribe(CHANNEL, channel_data=signed("resumer", leadwire=heard))
        await sent_away(prepared)
        await forgets(purge_of_the_user, "resumer")
        await forgotten.subscribe(CHANNEL, channel_data=signed("resumer", leadwire=heard))
        await sent_away(forgotten, SEND_BACK)
