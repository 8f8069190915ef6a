"""PostgreSQL and NATS in containers, where a Docker engine answers."""

import contextlib
import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import DockerException
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer

from leadwire import paths
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.ports import reserve
from support.servers import FAST, NatsServer, PostgresServer

POSTGRES_IMAGE = "postgres:18"
NATS_IMAGE = "nats:2.15.1"


def engine_answers() -> bool:
    """Whether there is a Docker engine for us."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        try:
            with contextlib.closing(docker.from_env(timeout=3)) as client:
                return bool(client.ping())
        except DockerException:
            return False
        finally:
            gc.collect()  # a refused client leaves its socket open: let it go here, not in some test


class ContainerNats(NatsServer):
    """The official image. The port is ours, because a mapped one changes with every start."""

    def __init__(self, credentials: Credentials, configuration: Path = paths.NATS_CONFIG) -> None:
        super().__init__(reserve(), credentials)
        self._container = DockerContainer(NATS_IMAGE)
        self._container.with_bind_ports(4222, self.port)
        self._container.with_volume_mapping(str(configuration), "/etc/leadwire/nats.conf", "ro")
        self._container.with_command("--config /etc/leadwire/nats.conf --store_dir /data")
        for name, value in credentials.nats_environment.items():
            self._container.with_env(name, value)
        self._is_created = False

    def _start(self) -> None:
        if self._is_created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._is_created = True

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def save(self, place: Path) -> None:
        chunks, _ = self._container.get_wrapped_container().get_archive("/data")
        place.write_bytes(b"".join(chunks))

    def restore(self, place: Path) -> None:
        self._container.get_wrapped_container().put_archive("/", place.read_bytes())

    def lose(self) -> None:
        self._container.stop()  # which removes it
        self._is_created = False

    def _remove(self) -> None:
        if self._is_created:
            self._container.stop()


@contextlib.contextmanager
def container_postgres(credentials: Credentials) -> Iterator[PostgresServer]:
    """Run the official image."""
    settings = " ".join(f"-c {name}={value}" for name, value in FAST.items())
    password = credentials.postgres[SUPERUSER]
    container = PostgresContainer(POSTGRES_IMAGE, username=SUPERUSER, password=password, dbname="postgres", driver=None)
    with container.with_command(f"postgres {settings}") as running:
        server = PostgresServer(running.get_container_host_ip(), int(running.get_exposed_port(5432)), credentials)
        server.wait_until_ready()
        yield server
