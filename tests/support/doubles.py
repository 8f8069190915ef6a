"""A process like one of a stack, which reaches PostgreSQL and NATS through proxies that a test breaks."""

import contextlib
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
        port = reserve()
        ending.callback(port.release)
        endpoints: dict[str, Any] = {
            "postgres": Endpoint(LOOPBACK, postgres.port),
            "nats": Endpoint(LOOPBACK, nats.port),
            name: Endpoint(LOOPBACK, port.port),
        }
        own = replace(topology, **endpoints)
        (process,) = [one for one in own.services() if one.name == name]
        running = OwnProcess(_renamed(process, log), log)
        ending.callback(running.forget)
        running.start()
        yield Double(running, postgres, nats)


def _renamed(process: Process, log: Path) -> Process:
    return replace(process, name=log.stem)
