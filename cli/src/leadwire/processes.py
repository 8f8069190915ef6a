"""What a supervised process is, and how one is started."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from leadwire.accounts import Account

BACKLOG: Final = 4096  # connections that the kernel holds while nobody accepts them


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
    port_option: str = ""
    """The option that takes the descriptor of a listening socket. With it the port outlives the process: whoever keeps
    the process alive holds the socket (`listen`), and what comes meanwhile waits for the successor."""
    stop_signal: signal.Signals = signal.SIGTERM
    account: Account | None = None
    """Runs as this account; None: as we do."""

    def listen(self) -> socket.socket | None:
        """Return the listening socket to hold for it; None for a process that makes its own.

        Raises:
            OSError: the port is taken.
        """
        if not self.port_option:
            return None
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        return socket.create_server((self.host, self.port), family=family, backlog=BACKLOG)

    def arguments(self, listener: socket.socket | None = None) -> tuple[str, ...]:
        """Return the command that starts it, told of the socket that is held for it."""
        if listener is None:
            return self.command
        return (*self.command, self.port_option, str(listener.fileno()))

    def options(self, listener: socket.socket | None = None) -> dict[str, Any]:
        """Return the keyword arguments that start it, for `subprocess` and `asyncio.subprocess` alike.

        It gets a session of its own, so that Ctrl-C in our terminal reaches us alone and we stop it in order.

        Args:
            listener: the socket that is held for it.
        """
        options: dict[str, Any] = {
            "env": {**os.environ, **self.environment},
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
        }
        if listener is not None:
            options["pass_fds"] = (listener.fileno(),)
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
