"""An HTTP server in the foreground."""

import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, before_shutdown: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_shutdown = before_shutdown

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_shutdown()
        await super().shutdown(sockets)


def server(app: ASGIApp, host: str, port: int, *, before_shutdown: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """Return a server that ends with SIGTERM or SIGINT, and with exit code 0 then.

    Args:
        app: what is served.
        host: see there.
        port: see there.
        before_shutdown: lets go of requests that would wait for longer than the server does.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has shut down; by then there is nothing left to do.
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return _Server(config, before_shutdown)
