"""Reading streams in batches, on the real server."""

import pytest
from nats.errors import Error

from contracts import streams
from runtime import direct


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


async def snapshot(client, subject, at_least=0):
    found = direct.snapshot(client, streams.PUSH, subject, witness="push.a.witness", at_least=at_least)
    return [direct.sequence(message) async for message in found]


async def test_a_snapshot_has_the_last_of_each_subject_and_the_witness(client):
    numbers = await store(client, "push.a.witness", "push.a.x.1", "push.a.x.2", "push.a.y.1", "push.a.x.1")

    assert await snapshot(client, "push.a.x.*", at_least=numbers[-1]) == [numbers[0], numbers[2], numbers[4]]
    assert await snapshot(client, "push.b.>", at_least=numbers[-1]) == [numbers[0]]


async def test_a_snapshot_of_a_replica_that_lags_behind_is_none(client):
    (number,) = await store(client, "push.a.witness")

    with pytest.raises(direct.Behind):
        await snapshot(client, "push.a.x", at_least=number + 1)


async def test_a_snapshot_without_its_witness_proves_nothing(client):
    await store(client, "push.a.x")

    with pytest.raises(direct.Behind):
        await snapshot(client, "push.b.>", at_least=1)


async def test_a_snapshot_of_too_many_subjects_is_refused(client):
    await store(client, "push.a.witness", *(f"push.a.x.{number}" for number in range(1024)))

    with pytest.raises(direct.TooMany):
        await snapshot(client, "push.a.x.*")
