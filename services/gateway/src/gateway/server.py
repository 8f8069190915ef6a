"""uvicorn, ended politely: first every client is sent to another process, then the server stops."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, cast

import structlog
import uvicorn

from gateway.connections import Connections
from gateway.pusher.handshake import Door

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log = structlog.stdlib.get_logger("gateway.server")


class DrainingServer(uvicorn.Server):
    """On SIGTERM or SIGINT: not ready, newcomers refused with 4100, the rest closed with 4200 in batches; then exit.

    A second signal ends it at once. uvicorn's own shutdown would close the listener first, and clients that come back
    to a closed port wait 15 seconds.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        door: Door,
        connections: Connections,
        *,
        window: float,
        handshake: float,
        reload: Sequence[Callable[[], None]],
    ) -> None:
        """Prepare the server.

        Args:
            config: uvicorn's.
            door: refuses newcomers from the first signal on.
            connections: who is sent away.
            window: seconds over which the closing is spread.
            handshake: seconds a TLS handshake may take.
            reload: all called on SIGHUP.
        """
        super().__init__(config)
        self._door = door
        self._connections = connections
        self._window = window
        self._handshake = handshake
        self._reload = reload

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal once more at the end and so skip everything that follows it.
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        try:
            yield
        finally:
            for number in (*SIGNALS, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Begin to end; the second call hurries."""
        self.force_exit = self.should_exit
        self.should_exit = self._door.draining = True

    def reload(self) -> None:
        """Read again what may have changed."""
        for read in self._reload:
            read()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # As uvicorn does, but for the time a TLS handshake may take: it would be a minute.
        loop, config = asyncio.get_running_loop(), self.config
        protocol = cast("Callable[..., asyncio.Protocol]", config.http_protocol_class)
        new = partial(protocol, config=config, server_state=self.server_state, app_state={})
        limit = None if config.ssl is None else self._handshake
        self.servers = [
            await loop.create_server(
                new, sock=listener, ssl=config.ssl, backlog=config.backlog, ssl_handshake_timeout=limit
            )
            for listener in sockets or []
        ]
        _log.info("listening", addresses=[str(listener.getsockname()) for listener in sockets or []])
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.draining = True
        _log.info("draining", connections=len(self._connections), seconds=self._window)
        drain = asyncio.create_task(self._connections.drain(self._window))
        while not drain.done() and not self.force_exit:
            await asyncio.wait([drain], timeout=0.1)
        drain.cancel()
        await super().shutdown(sockets)
