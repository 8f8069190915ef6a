"""No process outlives the session. Every process a test starts inherits a mark in its environment."""

import contextlib
import os
import subprocess
import sys
import uuid
from pathlib import Path

import psutil

MARK = "LEADWIRE_TEST_SESSION"


def mark_session() -> str:
    """Mark what is started from now on."""
    session = uuid.uuid4().hex
    os.environ[MARK] = session
    return session


def watch(session: str) -> subprocess.Popen[bytes]:
    """Start a process that kills what is left of the session when its input ends: when we close it, or die."""
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    command = [sys.executable, "-P", str(Path(__file__)), session]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)


def of_session(session: str) -> list[psutil.Process]:
    """Return the living processes that carry the mark."""
    return [process for process in psutil.process_iter() if _carries(process, session)]


def _carries(process: psutil.Process, session: str) -> bool:
    try:
        return bool(process.environ().get(MARK) == session and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def describe(process: psutil.Process) -> str:
    """Return what a person needs to recognise it."""
    try:
        return f"{process.pid}: {' '.join(process.cmdline())}"
    except psutil.Error:
        return str(process.pid)


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes, whatever they are doing."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    sys.stdin.read()
    kill(of_session(sys.argv[1]))
