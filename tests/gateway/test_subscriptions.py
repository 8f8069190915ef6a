"""The protocol's section 2 on real sockets; the numbers are those of its conformance checklist."""

import json

import pytest

from support.gateways import APP, OTHER_APP, SUCCEEDED, channel_auth
from support.waiting import until


async def failure(client):
    """Return channel and decoded data of a refused subscription: two frames."""
    refused, error = await client.frame(), await client.frame()
    assert refused["event"] == "pusher:subscription_error"
    assert (error["event"], error["data"]["code"]) == ("pusher:error", None)
    return refused["channel"], json.loads(refused["data"])


async def test_029_a_public_channel(gateway):
    async with gateway.connect() as client:
        await client.send("pusher:subscribe", data={"channel": "news", "auth": ""})

        assert await client.frame() == {"event": SUCCEEDED, "channel": "news", "data": "{}"}


@pytest.mark.parametrize(
    "channel", ["private-x", "private-cache-x", "private-encrypted-x", "private-encrypted-cache-x"]
)
async def test_030_a_private_channel(gateway, channel):
    async with gateway.connect() as client:
        await client.subscribe(channel)

        assert await client.frame() == {"event": SUCCEEDED, "channel": channel, "data": "{}"}


@pytest.mark.parametrize(
    "auth",
    [
        pytest.param(lambda own: channel_auth("1.2", "private-x"), id="031-another-socket"),
        pytest.param(lambda own: channel_auth(own, "private-y"), id="031-another-channel"),
        pytest.param(lambda own: channel_auth(own, "private-x", APP | {"secret": "wrong"}), id="031-another-secret"),
        pytest.param(lambda own: channel_auth(own, "private-x", OTHER_APP), id="031-another-app"),
        pytest.param(lambda own: channel_auth(own, "private-x", APP | {"key": "unknown"}), id="032-unknown-key"),
        pytest.param(lambda own: channel_auth(own, "private-x").upper(), id="031-upper-case"),
        pytest.param(lambda own: channel_auth(own, "private-x") + "0", id="031-longer"),
        pytest.param(lambda own: "", id="033-empty"),
        pytest.param(lambda own: None, id="033-null"),
        pytest.param(lambda own: ["x"], id="033-a-list"),
        pytest.param(lambda own: "é:ü", id="033-not-ascii"),
    ],
)
async def test_031_a_wrong_signature_is_refused_and_the_connection_stays(gateway, auth):
    async with gateway.connect() as client:
        await client.send("pusher:subscribe", data={"channel": "private-x", "auth": auth(client.socket_id)})

        channel, data = await failure(client)
        assert channel == "private-x"
        assert (data["type"], data["status"]) == ("AuthError", 401)
        await gateway.trigger("private-x", "secret")
        await client.hears_nothing()


@pytest.mark.parametrize("prefix", ["private-", "presence-", "private-encrypted-", "private-cache-", "presence-cache-"])
async def test_033_a_missing_signature_is_refused_for_every_protected_kind(gateway, prefix):
    async with gateway.connect() as client:
        await client.send("pusher:subscribe", data={"channel": f"{prefix}x"})

        _, data = await failure(client)
        assert (data["type"], data["status"]) == ("AuthError", 401)


async def test_034_channel_data_is_part_of_what_was_signed(gateway):
    channel_data = '{"anything": "é", "spaces" : true}'
    async with gateway.connect() as client:
        await client.subscribe("private-x", channel_data=channel_data)
        assert (await client.frame())["event"] == SUCCEEDED

        auth = channel_auth(client.socket_id, "private-y", APP, channel_data)
        await client.subscribe("private-y", auth=auth, channel_data=channel_data + " ")
        assert (await failure(client))[1]["status"] == 401


@pytest.mark.parametrize("channel_data", [None, ""])
async def test_035_channel_data_null_or_empty_counts_as_absent(gateway, channel_data):
    async with gateway.connect() as client:
        await client.subscribe("private-x", channel_data=channel_data)

        assert (await client.frame())["event"] == SUCCEEDED


async def test_036_data_may_be_encoded_once_more(gateway):
    async with gateway.connect() as client:
        auth = channel_auth(client.socket_id, "private-x")
        await client.send("pusher:subscribe", data=json.dumps({"channel": "private-x", "auth": auth}))

        assert (await client.frame())["event"] == SUCCEEDED


@pytest.mark.parametrize("channel", ["my-private-x", "privatex", "presencefoo", "x-cache-a", "Private-x"])
async def test_037_038_prefixes_are_anchored_and_exact(gateway, channel):
    async with gateway.connect() as client:
        await client.send("pusher:subscribe", data={"channel": channel})

        assert await client.frame() == {"event": SUCCEEDED, "channel": channel, "data": "{}"}


@pytest.mark.parametrize("character", "_-=@,.;")
async def test_039_allowed_characters(gateway, character):
    async with gateway.connect() as client:
        await client.join(f"a{character}b")
        await gateway.trigger(f"a{character}b", "hello")

        assert await client.event() == ("hello", f"a{character}b", "{}")


