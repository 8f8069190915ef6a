"""What an earlier run left behind: its supervisor was killed and could not stop what it had started.

Everything a supervisor starts inherits a mark in its environment that names the state directory. So these processes
are recognised by themselves, not by a process id that somebody else may have by now.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

import psutil

MARK: Final = "LEADWIRE_STATE"
_GRACE: Final = 10.0  # seconds


def mark(state: Path) -> None:
    """Mark what this process starts from now on."""
    os.environ[MARK] = str(state)


def find(state: Path, postgres_data: Path) -> list[psutil.Process]:
    """Return the living processes of an earlier run.

    Args:
        state: the state directory whose processes are wanted.
        postgres_data: PostgreSQL's children overwrite their environment; they are known by where they work.
    """
    others = (process for process in psutil.process_iter() if process.pid != os.getpid())
    return [process for process in others if _is_alive(process) and _belongs(process, str(state), str(postgres_data))]


def stop(processes: list[psutil.Process], postgres_data: Path) -> None:
    """Stop processes: PostgreSQL last, so that the others can finish what they write."""
    servers = [process for process in processes if _works_in(process, str(postgres_data))]
    _end([process for process in processes if process not in servers], signal.SIGTERM)
    # To PostgreSQL an interrupt is a fast shutdown; it would let SIGTERM wait for every client.
    _end(servers, signal.SIGINT)


def _end(processes: list[psutil.Process], number: signal.Signals) -> None:
    _send(processes, number)
    _send(_still_alive_after(_GRACE, processes), signal.SIGKILL)
    _still_alive_after(_GRACE, processes)


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _still_alive_after(seconds: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Wait until all have ended, and return those that have not.

    (`psutil.wait_procs` would also wait for a parent that is slow to take notice of a child's end.)
    """
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if _is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _belongs(process: psutil.Process, state: str, postgres_data: str) -> bool:
    try:
        return bool(process.environ().get(MARK) == state or process.cwd() == postgres_data)
    except psutil.Error:  # gone, or not ours to look at
        return False


def _works_in(process: psutil.Process, directory: str) -> bool:
    try:
        return bool(process.cwd() == directory)
    except psutil.Error:
        return False
