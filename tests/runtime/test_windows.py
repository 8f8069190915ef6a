"""Windows are stored in order and counted; what is not stored is said."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from nats.js.errors import APIError, NoStreamResponseError

from contracts import streams
from runtime import broker
from runtime.broker import PUBLISH_TIMEOUT, Outgoing, PublishFailed
from runtime.live import LiveClient, read_headers_plainly
from runtime.windows import PIECE, WindowPublisher, acknowledge, command, pieces
from support.servers import NatsServer
from support.waiting import until


@pytest.fixture
async def client(nats: NatsServer) -> AsyncIterator[LiveClient]:
    opened = await broker.connect(nats.url("operator"), "test")
    yield opened
    await broker.close(opened)


def messages(count: int, *, subject: str = "push.4242.news", body: bytes = b"x") -> list[Outgoing]:
    return [Outgoing(subject, b"%b%d" % (body, number), {"Nats-Msg-Id": f"m{number}"}) for number in range(count)]


async def test_a_window_is_stored_in_order_and_each_message_once(client: LiveClient) -> None:
    publisher = WindowPublisher(client)

    first = await publisher.publish(messages(600))
    again = await publisher.publish(messages(600))

    js = client.jetstream()
    assert first == again == list(range(1, 601))
    assert (await js.stream_info(streams.PUSH)).state.messages == 600
    assert (await js.get_msg(streams.PUSH, 600)).data == b"x599"


async def test_windows_at_once_do_not_mix(client: LiveClient) -> None:
    publisher = WindowPublisher(client)
    windows = [messages(50, subject=f"push.4242.c{number}", body=b"%d-" % number) for number in range(5)]
    for window in windows:
        for message in window:
            message.headers["Nats-Msg-Id"] += message.subject  # type: ignore[index]

    sequences = await asyncio.gather(*map(publisher.publish, windows))

    assert sorted(sequence for found in sequences for sequence in found) == list(range(1, 251))
    assert all(found == sorted(found) for found in sequences)


async def test_without_a_stream_it_fails(client: LiveClient) -> None:
    with pytest.raises(PublishFailed) as failed:
        await WindowPublisher(client).publish(messages(3, subject="nowhere.x"))

    assert failed.value.acknowledged == 0
    assert isinstance(failed.value.__cause__, NoStreamResponseError)


async def test_what_the_stream_refuses_is_said_with_what_it_took(client: LiveClient) -> None:
    window = messages(3)
    window[1] = Outgoing(window[1].subject, b"", {"Nats-Expected-Last-Sequence": "77"})

    with pytest.raises(PublishFailed) as failed:
        await WindowPublisher(client).publish(window)

    assert failed.value.acknowledged == 1
    assert isinstance(failed.value.__cause__, APIError)


async def test_away_it_fails_at_once_and_back_it_works(nats: NatsServer, client: LiveClient) -> None:
    publisher = WindowPublisher(client)
    await publisher.publish(messages(1))
    nats.kill()
    await until(lambda: not client.is_connected)
    with pytest.raises(PublishFailed):
        await publisher.publish(messages(2))

    nats.start()
    await until(lambda: client.is_connected)
    assert len(await publisher.publish(messages(3))) == 3


async def test_what_a_lost_connection_left_unsent_is_never_sent(nats: NatsServer, client: LiveClient) -> None:
    publisher = WindowPublisher(client)
    await publisher.publish(messages(1))
    started = time.monotonic()
    publishing = asyncio.create_task(publisher.publish(messages(3000, body=b"x" * 10_000)))
    async with asyncio.timeout(10):
        while not client.pending_data_size:  # noqa: ASYNC110 - in the next turn of the loop it may be sent
            await asyncio.sleep(0)
    nats.kill()

    with pytest.raises(PublishFailed):
        await publishing
    assert time.monotonic() - started < PUBLISH_TIMEOUT
    assert client.pending_data_size == 0

    nats.start()
    await until(lambda: client.is_connected)
    js = client.jetstream()
    state = (await js.stream_info(streams.PUSH)).state
    held = [(await js.get_msg(streams.PUSH, number)).headers for number in range(1, state.last_seq + 1)]
    assert held == [{"Nats-Msg-Id": f"m{number}"} for number in range(state.last_seq)]


async def test_messages_are_acknowledged_at_once(nats: NatsServer, client: LiveClient) -> None:
    js = client.jetstream()
    for number in range(20):
        await js.publish("crm.x.lead.y.created", b"%d" % number, headers={"Nats-Msg-Id": f"m{number}"})
    async with nats.client("notifier") as consumer:
        read_headers_plainly(consumer)
        pull = await consumer.jetstream().pull_subscribe_bind(streams.NOTIFIER, streams.CRM)
        fetched = await pull.fetch(20, timeout=5)
        await acknowledge(consumer, fetched)

        async def none_waits() -> bool:
            return (await js.consumer_info(streams.CRM, streams.NOTIFIER)).num_ack_pending == 0

        await until(none_waits)
    assert [message.headers for message in fetched] == [{"Nats-Msg-Id": f"m{number}"} for number in range(20)]


def test_much_is_sent_piece_by_piece() -> None:
    found = list(pieces(messages(10, body=b"x" * (PIECE // 3)), "inbox"))

    assert [piece.count(b"HPUB ") for piece in found] == [3, 3, 3, 1]


def test_a_header_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        command(Outgoing("push.x.y", b"", {"Key": "a\r\nOther: b"}), "inbox.1")
