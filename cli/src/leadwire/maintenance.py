"""`leadwire reseed …`, `where`, `tail`: the leads service's own commands, told where a stack is."""

import os
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
    ports = state.read_ports()
    if not ports:
        complain("Nothing was ever started here: ./leadwire up")
        raise SystemExit(1)
    nowhere = Endpoint(LOOPBACK, 0)
    topology = Topology(
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
    process = topology.leads_command(command, *arguments)
    os.execve(process.command[0], process.command, {**os.environ, **process.environment})  # noqa: S606 - our own program
