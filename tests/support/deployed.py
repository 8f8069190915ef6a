"""The whole compose file on a Docker engine, and a client of its one port that resumes."""

import asyncio
import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from leadwire import paths, secret_files
from leadwire.ports import LOOPBACK, reserve
from leadwire.topology import Endpoint
from support.stack import specification

QUERY = "protocol=7&client=js&version=8.6.0&flash=false"
GONE = (OSError, WebSocketException, httpx.TransportError, httpx.HTTPStatusError)
"""What a client sees when whoever it talks to is killed."""


class Deployment:
    """A project of its own on the engine."""

    def __init__(self, directory: Path, port: int, version: str = "test") -> None:
        self.secrets = directory / "secrets"
        self.url = f"http://{LOOPBACK}:{port}"
        self.version = version
        self._environment = {
            "COMPOSE_PROJECT_NAME": f"leadwire-{uuid.uuid4().hex[:8]}",
            "LEADWIRE_SECRETS": str(self.secrets),
            "LEADWIRE_PORT": str(port),
        }
        secret_files.write(self.secrets, postgres=Endpoint("postgres", 5432), nats=Endpoint("nats", 4222))

    def compose(self, *arguments: str, stdin: str = "") -> str:
        return run("docker", "compose", *arguments, stdin=stdin, LEADWIRE_VERSION=self.version, **self._environment)

    def up(self, *arguments: str) -> None:
        """Start what does not run, and return when all is healthy."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", "300", *arguments)

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's running containers."""
        return self.compose("ps", "--quiet", service).split()

    def inspect(self, service: str) -> list[dict[str, Any]]:
        every = self.compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = json.loads(run("docker", "inspect", *every))
        return found

    def provision(self, name: str) -> str:
        """Create a company with one user a role; return its id."""
        company_id = str(uuid.uuid4())
        self.compose("run", "--rm", "--no-TTY", "provision", stdin=json.dumps(specification(name, company_id)))
        return company_id

    @contextlib.asynccontextmanager
    async def client(self, name: str, role: str = "agent") -> AsyncIterator[httpx.AsyncClient]:
        """Return a client of the REST API that has logged in."""
        user = next(user for user in specification(name, "")["users"] if user["role"] == role)
        credentials = {"email": user["email"], "password": user["password"]}
        async with httpx.AsyncClient(base_url=f"{self.url}/api/", timeout=30) as client:
            answer = (await client.post("auth/login", json=credentials)).raise_for_status()
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield client


def run(*command: str, stdin: str = "", **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=paths.CHECKOUT,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@contextlib.contextmanager
def deployed(directory: Path) -> Iterator[Deployment]:
    """Build every image, bring the whole file up, and take it away in the end."""
    port = reserve()
    deployment = Deployment(directory, port.port)
    try:
        deployment.compose("build", "--quiet")
        deployment.up()
        yield deployment
    finally:
        (directory / "log").write_text(deployment.compose("logs", "--no-color"))
        deployment.compose("down", "--volumes", "--timeout", "5")
        port.release()


class Watcher:
    """A client that comes back, with what it heard last, whenever its connection is gone."""

    def __init__(self, deployment: Deployment, api: httpx.AsyncClient, company_id: str) -> None:
        self.heard: list[int] = []
        """The positions of the events that reached it, in order, repeats included."""
        self.connections = 0
        self._url = deployment.url
        self._api = api
        self._channel = f"private-company.{company_id}"
        self._place: dict[str, Any] = {}

    async def run(self) -> None:
        while True:
            with contextlib.suppress(*GONE):
                key = (await self._api.get(f"{self._url}/config.json")).raise_for_status().json()["appKey"]
                async with connect(f"{self._url.replace('http', 'ws', 1)}/app/{key}?{QUERY}") as socket:
                    await self._listen(socket)
            await asyncio.sleep(0.1)  # as a client pauses before it comes back

    async def _listen(self, socket: ClientConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            match frame["event"]:
                case "pusher:connection_established":
                    await socket.send(json.dumps(await self._subscription(json.loads(frame["data"])["socket_id"])))
                case "pusher_internal:subscription_succeeded":
                    self.connections += 1
                case "pusher:ping":
                    await socket.send('{"event":"pusher:pong","data":{}}')
                case "leadwire:position":
                    position = json.loads(frame["data"])
                    self._place = {"epoch": position["epoch"], "offset": position["offset"]}
                case "lead.created":
                    self.heard.append(json.loads(frame["data"])["position"])

    async def _subscription(self, socket_id: str) -> dict[str, Any]:
        heard = {self._channel: self._place} if self._place else {}
        wanted = {
            "socket_id": socket_id,
            "channel_name": self._channel,
            "leadwire": json.dumps({"positions": heard, "except": []}),
        }
        signed = (await self._api.post("broadcasting/auth", data=wanted)).raise_for_status().json()
        return {"event": "pusher:subscribe", "data": {"channel": self._channel, **signed}}


@contextlib.asynccontextmanager
async def watching(watchers: list[Watcher]) -> AsyncIterator[None]:
    """Let clients listen."""
    tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def create(api: httpx.AsyncClient, name: str) -> int:
    """Create a lead as a careful client does, the same key until there is an answer; return the feed's position."""
    key = str(uuid.uuid4())
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await api.post("leads", json={"name": name}, headers={"Idempotency-Key": key})
            if answer.status_code == httpx.codes.CREATED:
                position: int = answer.json()["meta"]["position"]
                return position
            assert answer.is_server_error, answer.text
        await asyncio.sleep(0.1)


async def create_until(api: httpx.AsyncClient, done: Callable[[], bool]) -> list[int]:
    """Create one lead after the other until somebody says so; return their positions."""
    positions = [await create(api, "before")]
    while not done():
        positions.append(await create(api, f"Lead {len(positions)}"))
    return positions
