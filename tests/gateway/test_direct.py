"""Reading streams in batches, on the real server."""

import pytest
from nats.errors import Error

from contracts import streams
from gateway import direct


@pytest.fixture
async def client(nats):
    async with nats.client("operator") as client:
        yield client


async def store(client, *subjects):
    return [(await client.jetstream().publish(subject, subject.encode())).seq for subject in subjects]


async def read(client, subject, **bounds):
    return [direct.sequence(message) async for message in direct.read(client, streams.PUSH, subject, **bounds)]


async def test_a_subject_is_read_in_order_between_its_bounds(client):
    numbers = await store(client, "push.a.x", "push.a.y", "push.a.x", "push.a.x", "push.b.x")

    assert await read(client, "push.a.x") == [numbers[0], numbers[2], numbers[3]]
    assert await read(client, "push.a.x", after=numbers[0], until=numbers[2]) == [numbers[2]]
    assert await read(client, "push.a.*") == numbers[:4]
    assert await read(client, "push.c.*") == []


async def test_more_than_a_batch_is_read(client, monkeypatch):
    monkeypatch.setattr(direct, "BATCH", 3)
    numbers = await store(client, *["push.a.x"] * 10)

    assert await read(client, "push.a.x") == numbers


async def test_the_last_of_many_subjects(client, monkeypatch):
    monkeypatch.setattr(direct, "SUBJECTS", 2)
    numbers = await store(client, "push.a.x", "push.a.y", "push.a.x", "push.a.z")
    wanted = ["push.a.nothing", "push.a.x", "push.a.y", "push.a.z"]

    found = {
        message.data.decode(): direct.sequence(message) async for message in direct.last(client, streams.PUSH, wanted)
    }

    assert found == {"push.a.x": numbers[2], "push.a.y": numbers[1], "push.a.z": numbers[3]}


async def test_an_answer_that_does_not_come_is_an_error(client):
    with pytest.raises(Error, match="503"):
        await anext(direct.read(client, "NOWHERE", "push.a.x"))
