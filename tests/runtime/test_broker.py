"""Connecting to NATS, and publishing in order."""

import asyncio
from collections.abc import Callable

import pytest
from nats.errors import MaxPayloadError
from nats.js.errors import NoStreamResponseError

from contracts import streams
from runtime import broker
from runtime.broker import Outgoing, PublishFailed, connection_options, publish_window
from support.servers import NatsServer
from support.waiting import until


def outgoing(*numbers: int, subject: str = "crm.c.lead.l.created", body: bytes = b"x") -> list[Outgoing]:
    return [Outgoing(subject, body, {"Nats-Msg-Id": f"e{number}"}) for number in numbers]


async def stored(server: NatsServer) -> list[str]:
    async with server.client("operator") as client:
        js = client.jetstream()
        last = (await js.stream_info(streams.CRM)).state.last_seq
        messages = [await js.get_msg(streams.CRM, sequence) for sequence in range(1, last + 1)]
    return [(message.headers or {})["Nats-Msg-Id"] for message in messages]


async def test_behind_a_barrier_a_subscription_misses_nothing(nats: NatsServer) -> None:
    async with nats.client("operator") as listening, nats.client("operator") as speaking:
        for number in range(300):
            heard = await listening.subscribe(f"x.{number}")
            await broker.barrier(listening)
            await speaking.publish(f"x.{number}", b"hello")
            await broker.barrier(speaking)
            await broker.barrier(listening)
            assert heard.pending_msgs == 1
            await heard.unsubscribe()


def test_a_user_is_answered_below_its_own_inbox_and_never_given_up() -> None:
    options = connection_options("nats://leads-api:p%40w@one:4222,nats://leads-api:p%40w@two:4222", "leads-api")

    assert options["servers"] == ["nats://one:4222", "nats://two:4222"]
    assert (options["user"], options["password"]) == ("leads-api", "p@w")
    assert options["inbox_prefix"] == "_INBOX_leads-api"
    assert options["max_reconnect_attempts"] == -1


async def test_a_window_is_stored_in_order_and_acknowledged(nats: NatsServer) -> None:
    client = await broker.connect(nats.url("leads-relay"), "test")
    try:
        acknowledgements = await publish_window(client.jetstream(), outgoing(*range(100)))
        again = await publish_window(client.jetstream(), outgoing(98, 99, 100))
    finally:
        await broker.close(client)

    assert [acknowledgement.seq for acknowledgement in acknowledgements] == list(range(1, 101))
    assert [(acknowledgement.seq, acknowledgement.duplicate) for acknowledgement in again] == [
        (99, True),
        (100, True),
        (101, None),
    ]
    assert await stored(nats) == [f"e{number}" for number in range(101)]


async def test_an_empty_window_is_nothing(nats: NatsServer) -> None:
    client = await broker.connect(nats.url("leads-relay"), "test")
    try:
        assert await publish_window(client.jetstream(), []) == []
    finally:
        await broker.close(client)


async def test_a_window_fails_at_the_first_message_that_no_stream_took(nats: NatsServer) -> None:
    async with nats.client("operator") as client:
        window = [*outgoing(1, 2), *outgoing(3, subject="nowhere"), *outgoing(4)]

        with pytest.raises(PublishFailed) as failure:
            await publish_window(client.jetstream(), window)

    assert failure.value.acknowledged == 2
    assert isinstance(failure.value.__cause__, NoStreamResponseError)


async def test_a_message_that_is_too_large_fails_its_window(nats: NatsServer) -> None:
    async with nats.client("operator") as client:
        with pytest.raises(PublishFailed) as failure:
            await publish_window(client.jetstream(), [*outgoing(1), *outgoing(2, body=b"x" * (1 << 20 | 1))])

    assert failure.value.acknowledged == 1
    assert isinstance(failure.value.__cause__, MaxPayloadError)


@pytest.mark.faults
async def test_published_again_from_the_first_unacknowledged_nothing_is_lost_twice_or_out_of_order(
    nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PUBLISH_TIMEOUT", 1.0)
    client = await broker.connect(nats.url("leads-relay"), "test")
    left = outgoing(*range(6000))

    async def publish() -> None:
        try:
            del left[: len(await publish_window(client.jetstream(), left[:1000]))]
        except PublishFailed as failure:
            del left[: failure.acknowledged]

    try:
        for delay in (0.002, 0.005, 0.008, 0.02, 0.04):  # a window of 1,000 takes about as long
            publishing = asyncio.create_task(publish())
            await asyncio.sleep(delay)
            nats.kill()
            nats.start()
            await publishing
            await until(lambda: client.is_connected)
        while left:  # a server that only just came back may still be too slow for one of them
            await publish()
    finally:
        await broker.close(client)

    assert await stored(nats) == [f"e{number}" for number in range(6000)]


@pytest.mark.faults
async def test_a_lost_server_fails_the_window_in_bounded_time(
    nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PUBLISH_TIMEOUT", 0.5)
    client = await broker.connect(nats.url("leads-relay"), "test")
    try:
        nats.kill()
        with pytest.raises(PublishFailed) as failure:
            await asyncio.wait_for(publish_window(client.jetstream(), outgoing(1, 2)), 30)
    finally:
        await broker.close(client)

    assert failure.value.acknowledged == 0


@pytest.mark.faults
async def test_connecting_waits_for_the_server(new_nats: Callable[[], NatsServer]) -> None:
    server = new_nats()
    server.kill()
    connecting = asyncio.create_task(broker.connect(server.url("notifier"), "test"))
    done, _waiting = await asyncio.wait([connecting], timeout=1)
    assert not done

    server.start()
    client = await asyncio.wait_for(connecting, 60)
    assert client.is_connected
    await broker.close(client)
