"""`serve --workers N`: several processes on one port, kept alive by one."""

import asyncio
import json
import os
import signal
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import psutil
import pytest

from support.gateways import APP, OTHER_APP
from support.waiting import until, until_sync


def workers(gateway):
    return psutil.Process(gateway.pid).children()


def is_alive(pid):
    """Whether a process runs; one that ended may wait for ever for somebody to ask how."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def two(new_gateway, nats):
    gateway = new_gateway(nats, arguments=["--workers", "2"], drain_seconds="0.2")
    until_sync(lambda: len(workers(gateway)) == 2)
    return gateway


async def replaced(gateway, victim):
    victim.kill()
    await until(lambda: victim.pid not in {worker.pid for worker in workers(gateway)} and len(workers(gateway)) == 2)


async def is_ready(gateway, number):
    async with httpx.AsyncClient(base_url=gateway.admin_url(number)) as http:
        try:
            return (await http.get("/readyz")).is_success
        except httpx.TransportError:  # that one has not started yet, or was killed
            return False


async def both_ready(gateway):
    return await is_ready(gateway, 1) and await is_ready(gateway, 2)


async def test_both_workers_serve_and_hear_each_other(two):
    await until(lambda: both_ready(two))
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(two.connect()) for _ in range(60)]
        for client in clients:
            await client.join("news")
        await two.trigger("news", "for all")

        assert {(await client.event())[0] for client in clients} == {"for all"}
        sockets = Counter(
            connection.status
            for worker in workers(two)
            for connection in worker.net_connections()
            if connection.status == "ESTABLISHED" and connection.laddr.port == two.port
        )
        assert sockets["ESTABLISHED"] >= 60


async def test_a_killed_worker_is_replaced_and_the_port_never_refuses(two):
    await until(lambda: both_ready(two))
    refused = []

    async def knock():
        while True:
            try:
                async with two.connect() as client:
                    await client.hears_nothing()
            except OSError as error:
                refused.append(error)
            except Exception:  # noqa: BLE001 - a connection to the killed worker itself may break
                pass

    knocking = asyncio.create_task(knock())
    try:
        for victim in workers(two):
            victim.kill()
            await until(
                lambda victim=victim: victim.pid not in {w.pid for w in workers(two)} and len(workers(two)) == 2
            )
        await until(lambda: both_ready(two))
    finally:
        knocking.cancel()

    assert [error for error in refused if isinstance(error, ConnectionRefusedError)] == []
    ends = [line for line in two.log() if line["event"] == "worker ended"]
    assert sorted(line["worker"] for line in ends) == [1, 2]
    assert {line["exit_code"] for line in ends} == {-signal.SIGKILL}


async def test_a_worker_that_dies_again_and_again_is_restarted_ever_more_slowly(two):
    pauses = []
    while len(pauses) < 3:
        await replaced(two, workers(two)[0])
        pauses = [line["restart_seconds"] for line in two.log() if line["event"] == "worker ended"]

    by_worker = Counter(line["worker"] for line in two.log() if line["event"] == "worker ended")
    longest = max(by_worker.values())
    assert max(pauses) == 0.25 * 2 ** (longest - 1)


async def test_sigterm_drains_every_worker_and_ends_all(two):
    await until(lambda: both_ready(two))
    pids = [worker.pid for worker in workers(two)]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(two.connect()) for _ in range(20)]
        stopping = asyncio.create_task(asyncio.to_thread(two.stop))

        assert {(await client.closing())[0] for client in clients} == {4200}
        assert await stopping == 0
    assert not any(is_alive(pid) for pid in pids)


async def test_sighup_reaches_every_worker(two):
    await until(lambda: both_ready(two))
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(two.connect(OTHER_APP)) for _ in range(20)]
        two.apps_file.write_text(json.dumps([APP]))
        os.kill(two.pid, signal.SIGHUP)

        assert {(await client.closing())[0] for client in clients} == {4001}


async def test_workers_die_with_their_parent_and_a_successor_gets_the_port(two):
    pids = [worker.pid for worker in workers(two)]
    two.kill()
    two.start()

    await until(lambda: not any(is_alive(pid) for pid in pids))
    async with two.connect() as client:
        await client.hears_nothing()


async def test_each_worker_has_an_admin_port_of_its_own(two):
    await until(lambda: both_ready(two))
    for number in (1, 2):
        async with httpx.AsyncClient(base_url=two.admin_url(number)) as http:
            assert f'gateway_worker{{worker="{number}"}} 1.0' in (await http.get("/metrics")).text


async def test_a_restarted_worker_answers_on_its_admin_port_and_says_how_often_it_was_started(two):
    await until(lambda: both_ready(two))
    for victim in workers(two):
        await replaced(two, victim)
    await until(lambda: both_ready(two))

    for number in (1, 2):
        async with httpx.AsyncClient(base_url=two.admin_url(number)) as http:
            assert f'gateway_worker{{worker="{number}"}} 2.0' in (await http.get("/metrics")).text


async def test_the_command_decides_how_long_it_drains(new_gateway, nats):
    gateway = new_gateway(nats, arguments=["--workers", "1", "--drain-seconds", "0"], drain_seconds="60")
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateway.connect()) for _ in range(20)]
        assert await asyncio.to_thread(gateway.stop) == 0
        assert {(await client.closing())[0] for client in clients} == {4200}
