"""The contestants, each in a process of its own."""

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import soketi
from children import Child
from contracts import streams
from leadwire import nats_server
from leadwire.credentials import Credentials
from leadwire.ports import reserve
from load import PATIENCE, Load, compiled
from publishers import APP, HttpPublisher, NatsPublisher
from runtime import broker

BENCH = Path(__file__).parent
TARGET = f"/app/{APP['key']}?protocol=7"


class Nats:
    """NATS with our streams."""

    def __init__(self, children: contextlib.ExitStack, directory: Path) -> None:
        self._credentials = Credentials()
        self._port = reserve().port
        process = nats_server.process(
            port=self._port, store=directory / "nats", passwords=self._credentials.nats_environment
        )
        self.process = Child(*process.command, environment=process.environment, log=directory / "nats.log")
        children.callback(self.process.end)

    def url(self, user: str) -> str:
        return f"nats://{user}:{self._credentials.nats[user]}@127.0.0.1:{self._port}"

    async def start(self) -> None:
        await until(lambda: nats_server.is_ready("127.0.0.1", self._port))
        client = await broker.connect(self.url("operator"), "bench")
        await streams.ensure(client.jetstream())
        await client.close()


class Server:
    """Something that load generators can join."""

    name: str
    process: Child
    port: int

    def load(self, children: contextlib.ExitStack, directory: Path, sockets: int, *channels: str) -> Load:
        """Connect clients that subscribe these channels; see load.c."""
        return Load(children, directory, self.port, sockets, TARGET, *channels)

    async def start(self) -> None:
        """Wait until it answers."""
        await until(lambda: answers(self.port))

    def publisher(self) -> HttpPublisher | NatsPublisher:
        return HttpPublisher(self.port)


class Gateway(Server):
    """Ours; events come over NATS."""

    name = "gateway"

    def __init__(self, children: contextlib.ExitStack, directory: Path, nats: Nats, **settings: str) -> None:
        self.port, self.admin_port = reserve().port, reserve().port
        self._nats = nats
        (directory / "apps.json").write_text(json.dumps([{**APP, "maxConnections": -1, "enableClientMessages": True}]))
        environment = {
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_ADMIN_PORT": str(self.admin_port),
            "GATEWAY_NATS_URL": nats.url("gateway"),
            "GATEWAY_APPS_FILE": str(directory / "apps.json"),
            "GATEWAY_LOG_LEVEL": "WARNING",
            "GATEWAY_HANDSHAKES_PER_SECOND": "-1",  # everybody comes from one address
            "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "-1",
            **{f"GATEWAY_{name.upper()}": value for name, value in settings.items()},
        }
        command = (sys.executable, "-m", "gateway", "serve")
        self.process = Child(*command, environment=environment, log=directory / "gateway.log")
        children.callback(self.process.kill)

    async def start(self) -> None:
        await until(lambda: answers(self.admin_port, b"/readyz"))

    def publisher(self) -> NatsPublisher:
        return NatsPublisher(self._nats.url("operator"))


class Soketi(Server):
    """soketi, without any limit."""

    name = "soketi"

    def __init__(self, children: contextlib.ExitStack, directory: Path) -> None:
        self.port = reserve().port
        free = ("maxConnections", "maxBackendEventsPerSecond", "maxClientEventsPerSecond", "maxReadRequestsPerSecond")
        app = {**APP, "enabled": True, "enableClientMessages": True, **dict.fromkeys(free, -1)}
        settings = {"host": "127.0.0.1", "port": self.port, "debug": False, "appManager.array.apps": [app]}
        file = directory / "soketi.json"
        file.write_text(json.dumps(settings))
        self.process = Child(*soketi.installed(), f"--config={file}", log=directory / "soketi.log")
        children.callback(self.process.kill)


class Broadcast(Server):
    """A plain FastAPI broadcast."""

    name = "FastAPI"

    def __init__(self, children: contextlib.ExitStack, directory: Path) -> None:
        self.port = reserve().port
        self.process = Child(sys.executable, str(BENCH / "broadcast.py"), str(self.port), log=directory / "fastapi.log")
        children.callback(self.process.kill)


class Plain:
    """The C loop: a write() for each socket and nothing else."""

    name = "write() loop in C"

    def __init__(self, children: contextlib.ExitStack, directory: Path, sockets: int, size: int) -> None:
        self.size = size
        self.process = Child(str(compiled(directory, "fanout_plain")), str(sockets), str(size))
        children.callback(self.process.kill)
        self.load = Load(children, directory, self.process.read(), sockets)

    async def start(self) -> None:
        await self.load.ready()
        assert await asyncio.to_thread(self.process.read) == "ready"


class BareNats:
    """nats-py alone, without any socket behind it."""

    name = "bare nats-py"

    def __init__(self, children: contextlib.ExitStack, nats: Nats, channels: int, channel: str) -> None:
        command = (sys.executable, str(BENCH / "bare_nats.py"), nats.url("gateway"), str(channels), channel)
        self.process = Child(*command)
        children.callback(self.process.kill)

    async def start(self) -> None:
        assert await asyncio.to_thread(self.process.read) == "ready"

    async def until(self, messages: int) -> None:
        """Wait for so many messages since the start."""
        self.process.say(str(messages))
        answer = await asyncio.wait_for(asyncio.to_thread(self.process.read), PATIENCE)
        assert int(answer) == messages


def answers(port: int, path: bytes = b"/") -> bool:
    """Whether a server answers; with a path, whether it answers that with 200."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
        status = connection.recv(4096).split(b" ")
        return len(status) > 1 and (path == b"/" or status[1] == b"200")
    return False


async def until(condition: Callable[[], bool], within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it does not become ready"
        await asyncio.sleep(0.05)
