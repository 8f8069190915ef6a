"""All gateways agree on one epoch, through the record on the real server."""

import asyncio

import pytest

from contracts import streams
from gateway import epoch
from gateway.epoch import Epoch


@pytest.fixture
async def client(nats):
    async with nats.client("gateway") as client:
        yield client


async def at(client, generation):
    """Return the epoch of a gateway that has seen the stream, in a generation."""
    known = Epoch()
    known.hear(generation)
    known.observe(await client.jetstream().stream_info(streams.PUSH), 0)
    return known


async def recorded(client):
    found = await client.jetstream().get_msg(streams.STATE, subject=epoch.SUBJECT, direct=True)
    return epoch.generation(found.data)


async def test_the_highest_generation_is_recorded_whoever_comes_first(client):
    gateways = [await at(client, generation) for generation in (0, 3, 1, 5, 2, 5, 4)]

    await asyncio.gather(*(epoch.settle(client, gateway) for gateway in gateways))

    assert await recorded(client) == 5
    for gateway in gateways:
        await epoch.settle(client, gateway)
        gateway.observe(await client.jetstream().stream_info(streams.PUSH), 0)
    assert len({gateway.value for gateway in gateways}) == 1


async def test_a_record_that_was_lost_is_written_again(client):
    assert not await epoch.settle(client, await at(client, 2))
    newcomer = await at(client, 0)

    assert await epoch.settle(client, newcomer)
    assert await recorded(client) == 2


def test_a_record_that_is_none_counts_for_nothing():
    assert epoch.generation(b"12") == 12
    assert epoch.generation(b"") == epoch.generation(b"x") == epoch.generation(b"-1") == 0