@pytest.mark.parametrize("name", ["a b", "a/b", "a:b", "#a", "a#b", "a!", "é", "", "a\n", "a*", "a>", "x" * 201])
async def test_039_040_other_names_are_refused(gateway, name):
    async with gateway.connect() as client:
        await client.send("pusher:subscribe", data={"channel": name})

        channel, data = await failure(client)
        assert channel == name
        assert (data["type"], data["status"]) == ("InvalidChannel", 400)


async def test_040_a_name_of_200_characters(gateway):
    async with gateway.connect() as client:
        await client.join("x" * 200)


async def test_041_a_second_subscribe_is_an_error_and_changes_nothing(gateway):
    async with gateway.connect() as client:
        await client.join("news")
        await client.subscribe("news")

        frame = await client.frame()
        assert (frame["event"], frame["data"]["code"]) == ("pusher:error", None)
        await gateway.trigger("news", "once")
        assert await client.event() == ("once", "news", "{}")
        await client.hears_nothing()


async def test_042_after_unsubscribe_there_is_neither_answer_nor_event(gateway):
    async with gateway.connect() as client, gateway.connect() as witness:
        await client.join("news")
        await witness.join("news")
        await client.send("pusher:unsubscribe", data={"channel": "news"})
        await client.hears_nothing()

        await gateway.trigger("news", "late")

        assert (await witness.event())[0] == "late"
        await client.hears_nothing()


@pytest.mark.parametrize("data", [{"channel": "never-had"}, {"channel": 7}, {}, "x", None])
async def test_043_unsubscribing_from_a_channel_it_never_had_does_nothing(gateway, data):
    async with gateway.connect() as client:
        await client.send("pusher:unsubscribe", data=data)

        await client.hears_nothing()


async def test_044_a_disconnected_client_leaves_all_channels(new_gateway, nats):
    gateway = new_gateway(nats, linger_seconds="0")
    async with gateway.connect() as client:
        await client.join("a", "b", "private-c")
        assert await gateway.metric("gateway_subscriptions") == 3

    await until(lambda: _gone(gateway))


async def _gone(gateway):
    names = ("gateway_connections", "gateway_subscriptions", "gateway_channels")
    return [await gateway.metric(name) for name in names] == [0, 0, 0]


async def test_a_client_can_come_back_to_a_channel(gateway):
    async with gateway.connect() as client:
        for number in range(5):
            await client.join("news")
            await gateway.trigger("news", str(number))
            assert (await client.event())[0] == str(number)
            await client.send("pusher:unsubscribe", data={"channel": "news"})


async def test_068_an_event_never_comes_before_the_success_frame_and_none_after_it_is_missed(gateway):
    for number in range(20):
        channel = f"fresh-{number}"
        async with gateway.connect() as client:
            await client.send("pusher:subscribe", data={"channel": channel})
            await gateway.trigger(channel, "racing")
            frames = [await client.frame()]
            await gateway.trigger(channel, "after")
            while frames[-1]["event"] != "after":
                frames.append(await client.frame())

        events = [frame["event"] for frame in frames]
        assert events in ([SUCCEEDED, "after"], [SUCCEEDED, "racing", "after"])


async def test_086_a_user_channel_needs_a_signed_in_user(gateway):
    async with gateway.connect() as client:
        await client.send("pusher:subscribe", data={"channel": "#server-to-user-u2", "auth": ""})

        _, data = await failure(client)
        assert (data["type"], data["status"]) == ("AuthError", 403)


async def test_a_connection_may_have_only_so_many_channels(new_gateway, nats):
    gateway = new_gateway(nats, max_channels="3")
    async with gateway.connect() as client:
        await client.join("a", "b", "c")
        await client.subscribe("d")

        _, data = await failure(client)
        assert (data["type"], data["status"]) == ("LimitReached", 413)


async def test_apps_never_hear_each_other(gateway):
    async with gateway.connect(APP) as ours, gateway.connect(OTHER_APP) as theirs:
        await ours.join("news", "private-x")
        await theirs.join("news", "private-x")

        for channel in ("news", "private-x"):
            await gateway.trigger(channel, "ours")
            await gateway.trigger(channel, "theirs", app=OTHER_APP)

        assert [await ours.event(), await ours.event()] == [("ours", "news", "{}"), ("ours", "private-x", "{}")]
        assert [await theirs.event(), await theirs.event()] == [("theirs", "news", "{}"), ("theirs", "private-x", "{}")]
        await ours.hears_nothing()
        await theirs.hears_nothing()


async def test_mistakes_are_logged_once_a_connection_and_without_what_the_client_sent(gateway):
    secret = "ada@example.org"
    async with gateway.connect() as client:
        for _ in range(3):
            await client.socket.send(f"not json {secret}")
            await client.frame()
            await client.subscribe("private-x", auth=f"k:{secret}", channel_data=secret)
            await failure(client)

    lines = [line for line in gateway.log() if line.get("socket_id") == client.socket_id]
    assert [(line["event"], line["problem"]) for line in lines] == [
        ("client problem", "malformed_frame"),
        ("client problem", "auth_failed"),
    ]
    assert secret not in json.dumps(gateway.log())
