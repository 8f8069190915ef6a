"""The state directory of one embedded stack: who runs it, what runs, and where its files are."""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from leadwire.files import write_private

_PATIENCE: Final = 1.0  # seconds; somebody who only looks whether the stack runs holds the lock for an instant


class AlreadyRunning(Exception):
    """Another process runs the stack of this directory."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """One supervised process, as it is shown to other commands."""

    name: str
    pid: int | None
    """None while it waits to be started again."""
    started: float
    """Seconds since the epoch."""
    restarts: int
    health: str
    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the supervisor last said about itself."""

    ready: bool
    addresses: dict[str, str]
    """What to print for a person: label → value."""
    processes: tuple[Running, ...]


class StateDirectory:
    """Paths and the few files other commands read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.environment = path / "env"
        self.credentials = path / "credentials.json"
        self.ports = path / "ports.json"
        self.apps = path / "apps.json"
        self.postgres = path / "postgres"
        self.nats = path / "nats"
        self.seeded = path / "seeded"
        self._lock = path / "lock"
        self._snapshot = path / "state.json"

    def create(self) -> None:
        """Make the directory, which others may pass but not list: PostgreSQL's account is not ours."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711)
        self.logs.mkdir(exist_ok=True)
        self.logs.chmod(0o700)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one who starts and stops this stack. The system gives the lock back when we die.

        Raises:
            AlreadyRunning: somebody else is.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock_within(descriptor, _PATIENCE)
            os.truncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            os.close(descriptor)

    def supervisor(self) -> int | None:
        """Return the process id of who runs this stack now; None when nobody does."""
        if not self._lock.exists():
            return None
        with self._lock.open() as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    if text := lock.read():
                        return int(text)
                    time.sleep(0.01)  # the lock comes before the process id, and its holder may die in between
                else:
                    return None

    def write_snapshot(self, snapshot: Snapshot) -> None:
        """Tell other commands how things are."""
        write_private(self._snapshot, json.dumps(asdict(snapshot), indent=2))

    def snapshot(self) -> Snapshot | None:
        """Return what the supervisor last said; None before it said anything."""
        try:
            text: dict[str, Any] = json.loads(self._snapshot.read_text())
        except FileNotFoundError:
            return None
        return Snapshot(**{**text, "processes": tuple(Running(**process) for process in text["processes"])})

    def forget_snapshot(self) -> None:
        """Nothing runs any more."""
        self._snapshot.unlink(missing_ok=True)

    def read_ports(self) -> dict[str, int]:
        """Return the ports of the embedded servers of the last time."""
        return dict(json.loads(self.ports.read_text())) if self.ports.exists() else {}

    def write_environment(self, variables: Mapping[str, str]) -> None:
        """Write what a shell, a tool or a test sources."""
        write_private(self.environment, "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()))

    def read_environment(self) -> dict[str, str]:
        """Return what was written there; nothing before the first start."""
        if not self.environment.exists():
            return {}
        return dict(line.split("=", 1) for line in shlex.split(self.environment.read_text()))

    def wipe(self, *others: Path) -> None:
        """Delete everything except the lock, and directories that lie elsewhere."""
        for path in (*self.path.iterdir(), *others):
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self._lock:
                path.unlink(missing_ok=True)


def _lock_within(descriptor: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise AlreadyRunning from None
            time.sleep(0.05)
        else:
            return
