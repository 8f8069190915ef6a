"""SIGTERM: everybody is sent away politely, newcomers are told to come back later, the process ends in order."""

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus

import httpx
from websockets.exceptions import InvalidMessage

from support.gateways import APP, PATIENCE, QUERY, Client, checked
from support.waiting import until


async def test_012_024_established_connections_get_4200_and_newcomers_4100(new_gateway, nats):
    gateway = new_gateway(nats, drain_seconds="0", close_seconds="2")
    async with gateway.raw() as stubborn, gateway.connect() as polite:  # the first never answers a close frame
        await polite.join("news")
        stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))

        assert await polite.closing() == (4200, "Server is restarting; reconnect immediately")
        async with gateway.open(f"/app/{APP['key']}?{QUERY}") as late:
            data = checked(await late.recv())["data"]
            assert (data["code"], (await Client(late, APP).closing())[0]) == (4100, 4100)
        async with httpx.AsyncClient(base_url=gateway.admin_url(), timeout=PATIENCE) as http:
            assert (await http.get("/readyz")).status_code == HTTPStatus.SERVICE_UNAVAILABLE
            assert (await http.get("/livez")).status_code == HTTPStatus.OK

        assert await stubborn.closing() == 4200
        assert await stopping == 0


async def test_closing_is_spread_over_the_drain_window(new_gateway, nats):
    gateway = new_gateway(nats, drain_seconds="1")

    async def closed_after(client):
        await client.closing()
        return time.monotonic()

    async with AsyncExitStack() as open_clients:
        clients = [await open_clients.enter_async_context(gateway.connect()) for _ in range(20)]
        stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
        times = sorted(await asyncio.gather(*map(closed_after, clients)))

    assert await stopping == 0
    assert 0.5 < times[-1] - times[0] < 30


async def test_012_024_five_hundred_connections_are_sent_away_in_the_window_while_newcomers_wait(new_gateway, nats):
    gateway = new_gateway(nats, drain_seconds="4")
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateway.connect()) for _ in range(500)]
        closed = []

        async def closing(client):
            code, _ = await client.closing()
            closed.append((time.monotonic(), code))

        stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
        leaving = [asyncio.create_task(closing(client)) for client in clients]
        await until(lambda: closed)
        newcomers = []
        with suppress(OSError, InvalidMessage):  # it ends while a slow newcomer knocks
            while len(closed) < 400:
                async with gateway.open(f"/app/{APP['key']}?{QUERY}") as late:
                    newcomers.append(checked(await late.recv())["data"]["code"])
        await asyncio.gather(*leaving)

        assert await stopping == 0
        assert {code for _, code in closed} == {4200}
        assert set(newcomers) == {4100}
        times = sorted(when for when, _ in closed)
        assert times[-1] - times[0] > 1  # not all at once
        assert times[250] - times[0] > 0.4


async def test_an_idle_gateway_ends_at_once_and_without_errors(new_gateway, nats):
    gateway = new_gateway(nats, drain_seconds="60")

    assert await asyncio.to_thread(gateway.stop) == 0

    assert {line["level"] for line in gateway.log()} <= {"info", "warning"}


async def test_a_kill_takes_the_connections_with_it_and_a_new_process_serves_on(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as client:
        gateway.kill()
        await until(lambda: client.socket.close_code is not None)

    gateway.start()
    async with gateway.connect() as client:
        await client.hears_nothing()
