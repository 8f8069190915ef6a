"""Webhooks by real gateways to a real HTTP server (items 131 to 142)."""

import asyncio
import json
import time
from itertools import pairwise

import pusher
import pytest

from support.endpoints import HANG, HOOKED_APP, leads, only, signature
from support.gateways import MISS, SUCCEEDED
from support.waiting import until

PATIENT = {"webhook_retry_seconds": "0.3"}


class TestClientEvents:
    async def test_131_136_a_client_event_is_told_signed_with_event_data_and_socket(self, new_hooked, endpoint):
        gateway = new_hooked([only(endpoint, "client_event")])
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            await client.send("client-typing", channel="private-chat", data={"näme": "Zoë"})

            (event,) = await endpoint.heard(1)

        assert event == {
            "name": "client_event",
            "channel": "private-chat",
            "event": "client-typing",
            "data": '{"näme":"Zoë"}',
            "socket_id": client.socket_id,
        }
        (posted,) = endpoint.posted
        assert posted.headers["content-type"] == "application/json"
        assert posted.headers["x-pusher-key"] == HOOKED_APP["key"]
        assert posted.headers["x-pusher-signature"] == signature(HOOKED_APP["secret"], posted.body)
        assert set(posted.document) == {"time_ms", "events"}
        assert abs(posted.document["time_ms"] / 1000 - time.time()) < 20
        assert type(posted.document["time_ms"]) is int
        verified = pusher.Pusher(
            app_id=HOOKED_APP["id"], key=HOOKED_APP["key"], secret=HOOKED_APP["secret"]
        ).validate_webhook(posted.headers["x-pusher-key"], posted.headers["x-pusher-signature"], posted.body.decode())
        assert verified == posted.document

    async def test_136_a_refused_client_event_is_not_told(self, new_hooked, endpoint):
        gateway = new_hooked([only(endpoint, "client_event")])
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat", "public")
            for channel in ("public", "private-elsewhere"):
                await client.send("client-no", channel=channel, data={})
                assert (await client.frame())["event"] == "pusher:error"
            await client.send("client-yes", channel="private-chat", data={})

            (event,) = await endpoint.heard(1)

        assert event["event"] == "client-yes"

    async def test_139_without_batching_each_request_has_one_event_in_order(self, new_hooked, endpoint):
        gateway = new_hooked([only(endpoint, "client_event")], batchWebhooks=False)
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            for number in range(30):
                await client.send(f"client-{number}", channel="private-chat", data={})

            events = await endpoint.heard(30)

        assert [event["event"] for event in events] == [f"client-{number}" for number in range(30)]
        assert [len(posted.events) for posted in endpoint.posted] == [1] * 30

    async def test_139_with_batching_the_events_of_a_burst_share_requests_in_order(self, new_hooked, endpoint):
        gateway = new_hooked([only(endpoint, "client_event")])
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-a", "private-b")
            for number in range(300):
                await client.send(f"client-{number}", channel=f"private-{'ab'[number % 2]}", data={})

            await endpoint.heard(300)

        for first, name in enumerate(("private-a", "private-b")):
            told = [int(event["event"].removeprefix("client-")) for event in endpoint.of(name)]
            assert told == list(range(first, 300, 2))
        assert len(endpoint.posted) < 100


class TestFilters:
    async def test_140_an_endpoint_gets_its_types_and_channels_and_a_signature_of_just_that(
        self, new_hooked, endpoint, other_endpoint
    ):
        filtered = {"channel_name_starts_with": "private-cache-", "channel_name_ends_with": "x"}
        gateway = new_hooked(
            [
                only(endpoint, "client_event", filter=filtered, headers={"X-Own": "1", "x-pusher-key": "forged"}),
                only(other_endpoint, "client_event", "cache_miss"),
            ]
        )
        async with gateway.connect(HOOKED_APP) as client:
            for channel in ("private-x", "private-cache-y", "private-cache-x"):
                await client.join(channel)
                await client.send("client-a", channel=channel, data="")

            told = await other_endpoint.heard(5)
            (event,) = await endpoint.heard(1)

        assert event["channel"] == "private-cache-x"
        assert sorted(one["name"] for one in told) == ["cache_miss"] * 2 + ["client_event"] * 3
        for posted in endpoint.posted + other_endpoint.posted:
            assert posted.headers["x-pusher-signature"] == signature(HOOKED_APP["secret"], posted.body)
            assert posted.headers["x-pusher-key"] == HOOKED_APP["key"]
        assert endpoint.posted[0].headers["x-own"] == "1"


