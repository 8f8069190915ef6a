"""Connections that are a user's though nobody signed in: they hear nothing of it, and end with the user."""

import json
import os
import signal
from contextlib import AsyncExitStack

import pytest

from gateway.pusher import channels, owner
from gateway.pusher.channels import Kind
from gateway.wards import Moment, Wards
from support import node_clients
from support.gateways import APP, LONELY_APP, OTHER_APP, WATCH_APP, channel_auth
from support.resuming import join, opting_in
from support.waiting import until

CHANNEL = "private-company.7"


def of(user_id, **fields):
    return json.dumps({"user_id": user_id, **fields})


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (of("ada"), Kind.PRIVATE, "ada"),
        (of("ada", leadwire={}), Kind.ENCRYPTED_CACHE, "ada"),
        (of(7), Kind.PRIVATE_CACHE, "7"),
        (of("x" * 128), Kind.PRIVATE, "x" * 128),
        (of(42.0), Kind.PRIVATE, "42"),
        (of("ada", user_info={}, terminable=True), Kind.PRESENCE, "ada"),
        (of("ada"), Kind.PRESENCE, None),
        (of("ada", terminable=1), Kind.PRESENCE_CACHE, None),
        (of(""), Kind.PRIVATE, None),
        (of(True), Kind.PRIVATE, None),
        (of(1.5), Kind.PRIVATE, None),
        (of({"user_id": "ada"}), Kind.PRIVATE, None),
        ('["user_id"]', Kind.PRIVATE, None),
        ("user_id", Kind.PRIVATE, None),
        ('{"id":"ada"}', Kind.PRIVATE, None),
        ("", Kind.PRIVATE, None),
        (None, Kind.PRIVATE, None),
        (7, Kind.PRIVATE, None),
    ],
)
def test_what_channel_data_says_of_whose_connection_it_is(data, kind, expected):
    assert owner.parse(data, kind) == expected


def test_nobody_is_let_in_before_all_orders_since_the_connection_was_established_are_known():
    wards, admitted = Wards(), []

    def add(name, at, sequence, epoch="e"):
        wards.add(name, Moment(at, epoch, sequence), lambda: admitted.append(name))

    def settle():
        for admit in wards.settled():
            admit()

    assert wards.unread("e") is None
    add("1.1", 10.0, 100)
    add("2.2", 20.0, 200)
    assert wards.unread("e") == 100
    settle()
    assert (admitted, wards.undecidable()) == ([], ["1.1", "2.2"])
    wards.order(15.0, returns=False)
    wards.know("e", 100)
    assert wards.overdue() == ["1.1"]
    wards.remove("1.1")
    settle()
    assert (admitted, wards.unread("e"), wards.waiting) == (["2.2"], None, False)

    add("3.3", 12.0, 110)  # established before the order, named after it
    assert (wards.unread("e"), wards.overdue()) == (None, ["3.3"])
    wards.remove("3.3")
    wards.order(14.0, returns=True)  # read from the stream later, but older
    add("4.4", 25.0, 90)
    assert wards.unread("e") == 90
    wards.know("e", 95)  # the stream does not reach back any further
    settle()
    assert (admitted, wards.undecidable(), wards.returns) == (["2.2"], ["4.4"], False)
    wards.remove("4.4")
    add("5.5", 30.0, 300, epoch="other")
    assert (wards.unread("e"), wards.undecidable()) == (None, ["5.5"])
    wards.remove("5.5")
    wards.forget()
    add("6.6", 30.0, 300)
    assert (wards.unread("e"), wards.overdue(), len(wards)) == (300, [], 2)


@pytest.fixture
async def subscribed():
    """Connect a client that listens as somebody's: `await subscribed(gateway, "ada")`."""
    async with AsyncExitStack() as stack:

        async def subscribed(gateway, user_id, *, app=APP, channel=CHANNEL, **fields):
            client = await stack.enter_async_context(gateway.connect(app))
            await client.subscribe(channel, channel_data=of(user_id, **fields))
            assert json.loads((await client.frame())["data"]).keys() <= {"presence"}
            await client.hears_nothing()
            return client

        yield subscribed


