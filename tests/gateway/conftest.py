"""Gateways for tests: one shared by all that do not disturb it, and a factory for those that do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from leadwire import node as nodes
from leadwire import web
from support.endpoints import HOOKED_APP, Endpoint, listening
from support.gateways import GatewayProcess
from support.servers import NatsServer

CLIENTS = Path(__file__).parents[1] / "node"


@pytest.fixture(scope="session")
def gateway(nats_server: NatsServer) -> Iterator[GatewayProcess]:
    """A running gateway that nobody stops."""
    nats_server.ensure_streams()
    process = GatewayProcess(nats_server)
    try:
        process.start()
        yield process
    finally:
        process.close()


@pytest.fixture(scope="session")
def gateways(gateway: GatewayProcess, nats_server: NatsServer) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    """Two running gateways that nobody stops."""
    other = GatewayProcess(nats_server)
    try:
        other.start()
        yield gateway, other
    finally:
        other.close()


@pytest.fixture
def new_gateway() -> Iterator[Callable[..., GatewayProcess]]:
    """Start more gateways: `new_gateway(nats, idle_seconds="1")`."""
    started: list[GatewayProcess] = []

    def new(nats: NatsServer, *, ready: bool = True, **settings: Any) -> GatewayProcess:
        process = GatewayProcess(nats, **settings)
        started.append(process)
        process.start(ready=ready)
        return process

    yield new
    for process in started:
        process.close()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The machine's Node.js, or the one of the package; the official clients are installed for it."""
    logs = tmp_path_factory.mktemp("npm")

    async def prepare() -> str:
        await web.install(CLIENTS, logs)
        return (await nodes.ensure_node(logs)).program

    with ThreadPoolExecutor(1) as elsewhere:  # here an event loop may be set up
        return elsewhere.submit(asyncio.run, prepare()).result()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """Where webhooks go."""
    async with listening() as one:
        yield one


@pytest.fixture
async def other_endpoint() -> AsyncIterator[Endpoint]:
    async with listening() as one:
        yield one


@pytest.fixture
def new_hooked(
    new_gateway: Callable[..., GatewayProcess], nats: NatsServer, tmp_path: Path
) -> Callable[..., GatewayProcess]:
    """Start gateways whose app has these webhooks: `new_hooked([{"url": …}], batchWebhooks=False)`."""
    path = tmp_path / "apps.json"

    def new(webhooks: list[dict[str, Any]], *, settings: dict[str, str] | None = None, **fields: Any) -> GatewayProcess:
        path.write_text(json.dumps([HOOKED_APP | {"webhooks": webhooks} | fields]))
        quick = {"webhook_retry_seconds": "0.1", "webhook_hold_seconds": "2", "lease_seconds": "2"}
        return new_gateway(nats, apps_file=str(path), **quick | (settings or {}))

    return new
