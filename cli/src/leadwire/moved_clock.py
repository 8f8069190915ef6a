"""A moved clock for the tests: of what uses the C library by `moved_clock.c`, of nats-server by `leadwire.vdso`.

The clock is moved by a fixed number of seconds, which every process gets with its environment: all of them agree, and a
process that is started later does not begin again. Only the time of day is moved: timers run by CLOCK_MONOTONIC.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from leadwire import paths

OFFSET: Final = "LEADWIRE_CLOCK_OFFSET"
"""The environment variable that says by how many seconds our clock is moved."""
PACKAGES: Final = ("gcc", "libc6-dev", "tzdata")
"""What Debian calls what this needs."""
_SOURCE: Final = paths.CHECKOUT / "cli/src/leadwire/moved_clock.c"
_COMPILE: Final = ("cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


class NoMovedClock(Exception):
    """The clock cannot be moved; the text says why."""


def is_possible() -> bool:
    """Whether there is what is needed."""
    return shutil.which("cc") is not None


def environment(seconds: int, zone: str | None = None) -> dict[str, str]:
    """Return the environment of a process whose clock is ahead of ours by some seconds, and of all that it starts.

    Raises:
        NoMovedClock: see there.
    """
    return {
        "LD_PRELOAD": str(_library()),
        OFFSET: f"{int(os.environ.get(OFFSET, '0')) + seconds:+d}",
        **({} if zone is None else {"TZ": zone}),
    }


def launcher() -> tuple[str, ...]:
    """Return what to put in front of a statically linked program's command: nothing, unless our clock is moved."""
    seconds = os.environ.get(OFFSET)
    return () if seconds is None else (sys.executable, "-P", "-m", "leadwire.vdso", seconds)


def _library() -> Path:
    """Return what is preloaded, compiled once. Other accounts can read it: they run programs of the same folder."""
    version = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]
    library = Path(sys.prefix) / f"lib/leadwire-moved-clock-{version}.so"
    if library.is_file():
        return library
    if not is_possible():
        raise NoMovedClock(f"A C compiler is needed to move clocks: `apt-get install {' '.join(PACKAGES)}`.")
    fresh = library.with_suffix(f".{os.getpid()}")
    command = (*_COMPILE, "-o", str(fresh), str(_SOURCE), "-ldl")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoMovedClock(f"{_SOURCE.name} does not compile: {done.stderr}")
    fresh.replace(library)
    return library