class TestCacheMisses:
    async def test_137_fifty_listeners_of_two_gateways_cause_one_cache_miss(self, new_hooked, endpoint):
        pair = [new_hooked([only(endpoint, "cache_miss")]) for _ in range(2)]

        async def listen(number):
            async with pair[number % 2].connect(HOOKED_APP) as client:
                for channel in ("cache-a", "cache-b"):
                    await client.subscribe(channel)
                    assert (await client.frame())["event"] == SUCCEEDED
                    assert (await client.frame())["event"] == MISS

        await asyncio.gather(*map(listen, range(50)))

        await endpoint.heard(2)
        for gateway in pair:
            assert await gateway.metric("gateway_webhooks_lost_total") == 0
        assert {event["channel"] for event in endpoint.events} == {"cache-a", "cache-b"}
        assert all(set(event) == {"name", "channel"} for event in endpoint.events)

    async def test_137_it_is_told_again_when_the_window_is_over_and_never_while_filled(self, new_hooked, endpoint):
        gateway = new_hooked([only(endpoint, "cache_miss")], settings={"cache_seconds": "5"})

        async def listen():
            async with gateway.connect(HOOKED_APP) as client:
                await client.subscribe("cache-a")
                assert (await client.frame())["event"] == SUCCEEDED
                return (await client.frame())["event"]

        async def told_again():
            assert await listen() == MISS
            return len(endpoint.events) > 1

        assert await listen() == MISS
        await endpoint.heard(1)
        await until(told_again)
        for _ in range(2):
            await gateway.trigger("cache-a", "filled", app=HOOKED_APP)
        assert await listen() == "filled"


class TestDelivery:
    @pytest.mark.parametrize("failure", [500, 302, HANG])
    async def test_138_what_fails_is_repeated_unchanged_with_growing_delays_and_never_after_success(
        self, new_hooked, endpoint, failure
    ):
        endpoint.answer = lambda posted: failure if len(endpoint.posted) <= 4 else 204
        gateway = new_hooked([only(endpoint, "client_event")], settings=PATIENT | {"webhook_timeout_seconds": "2"})
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            await client.send("client-a", channel="private-chat", data={})

            await until(lambda: len(endpoint.posted) == 5)
            await client.send("client-b", channel="private-chat", data={})
            await until(lambda: len(endpoint.posted) == 6)

        first, *again, last = endpoint.posted
        assert [(posted.body, posted.headers) for posted in again] == [(first.body, first.headers)] * 4
        assert last.events[0]["event"] == "client-b"
        times = [posted.at for posted in endpoint.posted[:5]]
        pauses = [after - before for before, after in pairwise(times)]
        assert pauses[-1] > pauses[0]
        assert await gateway.metric("gateway_webhooks_failed_total") == 4
        assert await gateway.metric("gateway_webhooks_sent_total") == 2

    async def test_138_after_the_window_a_request_is_given_up(self, new_hooked, endpoint):
        endpoint.answer = lambda posted: 500
        gateway = new_hooked([only(endpoint, "client_event")], settings={"webhook_window_seconds": "4"})
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            await client.send("client-a", channel="private-chat", data={"phone": "555-0100"})

            async def given_up():
                return await gateway.metric("gateway_webhooks_given_up_total") == 1

            await until(given_up)

        assert len(endpoint.posted) > 2
        (line,) = [line for line in gateway.log() if line["event"] == "webhook given up"]
        assert (line["app"], line["kinds"], line["failure"]) == (HOOKED_APP["id"], ["client_event"], "500")
        assert "555-0100" not in json.dumps(gateway.log())

    async def test_an_endpoint_that_was_away_gets_everything_when_it_is_back(self, new_hooked, endpoint):
        gateway = new_hooked([only(endpoint, "client_event")])
        await endpoint.go()
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            await client.send("client-a", channel="private-chat", data={})

            async def failed():
                return await gateway.metric("gateway_webhooks_failed_total") > 2

            await until(failed)
        await endpoint.come()

        assert [event["event"] for event in await endpoint.heard(1)] == ["client-a"]

    async def test_141_a_hanging_endpoint_delays_neither_sockets_nor_other_endpoints(
        self, new_hooked, endpoint, other_endpoint
    ):
        endpoint.answer = lambda posted: HANG
        gateway = new_hooked(
            [only(endpoint, "client_event"), only(other_endpoint, "client_event")], batchWebhooks=False
        )
        async with gateway.connect(HOOKED_APP) as here, gateway.connect(HOOKED_APP) as there:
            await here.join("private-chat")
            await there.join("private-chat")
            for number in range(200):
                await here.send(f"client-{number}", channel="private-chat", data={})
                assert (await there.event())[0] == f"client-{number}"

            told = await other_endpoint.heard(200)

        assert [event["event"] for event in told] == [f"client-{number}" for number in range(200)]
        assert len(endpoint.posted) <= 16

    async def test_private_addresses_may_be_forbidden(self, new_hooked, endpoint):
        gateway = new_hooked(
            [only(endpoint, "client_event")],
            settings={"webhook_private_addresses": "false", "webhook_window_seconds": "1"},
        )
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            await client.send("client-a", channel="private-chat", data={})

            async def given_up():
                return await gateway.metric("gateway_webhooks_given_up_total") == 1

            await until(given_up)

        assert endpoint.posted == []


