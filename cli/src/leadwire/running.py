"""The running stack of a state directory: where its parts are, and what each process was told."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psutil

from leadwire import credentials, nats_server, postgres
from leadwire.ports import LOOPBACK
from leadwire.state import Snapshot, StateDirectory
from leadwire.topology import ADMIN_PORTS, API, GATEWAY, NOTIFIER, RELAY, WORKER, Endpoint, Topology, python

PATIENCE: Final = 14.0  # seconds for the answer of a process about itself
_PREFIXES: Final = ("LEADS_", "NOTIFIER_", "GATEWAY_")


@dataclass(frozen=True, kw_only=True, repr=False)
class Member:
    """One process of ours, or step that ends by itself."""

    service: str
    """Its module: leads, notifier, gateway."""
    process: str
    """Which of the service's, as `python -m leads doctor` and `config` call it."""
    environment: dict[str, str]
    """What it was told. Holds secrets."""

    @property
    def name(self) -> str:
        """How a person calls it."""
        return f"{self.service} {self.process}"

    async def ask(self, command: str, *, within: float = PATIENCE) -> tuple[int, bytes]:
        """Run the service's `doctor` or `config` for this process; return exit code and answer, which is JSON.

        Args:
            command: of the two.
            within: seconds; then it is killed, and has no answer.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIXES)}
        child = await asyncio.create_subprocess_exec(
            *python(self.service, command, self.process, "--json"),
            env={**inherited, **self.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            answer, _ = await asyncio.wait_for(child.communicate(), within)
        except TimeoutError:
            child.kill()
            await child.wait()
            answer = b""
        assert child.returncode is not None  # it has ended
        return child.returncode, answer


def members(state: StateDirectory) -> list[Member]:
    """Return every process of a running stack; none when it does not run."""
    snapshot = state.snapshot()
    if state.supervisor() is None or snapshot is None:
        return []
    pids = {process.name: process.pid for process in snapshot.processes}
    return planned(topology(state, snapshot), lambda name: _told(pids.get(name)))


def planned(topology: Topology, told: Callable[[str], dict[str, str]] = lambda _name: {}) -> list[Member]:
    """Return every process of a topology.

    Args:
        topology: where everything is.
        told: what a process, called as in the topology, was told indeed; nothing when that is not known.
    """
    processes = (
        ("leads", "api", topology.api_service()),
        ("leads", "relay", topology.relay_service()),
        ("leads", "worker", topology.worker_service()),
        ("notifier", "serve", topology.notifier_service()),
        ("gateway", "serve", topology.gateway_service()),
        ("leads", "migrate", topology.migrate_leads()),
        ("notifier", "migrate", topology.migrate_notifier()),
    )
    return [
        Member(service=service, process=name, environment=told(it.name) or dict(it.environment))
        for service, name, it in processes
    ]


def topology(state: StateDirectory, snapshot: Snapshot) -> Topology:
    """Return where the parts of a running stack are. What only a start decides is missing, such as the web screen."""
    ports = state.read_ports()
    places = {
        process.name: Endpoint(process.host, process.port, ports.get(ADMIN_PORTS.get(process.name, ""), 0))
        for process in snapshot.processes
    }
    nowhere = Endpoint(LOOPBACK, 0)
    return Topology(
        credentials=credentials.load(state.credentials),
        postgres=Endpoint(LOOPBACK, ports[postgres.NAME]),
        nats=Endpoint(LOOPBACK, ports[nats_server.NAME]),
        leads=places.get(API, nowhere),
        relay=places.get(RELAY, nowhere),
        worker=places.get(WORKER, nowhere),
        notifier=places.get(NOTIFIER, nowhere),
        gateway=places.get(GATEWAY, nowhere),
        apps_file=state.apps,
    )


def _told(pid: int | None) -> dict[str, str]:
    """Return what a living process was told; nothing when there is none, or it is not ours to ask."""
    with contextlib.suppress(psutil.Error):
        environment: dict[str, str] = psutil.Process(pid).environ() if pid is not None else {}
        return {name: value for name, value in environment.items() if name.startswith(_PREFIXES)}
    return {}
