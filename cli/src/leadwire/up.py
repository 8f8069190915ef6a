"""`leadwire up`: brings the whole topology up in one process's care, and down again."""

import asyncio
import contextlib
import errno
import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import psutil

from leadwire import credentials, leftovers, nats_server, ports, postgres, web
from leadwire.files import write_private
from leadwire.ports import LOOPBACK, reserve
from leadwire.postgres import Cluster
from leadwire.progress import say
from leadwire.stack import Stack
from leadwire.state import StateDirectory
from leadwire.topology import ADMIN_PORTS, API, EVERYWHERE, GATEWAY, NOTIFIER, RELAY, WORKER, Endpoint, Topology

_SETTINGS: Final = {"max_connections": "100", "shared_buffers": "128MB"}


class CannotStart(Exception):
    """Nothing was started; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the person asked for."""

    host: str
    gateway_port: int
    leads_port: int
    notifier_port: int
    web: bool
    demo: bool
    fresh: bool


async def up(state: StateDirectory, options: Options, ready: Callable[[], None]) -> bool:
    """Start everything, call `ready`, and return after everything is stopped again: on SIGINT, SIGTERM or SIGHUP.

    Returns:
        Whether it was ever ready.

    Raises:
        CannotStart: a port is taken.
        ProcessFailed, PostgresFailed, httpx.HTTPError: a step failed; everything is stopped again.
    """
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    stop = asyncio.create_task(asked_to_stop.wait())
    with prepared(state, options) as stack:
        start = asyncio.create_task(stack.start())
        try:
            await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                ready()
                await stop
            say("\nStopping …")
            return start.done()
        finally:
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            await stack.stop()


@contextlib.contextmanager
def prepared(state: StateDirectory, options: Options) -> Iterator[Stack]:
    """Look that everything can be started, and decide where. What has port 0 is not to be started."""
    leftovers.mark(state.path)
    place = postgres.place(state.postgres)
    stop_leftovers(state)
    if options.fresh:
        state.wipe(place.data)
        state.create()
    _refuse_taken_ports(options)
    with ExitStack() as reservations:
        before = state.read_ports()
        chosen = {}
        for name in (postgres.NAME, nats_server.NAME, RELAY, WORKER, *ADMIN_PORTS.values()):
            reservation = reserve(before.get(name))
            reservations.callback(reservation.release)
            chosen[name] = reservation.port
        write_private(state.ports, json.dumps(chosen))
        topology = Topology(
            credentials=credentials.load(state.credentials),
            postgres=Endpoint(LOOPBACK, chosen[postgres.NAME]),
            nats=Endpoint(LOOPBACK, chosen[nats_server.NAME]),
            relay=Endpoint(LOOPBACK, chosen[RELAY]),
            worker=Endpoint(LOOPBACK, chosen[WORKER]),
            leads=Endpoint(options.host, options.leads_port, chosen[ADMIN_PORTS[API]]),
            notifier=Endpoint(options.host, options.notifier_port, chosen[ADMIN_PORTS[NOTIFIER]]),
            gateway=Endpoint(options.host, options.gateway_port, chosen[ADMIN_PORTS[GATEWAY]]),
            public_host=_own_address() if options.host in EVERYWHERE else options.host,
            apps_file=state.apps,
            web_dir=web.DIST if options.web else None,
        )
        cluster = Cluster(place=place, port=chosen[postgres.NAME], settings=_SETTINGS)
        yield Stack(state, topology, cluster, with_demo=options.demo)


def stop_leftovers(state: StateDirectory) -> int:
    """Stop what an earlier run left behind, and return how many processes that were."""
    data = postgres.place(state.postgres).data
    left = leftovers.find(state.path, data)
    if left:
        say(f"  An earlier run was killed: stopping {len(left)} processes it left behind")
        leftovers.stop(left, data)
    return len(left)


def _refuse_taken_ports(options: Options) -> None:
    named = {"gateway": options.gateway_port, "leads": options.leads_port, "notifier": options.notifier_port}
    wanted = {name: port for name, port in named.items() if port}
    if len(set(wanted.values())) < len(wanted):
        raise CannotStart("The gateway, leads and the notifier need a port each")
    for name, port in wanted.items():
        if (obstacle := ports.obstacle(options.host, port)) is None:
            continue
        if obstacle.errno != errno.EADDRINUSE:
            raise CannotStart(f"{name} cannot listen on {options.host}:{port}: {obstacle.strerror}")
        raise CannotStart(
            f"Port {port} (for {name}) is taken{_holder(port)}.\n"
            f"Choose another one: ./leadwire up --{name}-port {port + 1000}"
        )


def _holder(port: int) -> str:
    """Return who listens, if we may know."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f" by process {connection.pid}: {command[:100]}"
    return ""


def _own_address() -> str:
    """Return the address by which other machines most likely reach this one. Sends nothing."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return LOOPBACK
