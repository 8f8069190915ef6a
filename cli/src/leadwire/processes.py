"""What a supervised process is, and how one is started."""

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leadwire.accounts import Account


@dataclass(frozen=True, kw_only=True)
class Process:
    """A program with its environment: everything needed to start it on this machine."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to our own environment. Holds secrets."""
    health: str = ""
    """Address that answers 200 when the process is ready; none for a server that is ready when it listens."""
    host: str = ""
    port: int = 0
    """Where it listens, if it does."""
    stop_signal: signal.Signals = signal.SIGTERM
    account: Account | None = None
    """Runs as this account; None: as we do."""

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments that start it, for `subprocess` and `asyncio.subprocess` alike.

        It gets a session of its own, so that Ctrl-C in our terminal reaches us alone and we stop it in order.
        """
        options: dict[str, Any] = {
            "env": {**os.environ, **self.environment},
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
        }
        if self.account is not None:
            # Our own working directory may be closed to the account.
            options |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": [], "cwd": "/"}
        return options


def last_lines(log: Path, count: int, *, window: int = 64 * 1024) -> list[str]:
    """Return the last lines of a log, looking at no more than its last `window` bytes; [] when there is none."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - window))
            return stream.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
