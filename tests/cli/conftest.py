"""An embedded stack in a state directory of its own, run by `./leadwire` as a person runs it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from leadwire import leftovers, paths
from leadwire.ports import reserve
from leadwire.state import Running, StateDirectory

NAMES = ("gateway", "leads", "notifier")


class Leadwire:
    """The command line with a state directory and ports of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = StateDirectory(home)
        self._reservations = {name: reserve() for name in NAMES}
        self.ports = {name: reservation.port for name, reservation in self._reservations.items()}

    def command(self, *arguments: str) -> list[str]:
        return [str(paths.CHECKOUT / "leadwire"), *arguments, "--state-dir", str(self.home)]

    def up_command(self, *arguments: str) -> list[str]:
        ports = [text for name, port in self.ports.items() for text in (f"--{name}-port", str(port))]
        return self.command("up", *ports, *arguments)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run(self.command(*arguments))

    def up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run(self.up_command(*arguments))

    def environment(self) -> dict[str, str]:
        """Return what a shell sees after reading the environment file."""
        command = f". '{self.state.environment}' && env -0"
        shell = subprocess.run(["env", "-i", "sh", "-c", f"set -a; {command}"], capture_output=True, check=True)
        return dict(line.split("=", 1) for line in shell.stdout.decode().split("\0") if line)

    def process(self, name: str) -> Running:
        snapshot = self.state.snapshot()
        assert snapshot is not None
        return next(process for process in snapshot.processes if process.name == name)

    def living(self) -> list[psutil.Process]:
        """Return every process of this stack."""
        return leftovers.find(self.home, self.state.postgres)

    def close(self) -> None:
        self.run("down")
        living = self.living()
        leftovers.stop(living, self.state.postgres)
        shutil.rmtree(self.home)
        for reservation in self._reservations.values():
            reservation.release()
        assert not living


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # From another working directory, as a person may.
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture
def leadwire() -> Iterator[Leadwire]:
    stack = _new()
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Leadwire]:
    """A stack as `./leadwire up --detach` brings it up, with demo data and the screen; for tests that only look."""
    stack = _new()
    done = stack.up("--detach")
    assert done.returncode == 0, done.stdout + done.stderr
    yield stack
    stack.close()


def _new() -> Leadwire:
    home = Path(tempfile.mkdtemp(prefix="leadwire cli "))
    home.chmod(0o711)  # PostgreSQL does not run as root
    return Leadwire(home)
