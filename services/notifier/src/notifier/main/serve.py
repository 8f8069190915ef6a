"""`python -m notifier serve`."""

import asyncio
import random
import signal
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import uvloop
from fastapi import FastAPI

from contracts.tokens import PublicKey, Verifier, other_keys
from notifier.api.app import build
from notifier.api.context import Services
from notifier.connections import Connections
from notifier.inbox import Inbox
from notifier.main import read
from notifier.service import Notifier
from notifier.settings import Settings
from runtime import logs, pools, tracing
from runtime.server import listening
from runtime.server.admin import admin_app
from runtime.server.limits import HttpLimiter
from runtime.server.proxies import TrustedProxies
from runtime.server.server import Port, Server, admin_port
from runtime.tracing import TracingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """The sockets of the two ports."""

    public: socket.socket
    admin: socket.socket


def run() -> int:
    """Serve until a signal ends it; return the exit code."""
    settings = read.settings(Settings)
    tracing_settings = read.settings(TracingSettings)
    logs.configure("notifier", settings.log_level)
    tracing.configure("notifier", tracing_settings)
    try:
        listeners = Listeners(
            public=listening.listen(settings.host, settings.port),
            admin=listening.listen(settings.admin_host, settings.admin_port),
        )
    except OSError as error:
        return read.refuse(f"NOTIFIER_PORT, NOTIFIER_ADMIN_PORT: cannot listen: {error.strerror or error}")
    uvloop.run(serve(settings, listeners))
    tracing.close()
    return 0


async def serve(settings: Settings, listeners: Listeners) -> None:
    """Answer requests and probes; notify, or stand by; until a signal ends it."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    notifier = Notifier(
        database_url=settings.writer_database_url.get_secret_value(),
        nats_url=settings.nats_url.get_secret_value(),
        app_id=settings.pusher_app_id,
        kept_notifications=settings.kept_notifications,
        clock=time.monotonic,
        chance=random.random,
        new_id=lambda: str(uuid4()),
    )
    connections = Connections(settings.database_url.get_secret_value(), size=settings.pool_size)
    pools.tell(connections)
    server = _server(settings, listeners, notifier, connections)
    server.on_stop.append(stopping.set)
    try:
        async with asyncio.TaskGroup() as tasks:  # whichever fails takes the process down with it
            tasks.create_task(server.serve())
            await notifier.run(stopping)
            server.should_exit = True
    finally:
        await connections.close()


def _server(settings: Settings, listeners: Listeners, notifier: Notifier, connections: Connections) -> Server:
    listening.allow_many()
    limiter = HttpLimiter(settings.http_limits(), TrustedProxies(settings.trusted_proxies))
    checks = {**notifier.checks(), "inbox": connections.check, "accepting": limiter.check}
    return Server(
        Port(app=application(settings, connections), limiter=limiter, sockets=[listeners.public]),
        drain_seconds=settings.drain_seconds,
        admin=Server(admin_port(admin_app(checks), [listeners.admin])),
    )


def application(settings: Settings, connections: Connections) -> FastAPI:
    """Return what the public port answers."""
    services = Services(
        inbox=Inbox(connections),
        clock=_now,
        verifier=Verifier(PublicKey.of(settings.jwt_public_key), *other_keys(settings.jwt_other_public_key)),
    )
    return build(
        services,
        new_id=lambda: str(uuid4()),
        cors_origins=settings.cors_origins,
        root_path=settings.root_path,
    )


def _now() -> datetime:
    return datetime.now(UTC)
