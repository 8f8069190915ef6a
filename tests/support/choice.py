"""Which servers this session's tests run against."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from leadwire.credentials import Credentials
from support.servers import EmbeddedNats, NatsServer, PostgresServer, embedded_postgres


@dataclass(frozen=True)
class Servers:
    """Where servers come from."""

    kind: str
    postgres: Callable[[Credentials], AbstractContextManager[PostgresServer]]
    nats: Callable[..., NatsServer]
    """(credentials, path of another configuration) → a server that is not started."""


EMBEDDED = Servers("embedded", embedded_postgres, EmbeddedNats)


def choose() -> Servers:
    """Containers when a Docker engine answers, else the embedded binaries; LEADWIRE_TEST_SERVERS decides otherwise."""
    wanted = os.environ.get("LEADWIRE_TEST_SERVERS")
    assert wanted in {None, "embedded", "containers"}, f"LEADWIRE_TEST_SERVERS={wanted}"
    if wanted == "embedded" or (wanted is None and not _may_have_docker()):
        return EMBEDDED
    from support import containers  # noqa: PLC0415 - takes over a second

    if wanted is None and not containers.engine_answers():
        return EMBEDDED
    return Servers("containers", containers.container_postgres, containers.ContainerNats)


def _may_have_docker() -> bool:
    sockets = ("/var/run/docker.sock", "~/.docker/run/docker.sock", "~/.docker/desktop/docker.sock")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "/nowhere")
    return "DOCKER_HOST" in os.environ or any(
        Path(socket).expanduser().exists() for socket in (*sockets, f"{runtime}/docker.sock")
    )