async def terminate(gateway, user_id, app=APP):
    return await gateway.post(f"/apps/{app['id']}/users/{user_id}/terminate_connections", app=app)


async def ordered(gateway, user_id):
    return (await terminate(gateway, user_id)).is_success


async def sent_away(*clients):
    for client in clients:
        frame = await client.frame()
        assert (frame["event"], frame["data"]["code"]) == ("pusher:error", 4009)
        assert (await client.closing())[0] == 4009


async def test_all_connections_of_the_user_end_on_every_gateway_and_no_others(gateways, subscribed):
    here, there = gateways
    theirs = [
        await subscribed(here, "owner-1"),
        await subscribed(there, "owner-1", channel="private-other"),
        await subscribed(there, "owner-1", channel="presence-desk", terminable=True),
    ]
    others = [
        await subscribed(here, "owner-2"),
        await subscribed(there, "owner-11"),
        await subscribed(here, "owner-1", app=OTHER_APP),
        await subscribed(here, "owner-1", channel="news"),  # nobody signed what is said of a public channel
    ]

    assert (await terminate(here, "owner-1")).text == "{}"

    await sent_away(*theirs)
    for client in others:
        await client.hears_nothing()


async def test_089_members_of_presence_channels_alone_are_left_alone(gateways, subscribed):
    here, there = gateways
    members = [await subscribed(gateway, "member-1", channel="presence-room") for gateway in gateways]
    signed_in = await subscribed(here, "member-1", channel="presence-room")
    await signed_in.sign_in("member-1")

    assert (await terminate(there, "member-1")).text == "{}"

    await sent_away(signed_in)
    for client in members:
        await client.hears_nothing()


async def test_who_resumes_is_sent_away_too(gateway):
    async with gateway.connect() as client:
        member = json.loads(opting_in())
        await client.subscribe("private-resumed", channel_data=json.dumps({**member, "user_id": "resumer"}))
        for _ in range(2):
            await client.frame()
        await terminate(gateway, "resumer")

        await sent_away(client)


async def test_it_hears_no_event_of_the_user_and_sends_as_nobody(gateways, subscribed):
    here, there = gateways
    client, friend = await subscribed(here, "quiet"), await subscribed(there, "friend")
    async with here.connect() as signed_in:
        await signed_in.sign_in("quiet")
        await there.trigger("#server-to-user-quiet", "secret")
        assert (await signed_in.event())[0] == "secret"
        await client.hears_nothing()

        await client.subscribe("#server-to-user-quiet")
        assert json.loads((await client.frame())["data"])["status"] == 403
        await client.frame()
    await client.send("client-x", channel=CHANNEL, data={})
    assert await friend.frame() == {"event": "client-x", "channel": CHANNEL, "data": "{}"}


async def test_it_is_neither_online_nor_counted_nor_listed(gateway, subscribed):
    async with gateway.connect(WATCH_APP) as watcher:
        await watcher.sign_in("watcher", watchlist=["owned"])
        news = json.loads((await watcher.frame())["data"])["events"]
        assert news == [{"name": "offline", "user_ids": ["owned"]}]
        client = await subscribed(gateway, "owned", app=WATCH_APP, channel="presence-x", terminable=True)
        listed = (await gateway.get("/channels", app=WATCH_APP)).json()["channels"]
        assert listed == {"presence-x": {}}
        await client.socket.close()
        await watcher.hears_nothing()

    await subscribed(gateway, "lonely", app=LONELY_APP)  # one may sign in; nobody has
    async with gateway.connect(LONELY_APP) as only:
        await only.sign_in("lonely")


async def test_leaving_the_channel_changes_nothing_but_the_end_of_the_connection_does(new_gateway, nats, subscribed):
    gateway = new_gateway(nats, linger_seconds="0.1")
    client = await subscribed(gateway, "leaver")
    await client.send("pusher:unsubscribe", data={"channel": CHANNEL})
    await client.subscribe(CHANNEL)  # signed without saying whose it is
    await client.frame()

    await terminate(gateway, "leaver")
    await sent_away(client)

    async def forgotten():
        return await gateway.metric("gateway_channels") == 0

    await until(forgotten)


