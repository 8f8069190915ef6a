"""Embedded NATS: the binary of the package with the repository's own configuration."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from leadwire import moved_clock, paths
from leadwire.ports import LOOPBACK
from leadwire.processes import Process

NAME: Final = "nats"


def process(
    *, port: int, store: Path, passwords: Mapping[str, str], configuration: Path = paths.NATS_CONFIG
) -> Process:
    """Return a server with JetStream in `store`; `passwords` are the variables that the configuration names."""
    return Process(
        name=NAME,
        command=(
            *moved_clock.launcher(),
            str(paths.NATS_SERVER),
            *("--config", str(configuration)),
            *("--addr", LOOPBACK),
            *("--port", str(port)),
            *("--store_dir", str(store)),
        ),
        environment=passwords,
        host=LOOPBACK,
        port=port,
    )


def is_ready(host: str, port: int) -> bool:
    """Whether the server greets: it does so after JetStream has recovered."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            return connection.recv(4) == b"INFO"
    except OSError:
        return False
