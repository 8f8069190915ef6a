"""Three NATS servers as deploy/nats/start.sh makes them, with a fault proxy on each route, and one address for clients.

That address is a balancer's, as a Kubernetes Service has it: it knows who refuses connections, and nothing else.
"""

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
from nats.js.errors import BadRequestError

from contracts import streams
from leadwire import paths
from leadwire.credentials import Credentials
from leadwire.ports import LOOPBACK, Reservation, reserve
from leadwire.processes import Process
from leadwire.topology import LISTENERS
from support.faults import FaultProxy, fault_proxy
from support.servers import NatsServer, OwnProcess
from support.waiting import until, until_sync

SERVERS: Final = 3
NO_SUITABLE_PEERS: Final = 10005
"""JetStream's code while the leader does not yet know that the others are there."""
_ROUTE_PASSWORD: Final = "route-password-of-the-tests"
_NOBODY: Final = "127.0.0.1:1"
"""What a server tells the others about its own address: they shall connect through the proxies alone."""


class ClusterServer:
    """One of the three."""

    def __init__(self, number: int, directory: Path, credentials: Credentials) -> None:
        self.name = f"n{number}"
        self.client, self.route, self.monitor = reserve(), reserve(), reserve()
        self.inbound: list[FaultProxy] = []
        self.outbound: list[FaultProxy] = []
        self._store = directory / f"{self.name}-store"
        self._log = directory / f"{self.name}.log"
        self._passwords = directory / "passwords"
        self._passwords.write_text(
            "".join(
                f"{name}='{value}'\n"
                for name, value in {**credentials.nats_environment, "NATS_ROUTE_PASSWORD": _ROUTE_PASSWORD}.items()
            )
        )
        self._process: OwnProcess | None = None

    @property
    def reservations(self) -> tuple[Reservation, ...]:
        return self.client, self.route, self.monitor

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def start(self) -> None:
        routes = ",".join(f"{LOOPBACK}:{proxy.port}" for proxy in self.outbound)
        environment = {
            "NATS_PASSWORDS_FILE": str(self._passwords),
            "NATS_CONFIG": str(paths.NATS_CONFIG),
            "NATS_ROUTES": routes,
            "PATH": f"{paths.NATS_SERVER.parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = (
            *("sh", str(paths.NATS_CONFIG.parent / "start.sh")),
            *("--name", self.name, "--store_dir", str(self._store)),
            *("--addr", LOOPBACK, "--port", str(self.client.port)),
            *("--cluster", f"nats://route:{_ROUTE_PASSWORD}@{LOOPBACK}:{self.route.port}"),
            *("--cluster_advertise", _NOBODY, "--http_port", str(self.monitor.port)),
        )
        process = Process(
            name=self.name, command=command, environment=environment, host=LOOPBACK, port=self.client.port
        )
        self._process = OwnProcess(process, self._log)
        self._process.start()

    def stop(self) -> None:
        assert self._process is not None
        self._process.stop()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def replace(self) -> None:
        """Lose it and its disk, and start an empty one in its place."""
        self.kill()
        shutil.rmtree(self._store)
        self.start()

    def isolate(self) -> None:
        """Cut it off from the other servers; clients still reach it."""
        for proxy in (*self.inbound, *self.outbound):
            proxy.cut()

    def heal(self) -> None:
        for proxy in (*self.inbound, *self.outbound):
            proxy.heal()

    def is_ready(self) -> bool:
        """Whether it is one of the cluster, and has caught up with what the others store."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://{LOOPBACK}:{self.monitor.port}/healthz", timeout=2).is_success
        return False

    def online_peers(self) -> int:
        """Return how many other servers it knows to be online, if it leads the cluster; else 0."""
        with contextlib.suppress(httpx.TransportError):
            found = httpx.get(f"http://{LOOPBACK}:{self.monitor.port}/jsz", timeout=2).json().get("meta_cluster") or {}
            if found.get("leader") == self.name:
                return sum(not peer.get("offline", False) for peer in found.get("replicas") or [])
        return 0

    def connections(self) -> list[str]:
        """Return the names of the clients that are connected to it."""
        answer = httpx.get(f"http://{LOOPBACK}:{self.monitor.port}/connz", timeout=5)
        return [str(one.get("name", "")) for one in answer.json()["connections"]]

    def leads(self, stream: str) -> bool:
        """Whether it is a stream's leader."""
        found = httpx.get(
            f"http://{LOOPBACK}:{self.monitor.port}/jsz", params={"streams": 1, "accounts": 1}, timeout=5
        ).json()
        details: list[dict[str, Any]] = [
            one for account in found.get("account_details") or [] for one in account.get("stream_detail") or []
        ]
        return any(one["name"] == stream and (one.get("cluster") or {}).get("leader") == self.name for one in details)

    def forget(self) -> None:
        if self._process is not None:
            self._process.forget()


