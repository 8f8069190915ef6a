"""Three NATS servers, each restarted, cut off from the others and replaced in turn, while leads are written.

Between them the three lead every stream, and each process is connected to one of them: so every process meets every
fault of a server that leads, of one that follows, and of the one that it is connected to.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from functools import partial

import pytest

from contracts import streams
from support.cluster import SERVERS, ClusterServer, NatsCluster
from support.stack import Stack
from support.waiting import until
from support.watchers import Watcher, create, create_until, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

OURS = re.compile(r"leads-|notifier|gateway")


def restart(server: ClusterServer) -> None:
    server.stop()
    server.start()


def replace(server: ClusterServer) -> None:
    server.replace()


def has_nobody_left(server: ClusterServer) -> bool:
    return not any(map(OURS.match, server.connections()))


@contextlib.asynccontextmanager
async def listening(stack: Stack) -> AsyncIterator[Watcher]:
    endpoint = stack.topology.gateway

    async def address() -> str:
        return f"ws://{endpoint.host}:{endpoint.port}/app/{stack.topology.credentials.pusher_app_key}"

    async with stack.client() as api:
        watcher = Watcher(address, api, stack.acme.id)
        async with watching([watcher]):
            await until(lambda: watcher.connections)
            yield watcher


@pytest.mark.parametrize("change", [restart, pytest.param(replace, marks=pytest.mark.stress)])
async def test_every_process_survives_each_server_in_turn(
    clustered_stack: Stack, cluster: NatsCluster, change: object
) -> None:
    assert callable(change)

    async def all_in_turn() -> None:
        for server in cluster.servers:
            await asyncio.to_thread(change, server)
            await asyncio.to_thread(cluster.wait_until_whole)

    async with listening(clustered_stack) as watcher, clustered_stack.client() as api:
        changing = asyncio.create_task(all_in_turn())
        written = await create_until(api, changing.done, pause=0.05)
        await changing
        written.append(await create(api, "after"))

        await until(lambda: watcher.heard[-1:] == written[-1:], within=60, why="all was heard")
        assert watcher.heard == written
    await clustered_stack.ready()
    assert not clustered_stack.ended()
    assert "Authorization Violation" not in "".join(
        clustered_stack.log(name).read_text() for name in clustered_stack.names
    )


@pytest.mark.parametrize("count", [1, pytest.param(SERVERS, marks=pytest.mark.stress)])
async def test_everybody_leaves_a_server_that_is_cut_off_from_the_others(
    clustered_stack: Stack, cluster: NatsCluster, count: int
) -> None:
    async with listening(clustered_stack) as watcher, clustered_stack.client() as api:
        written = [await create(api, "first")]
        for server in sorted(cluster.servers, key=lambda one: not one.leads(streams.CRM))[:count]:
            server.isolate()
            written.append(await create(api, f"while {server.name} is away"))

            await until(partial(has_nobody_left, server), within=60)
            await until(lambda: watcher.heard[-1:] == written[-1:], within=60, why="all was heard")
            server.heal()
            await asyncio.to_thread(cluster.wait_until_whole)

        assert watcher.heard == written
    await clustered_stack.ready()
