"""Listening sockets, made before anything else starts and outliving a worker that dies; and room for the others."""

import errno
import resource
import socket
import time
from typing import Final

BACKLOG: Final = 4096  # connections the kernel holds while a process is busy: everybody comes back at once
RELEASE: Final = 3.0  # seconds that a predecessor which was killed may take to let go of the port
_LOOK: Final = 0.05


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port; `::` listens on every address of both families.

    Raises:
        OSError: that is not possible.
    """
    deadline = time.monotonic() + RELEASE
    while True:
        try:
            return socket.create_server(
                (host, port),
                family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
                backlog=BACKLOG,
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK)


def inherited(descriptor: int) -> socket.socket:
    """Return the listening socket that the parent process holds for this one, and for its successors.

    Raises:
        OSError: the descriptor is not that of a listening socket.
    """
    listener = socket.socket(fileno=descriptor)
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.detach()
        raise OSError(errno.EINVAL, f"descriptor {descriptor} does not listen")
    listener.set_inheritable(False)
    return listener


def allow_many() -> int:
    """Let this process have as many descriptors as the system allows it, each connection needs one; return how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
