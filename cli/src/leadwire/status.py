"""`leadwire status`: the processes and whether they are ready."""

import asyncio
import time
from typing import Final

import httpx

from leadwire import nats_server, ports
from leadwire.health import is_healthy
from leadwire.progress import say
from leadwire.state import Running, Snapshot, StateDirectory

READY: Final = 0
NOT_READY: Final = 1
NOT_RUNNING: Final = 3


def status(state: StateDirectory) -> int:
    """Print a table and return the exit code."""
    supervisor, snapshot = state.supervisor(), state.snapshot()
    if supervisor is None or snapshot is None:
        say("Leadwire is not running.")
        return NOT_RUNNING
    healthy = asyncio.run(_ask(snapshot))
    say(f"{'PROCESS':<10}{'PID':>8}  {'UPTIME':>9}  {'RESTARTS':>8}  HEALTH")
    for process in snapshot.processes:
        pid = "-" if process.pid is None else process.pid
        uptime = "-" if process.pid is None else _duration(time.time() - process.started)
        say(f"{process.name:<10}{pid:>8}  {uptime:>9}  {process.restarts:>8}  {_word(healthy[process.name])}")
    say(f"Supervised by process {supervisor}.")
    return READY if snapshot.ready and all(healthy.values()) else NOT_READY


def report_running(state: StateDirectory) -> int:
    """Say that the stack runs already, and where; return the exit code."""
    snapshot = state.snapshot()
    if snapshot is None or not snapshot.ready:
        say("Another ./leadwire up is starting this stack at the moment.")
        return NOT_READY
    if not all(asyncio.run(_ask(snapshot)).values()):
        say("Leadwire is running, but not all of it is ready: see ./leadwire status and ./leadwire logs.")
        return NOT_READY
    say("Leadwire is running already.\n")
    print_addresses(state)
    return READY


def print_addresses(state: StateDirectory) -> None:
    """Print where everything is."""
    snapshot = state.snapshot()
    for label, value in ({} if snapshot is None else snapshot.addresses).items():
        say(f"  {label:<12}{value}")


async def _ask(snapshot: Snapshot) -> dict[str, bool]:
    async with httpx.AsyncClient(timeout=5) as http:
        answers = await asyncio.gather(*(_is_ready(process, http) for process in snapshot.processes))
    return dict(zip((process.name for process in snapshot.processes), answers, strict=True))


async def _is_ready(process: Running, http: httpx.AsyncClient) -> bool:
    if process.health:
        return await is_healthy(http, process.health)
    listens = nats_server.is_ready if process.name == nats_server.NAME else ports.accepts_connections
    return await asyncio.to_thread(listens, process.host, process.port)


def _word(ready: bool) -> str:
    return "ready" if ready else "NOT READY"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
