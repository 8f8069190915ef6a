"""`leadwire migrate`, `reseed …`, `where`, `tail`: the services' own commands, told where a stack is."""

import os
import subprocess
from typing import NoReturn

from leadwire import credentials, nats_server, postgres
from leadwire.ports import LOOPBACK
from leadwire.progress import complain
from leadwire.state import StateDirectory
from leadwire.topology import Endpoint, Topology


def become(state: StateDirectory, command: str, *arguments: str) -> NoReturn:
    """Become `python -m leads <command>` with these arguments.

    Raises:
        SystemExit: nothing was ever started here.
    """
    process = _topology(state).leads_command(command, *arguments)
    os.execve(process.command[0], process.command, {**os.environ, **process.environment})  # noqa: S606 - our own program


def migrate(state: StateDirectory) -> int:
    """Bring databases, streams and consumers to the code's state; return the exit code of the first step that fails.

    Raises:
        SystemExit: nothing was ever started here.
    """
    topology = _topology(state)
    for process in (topology.migrate_leads(), topology.migrate_notifier()):
        done = subprocess.run(process.command, env={**os.environ, **process.environment}, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


def _topology(state: StateDirectory) -> Topology:
    """Return where the servers of a stack are; its services have no address here."""
    ports = state.read_ports()
    if not ports:
        complain("Nothing was ever started here: ./leadwire up")
        raise SystemExit(1)
    nowhere = Endpoint(LOOPBACK, 0)
    return Topology(
        credentials=credentials.load(state.credentials),
        postgres=Endpoint(LOOPBACK, ports[postgres.NAME]),
        nats=Endpoint(LOOPBACK, ports[nats_server.NAME]),
        leads=nowhere,
        relay=nowhere,
        worker=nowhere,
        notifier=nowhere,
        gateway=nowhere,
        apps_file=state.apps,
    )
