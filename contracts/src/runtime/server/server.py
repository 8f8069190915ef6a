"""uvicorn on sockets that were made before, with bounded connections and a graceful end."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from runtime.server import admin as admin_api
from runtime.server.limits import HttpLimiter
from runtime.server.listening import BACKLOG
from runtime.server.protocol import BoundedHttpProtocol

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log = structlog.stdlib.get_logger("runtime.server")

Drain = Callable[[], Awaitable[None]]


def admin_port(app: ASGIApp, sockets: Sequence[socket.socket]) -> "Port":
    """Return an admin port."""
    return Port(app=app, limiter=HttpLimiter(admin_api.LIMITS), sockets=sockets, name="admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What is served on some listening sockets."""

    app: ASGIApp
    limiter: HttpLimiter
    sockets: Sequence[socket.socket]
    """See `runtime.server.listening`; they are closed at the end."""
    outlives: bool = False
    """Whether another process holds the sockets, too, and hands them to our successor. Then what comes while we drain
    waits for it in the kernel's queue, and is not refused."""
    name: str = "public"
    """How the log calls it."""
    tls: ssl.SSLContext | None = None
    websocket: Callable[..., asyncio.Protocol] | None = None
    """Makes the protocol of a WebSocket, with uvicorn's keywords; None: upgrades are not offered."""


class Server(uvicorn.Server):
    """Serves one application until SIGTERM or SIGINT; then it drains, and only after that closes its port.

    While it drains, every answer carries `Connection: close`, so that no client and no proxy sends a request on a
    connection that is about to be closed. A second signal ends it at once.
    """

    def __init__(
        self,
        port: Port,
        *,
        drain_seconds: float = 0.0,
        graceful_seconds: int = 10,
        admin: "Server | None" = None,
        lifespan: bool = False,
    ) -> None:
        """Prepare the server.

        Args:
            port: what is served, and where.
            drain_seconds: for which it goes on answering after the first signal, while anybody is connected.
            graceful_seconds: for requests that are being answered after that.
            admin: a server on a port of its own, which starts before this one and ends after it.
            lifespan: whether the application has ASGI lifespan handlers.
        """
        tls = port.tls
        super().__init__(
            uvicorn.Config(
                port.app,
                loop="uvloop",
                http=partial(BoundedHttpProtocol, limiter=port.limiter),  # type: ignore[arg-type]  # uvicorn only calls it
                ws=port.websocket or "none",  # type: ignore[arg-type]  # the same
                lifespan="on" if lifespan else "off",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # the protocol reads them, and only those of trusted proxies
                server_header=False,
                backlog=BACKLOG,
                ssl_context_factory=None if tls is None else lambda _config, _default: tls,
                timeout_graceful_shutdown=graceful_seconds,
            )
        )
        self.limiter = port.limiter
        self.on_stop: list[Callable[[], None]] = []
        """Called at the first signal."""
        self.on_reload: list[Callable[[], None]] = []
        """Called at each SIGHUP; without any, SIGHUP is not caught."""
        self.drains: list[Drain] = [partial(self._drain_connections, drain_seconds)]
        """Awaited, all at once, before the port is closed."""
        self._sockets = list(port.sockets)
        self._port_outlives = port.outlives
        self._name = port.name
        self._admin = admin
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def draining(self) -> bool:
        """Whether it has begun to end."""
        return self.limiter.draining

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super().serve(sockets or self._sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal once more at the end and so skip everything that follows it.
        loop = asyncio.get_running_loop()
        handlers: dict[signal.Signals, Callable[[], None]] = dict.fromkeys(SIGNALS, self.stop)
        if self.on_reload:
            handlers[signal.SIGHUP] = self.reload
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Begin to end; the second call hurries."""
        self.force_exit = self.should_exit
        self.should_exit = True
        if not self.force_exit:
            if self._port_outlives:
                for server in self.servers:
                    server.close()
            self.limiter.drain()
            for act in self.on_stop:
                act()

    def reload(self) -> None:
        """Read again what may have changed."""
        for act in self.on_reload:
            act()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # As uvicorn does, but for the time a TLS handshake may take: it would be a minute.
        loop, config = asyncio.get_running_loop(), self.config
        if self._admin is not None:
            await self._admin.begin()
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise SystemExit(3)
        self._sweeping = asyncio.create_task(self._sweep())
        protocol: Callable[..., asyncio.Protocol] = config.http_protocol_class
        new = partial(protocol, config=config, server_state=self.server_state, app_state=self.lifespan.state)
        limit = None if config.ssl is None else self.limiter.limits.head_seconds
        self.servers = [
            await loop.create_server(
                new, sock=listener, ssl=config.ssl, backlog=config.backlog, ssl_handshake_timeout=limit
            )
            for listener in sockets or []
        ]
        _log.info("listening", port=self._name, addresses=[str(each.getsockname()) for each in sockets or []])
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.limiter.drain()
        _log.info("draining", port=self._name, connections=len(self.limiter))
        draining = asyncio.gather(*(drain() for drain in self.drains))
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=0.1)
        draining.cancel()
        await super().shutdown(sockets)
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._admin is not None:
            await self._admin.end()

    async def begin(self) -> None:
        """Serve beside another server, until `end`."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(self._sockets)

    async def end(self) -> None:
        """Serve no longer."""
        await self.shutdown(self._sockets)

    async def _drain_connections(self, seconds: float) -> None:
        """Wait until every connection has carried its last answer, but no longer than some seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self.limiter.emptied()
        except TimeoutError:
            return

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.limiter.tick)
            self.limiter.wheel.sweep(loop.time())
