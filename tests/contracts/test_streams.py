"""Streams and consumers on the real server: created, reconciled, never harmed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RePublish, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError

from contracts import streams
from runtime.broker import barrier
from support.servers import NatsServer

DECLARED = {stream.name: stream for stream in streams.STREAMS}


async def state(js: JetStreamContext) -> tuple[dict[str, StreamConfig], ConsumerConfig]:
    configs = {name: (await js.stream_info(name)).config for name in DECLARED}
    (consumer,) = (info for info in await js.consumers_info(streams.CRM) if info.name == streams.NOTIFIER)
    return configs, consumer.config


async def test_ensuring_twice_is_ensuring_once(new_nats: Callable[[], NatsServer]) -> None:
    async with new_nats().client("migrate") as client:
        js = client.jetstream()
        await streams.ensure(js)
        first = await state(js)
        await streams.ensure(js)

        assert await state(js) == first


async def test_streams_are_as_declared(nats: NatsServer) -> None:
    async with nats.client("migrate") as client:
        configs, consumer = await state(client.jetstream())

    assert [configs[name].subjects for name in ("CRM", "PUSH", "DEAD")] == [["crm.>"], ["push.>"], ["dead.>"]]
    for name in ("CRM", "PUSH", "DEAD"):
        config = configs[name]
        # Limits per subject would make gaps undecidable for a client that resumes.
        assert (config.max_msgs, config.max_msgs_per_subject) == (-1, -1), name
        assert config.max_bytes == 1 << 30
        assert config.duplicate_window == streams.DUPLICATE_WINDOW
        assert config.allow_direct
    assert configs["PUSH"].republish is not None
    assert (configs["PUSH"].republish.src, configs["PUSH"].republish.dest) == ("push.>", "live.>")
    state_of_gateways = configs["STATE"]
    assert (state_of_gateways.max_msgs_per_subject, state_of_gateways.max_age) == (1, 0)
    assert state_of_gateways.allow_msg_ttl
    assert configs["WEBHOOKS"].retention == RetentionPolicy.WORK_QUEUE
    assert (consumer.ack_wait, consumer.max_deliver, consumer.max_ack_pending) == (5.0, -1, 1000)


@pytest.mark.parametrize(
    ("name", "drift"),
    [
        ("CRM", {"max_age": 3600.0}),
        ("CRM", {"subjects": ["crm.>", "stray.>"]}),
        ("CRM", {"max_msgs_per_subject": 1}),
        ("PUSH", {"duplicate_window": 1.0}),
        ("PUSH", {"republish": RePublish(src="push.>", dest="elsewhere.>")}),
        ("PUSH", {"max_bytes": 1000}),
        ("DEAD", {"allow_direct": False}),
    ],
)
async def test_a_stream_that_drifted_is_brought_back(nats: NatsServer, name: str, drift: dict[str, Any]) -> None:
    async with nats.client("migrate") as client:
        js = client.jetstream()
        expected = await state(js)
        await js.update_stream(replace(DECLARED[name], num_replicas=1, **drift))
        assert await state(js) != expected

        await streams.ensure(js)

        assert await state(js) == expected


async def test_a_consumer_that_drifted_is_brought_back_where_it_stood(nats: NatsServer) -> None:
    async with nats.client("operator") as operator:
        js = operator.jetstream()
        expected = await state(js)
        for number in range(3):
            await js.publish(f"crm.c.lead.l{number}.created", b"x")
        subscription = await js.pull_subscribe_bind(streams.NOTIFIER, streams.CRM)
        for message in await subscription.fetch(2):
            await message.ack_sync()
        declared = dict(streams.CONSUMERS)[streams.CRM]
        await js.add_consumer(streams.CRM, replace(declared, ack_wait=60, max_ack_pending=1))
        assert await state(js) != expected

        async with nats.client("migrate") as client:
            await streams.ensure(client.jetstream())

        assert await state(js) == expected
        info = await js.consumer_info(streams.CRM, streams.NOTIFIER)
        assert info.ack_floor is not None
        assert (info.num_pending, info.ack_floor.stream_seq) == (1, 2)


async def test_what_cannot_be_reconciled_is_refused_and_kept(new_nats: Callable[[], NatsServer]) -> None:
    async with new_nats().client("migrate") as client:
        js = client.jetstream()
        await js.add_stream(replace(DECLARED["CRM"], storage=StorageType.MEMORY, max_bytes=1000, num_replicas=1))

        with pytest.raises(APIError):
            await streams.ensure(js)

        assert (await js.stream_info("CRM")).config.storage == StorageType.MEMORY


async def test_a_push_is_stored_once_and_handed_to_who_listens(nats: NatsServer) -> None:
    async with nats.client("gateway") as gateway, nats.client("notifier") as notifier:
        heard = await gateway.subscribe("live.4242.private-x")
        await barrier(gateway)
        js = notifier.jetstream()

        first = await js.publish("push.4242.private-x", b"{}", headers={"Nats-Msg-Id": "e1:private-x"})
        second = await js.publish("push.4242.private-x", b"{}", headers={"Nats-Msg-Id": "e1:private-x"})
        await js.publish("push.4242.private-x", b"last", headers={"Nats-Msg-Id": "e2:private-x"})

        assert (first.duplicate, second.duplicate) == (None, True)
        messages = [await heard.next_msg() for _ in range(2)]
        assert [message.data for message in messages] == [b"{}", b"last"]
        assert [message.headers["Nats-Sequence"] for message in messages] == ["1", "2"]
        assert heard.pending_msgs == 0
