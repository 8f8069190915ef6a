"""A client of NATS is connected, or tries to be, or says that it does neither."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from contracts import streams
from leadwire.ports import LOOPBACK
from runtime import broker, live
from runtime.live import ConnectionAbandoned, LiveClient
from support.faults import Direction, FaultProxy, fault_proxy
from support.servers import NatsServer
from support.waiting import until

pytestmark = pytest.mark.faults


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[LiveClient]:
    client = await broker.connect(url, "test")
    try:
        yield client
    finally:
        await broker.close(client)


@pytest.fixture
def two_ways(nats: NatsServer) -> Iterator[tuple[FaultProxy, FaultProxy]]:
    with fault_proxy(nats.port) as one, fault_proxy(nats.port) as other:
        yield one, other


def through(nats: NatsServer, *proxies: FaultProxy) -> str:
    return ",".join(f"nats://operator:{nats.credentials.nats['operator']}@{LOOPBACK}:{proxy.port}" for proxy in proxies)


async def test_a_peer_that_takes_nothing_does_not_keep_a_client_from_reconnecting(
    nats: NatsServer, two_ways: tuple[FaultProxy, FaultProxy]
) -> None:
    async with connected(through(nats, *two_ways)) as client:
        (used,) = [proxy for proxy in two_ways if proxy.connections]
        used.stall(Direction.TO_SERVER)
        used.refuse()

        for _ in range(40):  # more than all buffers on the way hold
            client._pending.append(b"PUB x 500000\r\n" + bytes(500_000) + b"\r\n")
            client._pending_data_size += 500_000
        await client._flush_pending()
        used.half_close(Direction.TO_CLIENT)

        await until(lambda: client.stats["reconnects"] == 1 and client.is_connected, within=30)


async def test_a_client_that_nobody_reconnects_is_noticed(nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ABANDONED", 2.0)
    async with connected(nats.url("operator")) as client:
        watching = asyncio.create_task(broker.tend(client, streams.CRM))
        nats.kill()
        await until(lambda: client._reconnection_task is not None)
        client._reconnection_task.cancel()

        with pytest.raises(ConnectionAbandoned):
            await asyncio.wait_for(watching, 60)


async def test_a_client_that_the_server_has_sent_away_comes_back(nats: NatsServer) -> None:
    async with connected(nats.url("operator")) as client:
        await client._send_command(b"NONSENSE\r\n")
        await client._flush_pending()

        await until(lambda: client.stats["reconnects"] == 1 and client.is_connected)


async def test_what_waits_for_its_first_connection_is_no_failure(
    nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REFUSED_PAUSE", 0.05)
    connecting = asyncio.create_task(broker.connect(f"nats://operator:wrong@{LOOPBACK}:{nats.port}", "test"))
    done, _ = await asyncio.wait([connecting], timeout=1)
    assert not done
    while not connecting.done():  # asyncio.wait_for may swallow a cancellation (Python 3.11)
        connecting.cancel()
        await asyncio.wait([connecting], timeout=0.5)
