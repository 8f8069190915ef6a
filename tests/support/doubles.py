"""A process like one of a stack, which reaches PostgreSQL and NATS through proxies that a test breaks."""

import contextlib
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from leadwire.ports import LOOPBACK, reserve
from leadwire.processes import Process
from leadwire.topology import Endpoint
from support.faults import FaultProxy, fault_proxy
from support.servers import OwnProcess
from support.stack import Stack


@dataclass
class Double:
    """The process, and what it reaches its servers through."""

    own: OwnProcess
    postgres: FaultProxy
    nats: FaultProxy

    def state(self) -> Mapping[str, Any]:
        """Return what `/readyz` says; nothing when there is no answer."""
        try:
            answer: Mapping[str, Any] = httpx.get(self.own.process.health, timeout=2).json()
        except httpx.TransportError:
            return {}
        return answer

    def metric(self, name: str) -> float | None:
        """Return the value of a metric without labels; None when there is no answer."""
        try:
            text = httpx.get(self.own.process.health.replace("/readyz", "/metrics"), timeout=2).text
        except httpx.TransportError:
            return None
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return None if found is None else float(found[1])

    def heal(self) -> None:
        """End every fault but death."""
        self.postgres.heal()
        self.nats.heal()
        if self.own.pid is not None:
            self.thaw()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.own._running is not None
        self.own._running.send_signal(number)


@contextlib.contextmanager
def double(stack: Stack, name: str, log: Path) -> Iterator[Double]:
    """Start a process as the stack's of that name, on a port of its own.

    Args:
        stack: whose databases, NATS and credentials it uses.
        name: of a process in the topology: relay, notifier, worker …
        log: where its log goes.
    """
    with contextlib.ExitStack() as ending:
        topology = stack.topology
        postgres = ending.enter_context(fault_proxy(topology.postgres.port))
        nats = ending.enter_context(fault_proxy(topology.nats.port))
        port, admin_port = reserve(), reserve()
        for reserved in (port, admin_port):
            ending.callback(reserved.release)
        has_public_port = bool(getattr(topology, name).admin_port)
        endpoints: dict[str, Any] = {
            "postgres": Endpoint(LOOPBACK, postgres.port),
            "nats": Endpoint(LOOPBACK, nats.port),
            name: Endpoint(LOOPBACK, port.port, admin_port.port if has_public_port else 0),
        }
        own = replace(topology, **endpoints)
        (process,) = [one for one in own.services() if one.name == name]
        running = OwnProcess(_renamed(process, log), log)
        ending.callback(running.forget)
        running.start()
        yield Double(running, postgres, nats)


def _renamed(process: Process, log: Path) -> Process:
    return replace(process, name=log.stem)
