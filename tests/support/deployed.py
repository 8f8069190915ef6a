"""The whole compose file on a Docker engine."""

import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx

from leadwire import paths, secret_files
from leadwire.ports import LOOPBACK, reserve
from leadwire.topology import Endpoint
from support.stack import specification
from support.watchers import Watcher


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

    def watcher(self, api: httpx.AsyncClient, company_id: str) -> Watcher:
        """Return a client of the one port that listens to a company's screen."""

        async def address() -> str:
            key = (await api.get(f"{self.url}/config.json")).raise_for_status().json()["appKey"]
            return f"{self.url.replace('http', 'ws', 1)}/app/{key}"

        return Watcher(address, api, company_id)

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
