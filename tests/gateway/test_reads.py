"""Who listens, asked of one gateway and known by all; the numbers are the checklist's."""

import json
import os
import signal
from contextlib import AsyncExitStack

from support.gateways import APP, OTHER_APP, READ_APP
from support.waiting import until


async def read(gateway, path, app=APP, **parameters):
    answer = await gateway.get(path, app=app, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_119_120_only_occupied_channels_are_listed_and_no_users(gateways):
    here, there = gateways
    assert await read(here, "/channels", READ_APP) == '{"channels":{}}'
    async with here.connect(READ_APP) as near, there.connect(READ_APP) as far:
        await near.join("news", "private-a")
        await far.join("news", "cache-b")
        await far.sign_in("u1")

        for gateway in gateways:
            assert json.loads(await read(gateway, "/channels", READ_APP)) == {
                "channels": {"news": {}, "private-a": {}, "cache-b": {}}
            }
            counted = await read(gateway, "/channels", READ_APP, filter_by_prefix="n", info="subscription_count")
            assert counted == '{"channels":{"news":{"subscription_count":2}}}'

        await far.send("pusher:unsubscribe", data={"channel": "news"})
        await far.hears_nothing()
        assert (
            await read(here, "/channels/news", READ_APP, info="subscription_count")
            == '{"occupied":true,"subscription_count":1}'
        )

    async def deserted():
        return await read(there, "/channels", READ_APP) == '{"channels":{}}'

    await until(deserted)


async def test_115_121_126_distinct_users_of_all_gateways_are_counted(gateways):
    here, there = gateways
    channel = "presence-counted"
    async with AsyncExitStack() as stack:
        for gateway, user in ((here, 7), (here, "7"), (there, "7"), (there, "é"), (there, "signed")):
            client = await stack.enter_async_context(gateway.connect())
            await client.enter(channel, user)
        for gateway in gateways:
            users = json.loads(await read(gateway, f"/channels/{channel}/users"))["users"]
            assert sorted(user["id"] for user in users) == ["7", "signed", "é"]
            listed = await read(gateway, "/channels", filter_by_prefix="presence-counte", info="user_count")
            assert listed == '{"channels":{"presence-counted":{"user_count":3}}}'
            told = await read(gateway, f"/channels/{channel}", info="subscription_count,user_count")
            assert told == '{"occupied":true,"user_count":3,"subscription_count":5}'

            answer = await gateway.trigger([channel, "presence-empty"], info="user_count,subscription_count")
            assert answer.text == (
                '{"channels":{"presence-counted":{"user_count":3,"subscription_count":5},'
                '"presence-empty":{"user_count":0,"subscription_count":0}}}'
            )


async def test_118_a_batch_tells_about_its_channels(gateways):
    here, there = gateways
    async with there.connect() as client:
        await client.join("batch-read")
        batch = [
            {"name": "a", "channel": "batch-read", "data": "", "info": "subscription_count"},
            {"name": "b", "channel": "batch-read", "data": ""},
        ]

        answer = await here.post("/apps/4242/batch_events", json.dumps({"batch": batch}).encode())

        assert answer.text == '{"batch":[{"subscription_count":1},{}]}'
        assert [(await client.event())[0] for _ in range(2)] == ["a", "b"]


async def test_nobody_sees_the_channels_and_users_of_another_app(gateway):
    async with gateway.connect(OTHER_APP) as client:
        await client.enter("presence-secret", "u1")
        await client.join("secret")

        assert await read(gateway, "/channels", filter_by_prefix="secret") == '{"channels":{}}'
        assert await read(gateway, "/channels/secret") == '{"occupied":false}'
        assert await read(gateway, "/channels/presence-secret/users") == '{"users":[]}'
        answer = await gateway.trigger("secret", info="subscription_count")
        assert answer.text == '{"channels":{"secret":{"subscription_count":0}}}'
        assert await read(gateway, "/channels/secret", OTHER_APP) == '{"occupied":true}'


async def test_125_the_last_event_of_a_cache_channel_is_told_without_listeners(gateways):
    here, there = gateways
    assert await read(here, "/channels/cache-read", info="cache") == '{"occupied":false,"cache":null}'
    await there.trigger("cache-read", "price", '{"v":"é"}')

    told = json.loads(await read(here, "/channels/cache-read", info="cache"))

    assert told["occupied"] is False
    assert told["cache"]["data"] == '{"v":"é"}'
    assert 1700 < told["cache"]["ttl"] <= 1800
    assert await read(here, "/channels/cache-read", OTHER_APP, info="cache") == '{"occupied":false,"cache":null}'


async def test_many_channels_are_told_in_several_messages(gateways):
    here, there = gateways
    channels = [f"many-{number:04}-" + "x" * 190 for number in range(5000)]
    async with AsyncExitStack() as stack:
        for start in range(0, len(channels), 1000):
            client = await stack.enter_async_context(there.connect())
            for channel in channels[start : start + 1000]:
                await client.send("pusher:subscribe", data={"channel": channel})
            for _ in range(1000):
                await client.frame()

        told = json.loads(await read(here, "/channels", filter_by_prefix="many-", info="subscription_count"))

        assert told["channels"] == {channel: {"subscription_count": 1} for channel in channels}


async def test_without_nats_reads_are_refused_and_events_with_info_are_not_stored(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as client:
        await client.join("news", "cache-a")
        nats.kill()

        for path, parameters in (("", {}), ("/news", {}), ("/cache-a", {"info": "cache"})):
            answer = await gateway.get(f"/channels{path}", **parameters)
            assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (503, "text/plain")
        assert (await gateway.trigger("news", info="subscription_count")).status_code == 503
        nats.start()

        async def back():
            return (await gateway.get("/channels/news")).text == '{"occupied":true}'

        await until(back)
        await client.hears_nothing()


async def test_a_gateway_that_hangs_delays_the_answer_and_does_not_prevent_it(new_gateway, nats):
    here, there = new_gateway(nats), new_gateway(nats)

    async def both_live():
        return await here.metric("gateway_nodes") == 2

    await until(both_live)
    async with here.connect() as near, there.connect() as far:
        await near.join("news")
        await far.join("news")

        async def both_counted():
            told = await read(here, "/channels/news", info="subscription_count")
            return told == '{"occupied":true,"subscription_count":2}'

        await until(both_counted)
        os.kill(there.pid, signal.SIGSTOP)
        try:
            told = await read(here, "/channels/news", info="subscription_count")
        finally:
            os.kill(there.pid, signal.SIGCONT)

        assert told == '{"occupied":true,"subscription_count":1}'
        line = [line for line in here.log() if line["event"] == "gateways did not answer"][-1]
        assert len(line["nodes"]) == 1
        await until(both_counted)


async def test_connections_of_all_gateways_are_counted(gateways):
    here, there = gateways
    async with here.connect(READ_APP), there.connect(READ_APP), there.connect(READ_APP):

        async def all_told():
            return [await read(gateway, "/connections", READ_APP) for gateway in gateways] == ['{"connections":3}'] * 2

        await until(all_told)


async def test_an_app_may_send_so_many_events_a_second_on_a_gateway(gateway):
    batch = {"batch": [{"name": "e", "channel": "news", "data": ""}] * 10}
    path = "/apps/4772/batch_events"

    answers = [await gateway.post(path, json.dumps(batch).encode(), app=READ_APP) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert 5 <= int(answers[1].headers["retry-after"]) <= 10
