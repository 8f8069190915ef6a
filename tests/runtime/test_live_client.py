"""Receiving by a plain function is receiving all the same; what we read of headers is what nats-py reads."""

import asyncio
import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client

from runtime import broker, live
from support.waiting import until

LETTERS = st.text("abcXYZ-: \t0é", max_size=8)


def encoded(lines: list[str]) -> bytes:
    return "\r\n".join(["NATS/1.0", *lines, "", ""]).encode()


@given(st.lists(st.one_of(LETTERS, st.tuples(LETTERS, LETTERS).map(": ".join)), min_size=1, max_size=4))
def test_headers_are_read_as_nats_py_reads_them_or_left_to_it(lines):
    found = live.parse(encoded(lines))

    assert found is None or found == asyncio.run(Client()._process_headers(encoded(lines)))


def test_what_the_server_writes_is_read_at_once():
    lines = ["Nats-Stream: PUSH", "Nats-Subject: push.4242.news", "Nats-Sequence: 7", "Nats-Last-Sequence: 0"]

    assert live.parse(encoded(lines)) == dict(line.split(": ") for line in lines)


async def test_what_is_unsubscribed_is_freed_without_a_garbage_collection(nats_server):
    client = await broker.connect(nats_server.url("operator"), "test")
    gc.disable()
    try:
        subscription = await client.listen("live.x", lambda message: None)
        left = weakref.ref(subscription)
        await subscription.unsubscribe()
        del subscription

        assert left() is None
    finally:
        gc.enable()
        await broker.close(client)


async def test_a_function_gets_every_message_in_order_until_it_is_unsubscribed(nats_server):
    client = await broker.connect(nats_server.url("operator"), "test")
    heard = []
    subscription = await client.listen("live.x", lambda message: heard.append((message.data, message.headers)))
    await broker.barrier(client)
    for number in range(300):
        await client.publish("live.x", b"%d" % number, headers={"Odd": " spaces "} if number == 7 else None)
    await until(lambda: len(heard) == 300, why="all messages came")
    assert [data for data, _ in heard] == [b"%d" % number for number in range(300)]
    assert [headers for _, headers in heard if headers] == [{"Odd": "spaces"}]

    await subscription.unsubscribe()
    await client.publish("live.x", b"too late")
    await broker.barrier(client)
    await broker.barrier(client)
    assert len(heard) == 300
    await broker.close(client)


async def test_a_function_that_fails_does_not_end_the_connection(nats_server):
    client = await broker.connect(nats_server.url("operator"), "test")
    heard = []

    def deliver(message):
        heard.append(message.data)
        raise ValueError("this one is bad")

    await client.listen("live.x", deliver)
    await broker.barrier(client)
    for data in (b"1", b"2"):
        await client.publish("live.x", data)
    await until(lambda: heard == [b"1", b"2"], why="the second came, too")
    assert client.is_connected
    await broker.close(client)