class TestDivision:
    """An endpoint that fails on one event of a request hears the others all the same."""

    @pytest.mark.parametrize("status", [400, 500])
    async def test_the_others_of_a_request_arrive_in_order_and_the_refused_one_alone_is_tried_again(
        self, new_hooked, endpoint, status
    ):
        taken, refused, healed = [], [], asyncio.Event()

        def answer(posted):
            told = [event["event"] for event in posted.events]
            if "client-7" in told and not healed.is_set():
                refused.append(told)
                return status
            taken.extend(told)
            return 200

        endpoint.answer = answer
        gateway = new_hooked([only(endpoint, "client_event")], settings=PATIENT)
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            for number in range(30):
                await client.send(f"client-{number}", channel="private-chat", data={})

            await until(lambda: len(taken) == 29)
            assert taken == [f"client-{number}" for number in range(30) if number != 7]
            await until(lambda: refused[-2:] == [["client-7"]] * 2)
            healed.set()
            await until(lambda: len(taken) == 30)

        for posted in endpoint.posted:
            assert posted.headers["x-pusher-signature"] == signature(HOOKED_APP["secret"], posted.body)
        assert await gateway.metric("gateway_webhooks_sent_total") == 30

    @pytest.mark.parametrize("status", [503, 302, 429])
    async def test_what_says_nothing_about_the_events_does_not_divide_a_request(self, new_hooked, endpoint, status):
        endpoint.answer = lambda posted: status if len(endpoint.posted) <= 3 else 200
        gateway = new_hooked([only(endpoint, "client_event")], settings=PATIENT)
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            for number in range(10):
                await client.send(f"client-{number}", channel="private-chat", data={})
            await until(lambda: len({event["event"] for event in endpoint.events}) == 10)
            await until(lambda: len(endpoint.posted) > 3)

        bodies = {posted.body for posted in endpoint.posted}
        told = [event["event"] for body in bodies for event in json.loads(body)["events"]]
        assert len(told) == len(set(told))

    async def test_an_encrypted_channels_event_that_cannot_be_taken_keeps_no_other_from_arriving(
        self, new_hooked, endpoint
    ):
        endpoint.answer = lambda posted: 500 if any("-encrypted-" in e["channel"] for e in posted.events) else 200
        gateway = new_hooked([only(endpoint, "channel_occupied")], settings=PATIENT)
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("orders", "private-encrypted-x", "private-chat")

            await until(lambda: {"orders", "private-chat"} <= {event["channel"] for event in endpoint.events})

        for posted in endpoint.posted:
            channels = [event["channel"] for event in posted.events]
            assert channels == ["private-encrypted-x"] or "private-encrypted-x" not in channels


class TestReload:
    async def test_a_new_endpoint_hears_from_then_on(self, new_hooked, endpoint, other_endpoint):
        gateway = new_hooked([only(endpoint, "client_event")], settings={"apps_reload_seconds": "0.1"})
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            await client.send("client-a", channel="private-chat", data={})
            await endpoint.heard(1)

            new_hooked([only(other_endpoint, "client_event", "channel_occupied")])  # it rewrites the file of both
            await until(lambda: any(line["event"] == "apps file loaded" for line in gateway.log()))
            await client.send("client-b", channel="private-chat", data={})
            await client.join("news")

            await other_endpoint.heard(2)

        assert [event["event"] for event in endpoint.events] == ["client-a"]
        assert {event["name"] for event in other_endpoint.events} == {"client_event", "channel_occupied"}


class TestSurvival:
    async def test_a_killed_sender_is_replaced_and_nothing_is_lost_or_repeated(self, new_hooked, endpoint):
        endpoint.answer = lambda posted: 500
        leader, other = (new_hooked([only(endpoint, "client_event")]) for _ in range(2))
        await until(lambda: leads(leader) or leads(other))
        if leads(other):
            leader, other = other, leader
        async with other.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            await client.send("client-a", channel="private-chat", data={})
            await until(lambda: endpoint.posted)
            await endpoint.go()  # so that the leader dies with nothing under way
            leader.kill()
            endpoint.posted.clear()
            endpoint.answer = lambda posted: 200
            await endpoint.come()
            await client.send("client-b", channel="private-chat", data={})

            told = await endpoint.heard(2)

        assert sorted(event["event"] for event in told) == ["client-a", "client-b"]
        assert leads(other)

    async def test_a_leader_that_stops_in_order_is_replaced_at_once(self, new_hooked, endpoint):
        long = {"lease_seconds": "300"}  # until it would be replaced otherwise
        leader, other = (new_hooked([only(endpoint, "client_event")], settings=long) for _ in range(2))
        await until(lambda: leads(leader) or leads(other))
        if leads(other):
            leader, other = other, leader

        leader.stop()

        await until(lambda: leads(other))

    async def test_nats_may_restart(self, new_hooked, nats, endpoint):
        gateway = new_hooked([only(endpoint, "client_event")])
        async with gateway.connect(HOOKED_APP) as client:
            await client.join("private-chat")
            endpoint.answer = lambda posted: 500
            await client.send("client-a", channel="private-chat", data={})
            await until(lambda: endpoint.posted)
            nats.kill()
            await client.send("client-b", channel="private-chat", data={})
            await client.hears_nothing()
            endpoint.posted.clear()
            endpoint.answer = lambda posted: 200
            nats.start()

            told = await endpoint.heard(2)

        assert sorted(event["event"] for event in told) == ["client-a", "client-b"]