class NatsCluster(NatsServer):
    """The three, as one server: its address is the balancer's."""

    def __init__(self, reservation: Reservation, credentials: Credentials) -> None:
        super().__init__(reservation, credentials)
        self._directory = Path(tempfile.mkdtemp(prefix="leadwire-cluster-"))
        self._proxies = ExitStack()
        self.servers = [ClusterServer(number, self._directory, credentials) for number in range(SERVERS)]
        for one, another in itertools.permutations(self.servers, 2):
            proxy = self._proxies.enter_context(fault_proxy(another.route.port))
            one.outbound.append(proxy)
            another.inbound.append(proxy)
        self.balancer = self._proxies.enter_context(fault_proxy(*(server.client.port for server in self.servers)))
        self.port = self.balancer.port

    def urls(self, user: str) -> str:
        """Return the address of each server, with commas between."""
        password = self.credentials.nats[user]
        return ",".join(f"nats://{user}:{password}@{LOOPBACK}:{server.client.port}" for server in self.servers)

    def wait_until_whole(self) -> None:
        """Return when every server has caught up, and the leader knows that all are there."""
        for server in self.servers:
            until_sync(server.is_ready, within=90, why=f"{server.name} has caught up")
        until_sync(self._knows_all, within=90, why="the leader of the cluster knows all servers")

    def _knows_all(self) -> bool:
        return any(server.online_peers() == SERVERS - 1 for server in self.servers)

    def leader(self, stream: str) -> ClusterServer:
        """Return the server that leads a stream."""

        def find() -> ClusterServer | None:
            for server in self.servers:
                with contextlib.suppress(httpx.HTTPError):
                    if server.leads(stream):
                        return server
            return None

        found: ClusterServer = until_sync(find, why=f"{stream} has a leader")
        return found

    def of_client(self, name: str) -> ClusterServer:
        """Return the server that a client is connected to."""
        (found,) = [server for server in self.servers if name in server.connections()]
        return found

    async def _ensure_streams(self) -> None:
        async def placed() -> bool:
            async with self.client("migrate") as client:
                try:
                    await streams.ensure(client.jetstream(timeout=30), replicas=SERVERS, listeners=LISTENERS)
                except BadRequestError as error:
                    if error.err_code != NO_SUITABLE_PEERS:
                        raise
                    return False
            return True

        await until(placed, within=90, why="there is a place for three replicas of each stream")

    def _start(self) -> None:
        for server in self.servers:
            server.start()
        self.wait_until_whole()

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def save(self, place: Path) -> None:
        raise NotImplementedError

    def restore(self, place: Path) -> None:
        raise NotImplementedError

    def lose(self) -> None:
        raise NotImplementedError

    def _remove(self) -> None:
        for server in self.servers:
            server.forget()
            for reservation in server.reservations:
                reservation.release()
        self._proxies.close()
        shutil.rmtree(self._directory)


@contextlib.contextmanager
def nats_cluster(credentials: Credentials) -> Iterator[NatsCluster]:
    """Run a cluster with the streams in it, each on three servers."""
    cluster = NatsCluster(reserve(), credentials)
    try:
        cluster.start()
        cluster.ensure_streams()
        yield cluster
    finally:
        cluster.close()