async def test_a_signature_from_before_the_order_opens_nothing_after_it(gateways, subscribed):
    here, there = gateways
    async with here.connect() as early, there.connect() as earlier, there.connect() as plain:
        kept = {client: channel_auth(client.socket_id, CHANNEL, APP, of("late")) for client in (early, earlier)}
        await terminate(here, "late")
        newcomer = await subscribed(there, "late")  # has logged in again since
        for client, auth in kept.items():
            await client.subscribe(CHANNEL, auth=auth, channel_data=of("late"))
            await sent_away(client)

        await plain.join(CHANNEL)
        await newcomer.hears_nothing()
        await terminate(here, "late")
        await sent_away(newcomer)
        await plain.hears_nothing()


async def test_a_gateway_that_was_cut_off_sends_them_away_when_it_catches_up(new_gateway, nats, subscribed):
    here, there = new_gateway(nats), new_gateway(nats)
    near, far = await subscribed(here, "bad"), await subscribed(there, "bad")
    os.kill(there.pid, signal.SIGSTOP)
    nats.kill()
    nats.start()
    try:
        while (await terminate(here, "bad")).status_code == 503:
            assert near.socket.close_code is None
        await sent_away(near)
    finally:
        os.kill(there.pid, signal.SIGCONT)

    await sent_away(far)


async def test_who_subscribed_while_nats_was_away_is_sent_away_by_what_was_ordered_meanwhile(
    new_gateway, nats, subscribed
):
    here, there = new_gateway(nats), new_gateway(nats)
    async with there.connect() as client:
        nats.kill()
        await client.subscribe(CHANNEL, channel_data=of("bad"))
        await client.hears_nothing()  # it was read, and waits
        os.kill(there.pid, signal.SIGSTOP)
        nats.start()
        try:
            await until(lambda: ordered(here, "bad"))
        finally:
            os.kill(there.pid, signal.SIGCONT)

        assert (await client.closing())[0] == 4009


async def test_the_frames_are_those_of_a_connection_that_is_nobodys(gateway, subscribed):
    async with gateway.connect() as plain:
        await plain.subscribe("private-same", channel_data='{"mine":1}')
        first = await plain.socket.recv()
        async with gateway.connect() as client:
            await client.subscribe("private-same", channel_data=of("same"))
            assert await client.socket.recv() == first
            await gateway.trigger("private-same", "x")
            assert await client.socket.recv() == await plain.socket.recv()
            await client.hears_nothing()
            _, position = await join(client, "private-same-position", user_id="same")
            assert position["resumed"] is False


@pytest.mark.parametrize("library", ["pusher", "echo"])
async def test_a_library_that_never_signed_in_is_disconnected_for_good(node, gateways, library):
    async def running(stack, gateway, user_id):
        signed = {"user_id": user_id}
        configuration = {"port": gateway.port, "app": APP, "public": "p", "private": "orders", "event": "e"}
        script = node_clients.running(node, "client.mjs", library, json.dumps(configuration | {"signed": signed}))
        listener = await stack.enter_async_context(script)
        for _ in range(2):
            await listener.said("subscribed")
        return listener

    here, there = gateways
    async with AsyncExitStack() as stack:
        theirs = [await running(stack, gateway, f"gone-{library}") for gateway in gateways]
        other = await running(stack, there, f"stays-{library}")

        assert (await terminate(here, f"gone-{library}")).text == "{}"

        for listener in theirs:
            assert (await listener.said("error"))["code"] == 4009
            assert (await listener.said("disconnected", "connecting"))["what"] == "disconnected"
        await here.trigger("private-orders", "e", '"still here"')
        assert (await other.said("heard", "error"))["data"] == "still here"


def test_the_channel_of_a_user_is_a_valid_one():
    assert channels.parse(channels.of_user("x" * 128)).kind is Kind.USER
