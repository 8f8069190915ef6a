"""Free TCP ports on the loopback interface, kept from other stacks until they are used."""

import random
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

LOOPBACK: Final = "127.0.0.1"
CANDIDATES: Final = range(20_000, 30_000)
"""Below every system's ephemeral ports, so that no outgoing connection takes one by chance."""


@dataclass(frozen=True)
class Reservation:
    """A port that nobody listens on, and that no other `reserve` hands out.

    The reservation is a UDP socket of the same number: TCP stays free for the server, other stacks see it taken,
    and the system releases it when this process ends, however it ends.
    """

    port: int
    _mark: socket.socket

    def release(self) -> None:
        """Let others have the port."""
        self._mark.close()


def reserve(preferred: int | None = None) -> Reservation:
    """Reserve the preferred port if it is free, else any other.

    Raises:
        OSError: ten thousand ports are taken.
    """
    candidates: Iterable[int] = _shuffled() if preferred is None else chain((preferred,), _shuffled())
    for port in candidates:
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mark.bind((LOOPBACK, port))
        except OSError:
            mark.close()
            continue
        if is_free(LOOPBACK, port):
            return Reservation(port, mark)
        mark.close()
    raise OSError("No free port on the loopback interface")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    return obstacle(host, port) is None


def obstacle(host: str, port: int) -> OSError | None:
    """Return what would keep a server from listening there now."""
    try:
        with socket.create_server((host, port)):
            return None
    except OSError as error:
        return error


def accepts_connections(host: str, port: int) -> bool:
    """Whether somebody listens there now."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _shuffled() -> Iterator[int]:
    yield from random.sample(CANDIDATES, len(CANDIDATES))
