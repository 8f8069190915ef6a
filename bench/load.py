"""The load generator, load.c, as an object."""

import asyncio
import contextlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from children import Child

SOURCE = Path(__file__).parent
PATIENCE = 180  # seconds for anything that must happen


def compiled(directory: Path, name: str) -> Path:
    """Return a C program of this folder as an executable."""
    program = directory / name
    if not program.exists():
        source = SOURCE / f"{name}.c"
        subprocess.run([shutil.which("cc"), "-O2", "-D_GNU_SOURCE", "-o", program, source], check=True)
    return program


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds from the publisher's stamp to the read of the frame."""

    count: int
    p50: int
    p99: int
    max: int


class Load:
    """Sockets in a process of their own; see load.c."""

    def __init__(self, children: contextlib.ExitStack, directory: Path, *arguments: object) -> None:
        self.process = Child(str(compiled(directory, "load")), *map(str, arguments))
        children.callback(self.process.kill)
        self.frames = 0
        self.bytes = 0

    async def ready(self) -> float:
        """Wait until all sockets are subscribed; return the seconds that took."""
        word, seconds = (await self._answer()).split()
        assert word == "ready"
        return float(seconds)

    async def until(self, frames: int) -> int:
        """Wait for so many events (of plain sockets: bytes) since the start; return how many there are."""
        self.process.say(f"until {frames}")
        self.frames, self.bytes = map(int, (await self._answer()).split())
        return self.frames

    def rest(self, seconds: float) -> None:
        """Look at the sockets only so often."""
        self.process.say(f"rest {int(seconds * 1e6)}")

    def ping(self) -> None:
        """Send `pusher:ping` everywhere."""
        self.process.say("ping")

    async def latency(self) -> Latency:
        """Return what has been measured since the last call."""
        self.process.say("latency")
        return Latency(*map(int, (await self._answer()).split()))

    async def _answer(self) -> str:
        return await asyncio.wait_for(asyncio.to_thread(self.process.read), PATIENCE)
