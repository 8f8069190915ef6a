"""The composition root: the only place that reads settings, owns clocks and makes ids."""

import asyncio
import contextlib
import random
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog
import uvloop
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from gateway import apps, cache, metrics, presence, tally, web, websocket
from gateway.api import errors, events, history, sockets
from gateway.api.auth import Authenticator
from gateway.api.channels import Channels
from gateway.api.rates import Rates
from gateway.api.users import Users
from gateway.apps import AppsFileError
from gateway.bus import Bus
from gateway.cluster.cluster import Cluster
from gateway.connections import Connections
from gateway.history import History
from gateway.hub import Hub, Room
from gateway.memory import Memory
from gateway.pusher.addresses import Addresses
from gateway.pusher.app import Apps
from gateway.pusher.budget import Pace
from gateway.pusher.effects import Relay
from gateway.pusher.handshake import Door
from gateway.pusher.liveness import Patience
from gateway.reads import Reads
from gateway.relays import Relays
from gateway.reload import Watcher
from gateway.settings import Settings
from gateway.tally import Tally
from gateway.tls import Tls
from gateway.watchlists import Watchlists
from gateway.webhooks.retry import Retry
from gateway.webhooks.service import Policy, Sources, Webhooks
from gateway.websocket import Gateway, Limits
from gateway.window import Bounds
from runtime import tracing
from runtime.http import CorrelationMiddleware
from runtime.security_headers import SecurityHeaders
from runtime.server.admin import Check, admin_app
from runtime.server.limits import HttpLimiter
from runtime.server.proxies import TrustedProxies
from runtime.server.rates import Rate
from runtime.server.server import Port, Server, admin_port
from runtime.tasks import together
from runtime.tracing import TracingSettings

_log = structlog.stdlib.get_logger("gateway.main")

LARGEST_TICK: Final = 1.0  # seconds between two looks at the connections' deadlines
CHUNK: Final = 256 * 1024  # bytes of a replay that are written at once


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker is given: all that was checked before the first one started."""

    tenants: Apps
    port: socket.socket
    """Of all workers."""
    admin_ports: Sequence[socket.socket]
    """One of each worker."""
    tls: Tls | None
    tracing: TracingSettings
    outlives: bool = False
    """Whether a parent process holds the port for our successor."""


def work(settings: Settings, worker: Worker, number: int, starts: int) -> int:
    """Be one worker until a signal ends it; return the exit code.

    Args:
        settings: the process's.
        worker: what all workers are given.
        number: which one this is, from 1.
        starts: how often it was started.
    """
    tracing.configure("gateway", worker.tracing)
    metrics.WORKER.labels(number).set(starts)
    tenants = worker.tenants
    if starts > 1:
        with contextlib.suppress(AppsFileError):  # what a wrong file was before is still good
            tenants = apps.load(settings.apps_file)
    uvloop.run(serve(settings, tenants, worker, worker.admin_ports[number - 1]))
    tracing.close()
    return 0


async def serve(settings: Settings, tenants: Apps, worker: Worker, admin: socket.socket) -> None:
    """Run the gateway until a signal ends it."""
    tls = worker.tls
    patience = Patience(settings.idle_seconds, settings.pong_seconds)
    connections = Connections(
        tick=min(LARGEST_TICK, patience.idle / 4, patience.window / 4), most_parting=settings.max_http_connections
    )
    memory = Memory(time.time)
    bus = Bus(
        settings.nats_url.get_secret_value(),
        connections=connections,
        memory=memory,
        linger=settings.linger_seconds,
        check=settings.check_seconds,
        bounds=Bounds(
            events=settings.max_replay_events,
            bytes=settings.max_replay_bytes,
            chunk=min(CHUNK, settings.max_buffer_bytes // 4),
        ),
    )
    relays = Relays(bus)
    node = secrets.token_hex(8)
    webhooks = Webhooks(settings.nats_url.get_secret_value(), node, tenants, policy(settings), SOURCES)
    new_cache = partial(cache.for_channel, lifetime=settings.cache_seconds, now=time.time, on_miss=webhooks.cache_miss)
    cluster = Cluster(
        settings.nats_url.get_secret_value(),
        node,
        connections=connections.by_app,
        lease=settings.lease_seconds,
        on_failure=bus.doubt_storage,
    )
    loop = asyncio.get_running_loop()

    def new_tally(room: Room) -> Tally | None:
        return tally.for_hall(room, cluster, loop, tenants.by_id(room.app_id))

    hub = Hub(bus, loop.call_soon, new_cache, partial(presence.for_hall, board=cluster), new_tally)
    watchlists = Watchlists(cluster, hub.tell, loop.call_soon)
    addresses = Addresses(
        connections=limit(settings.max_connections_per_address),
        handshakes=rate(settings.handshakes_per_second, settings.burst_seconds),
    )
    trusted = TrustedProxies(settings.trusted_proxies)
    most = limit(settings.max_connections)
    door = Door(
        tenants,
        addresses,
        path_prefix=settings.path_prefix,
        connections=cluster.connections,
        full=lambda: most is not None and len(connections) >= most,
    )
    gateway = Gateway(
        door=door,
        addresses=addresses,
        proxies=trusted,
        hub=hub,
        watchlists=watchlists,
        connections=connections,
        relay=both(relays.put, webhooks.client_event),
        now=time.time,
        moment=bus.moment,
        new_socket_id=new_socket_id,
        patience=patience,
        limits=Limits(
            message_bytes=settings.max_message_bytes,
            buffer_bytes=settings.max_buffer_bytes,
            channels=settings.max_channels,
            pace=Pace(
                bytes=rate(settings.bytes_per_second, settings.burst_seconds),
                messages=rate(settings.messages_per_second, settings.burst_seconds),
                mistakes=rate(settings.mistakes_per_second, settings.burst_seconds),
            ),
            compression=settings.compression == "shared",
            close_seconds=settings.close_seconds,
        ),
    )
    auth = Authenticator(tenants, now=time.time, path_prefix=settings.path_prefix)
    rates = Rates(time.monotonic)
    reads = Reads(settings.nats_url.get_secret_value(), cluster, hub.rows, memory)
    channels = Channels(auth, rates, reads, cluster.connections, cache_seconds=settings.cache_seconds, now=time.time)
    users = Users(auth, rates, bus, new_id=new_id)
    of_apps = [
        events.routes(auth, rates, bus, reads, new_id=new_id),
        channels.routes(),
        users.routes(),
        history.routes(auth, rates, History(bus)),
    ]
    app = build(
        {"/apps": of_apps, "/users": [users.short_routes()]},
        screen=screen(settings.web_dir, settings.web_api_url, settings.web_notifier_url, tenants),
        path_prefix=settings.path_prefix,
        new_id=new_id,
    )
    watcher = Watcher(settings.apps_file, tenants, connections, interval=settings.apps_reload_seconds)
    port = Port(
        app=app,
        limiter=HttpLimiter(settings.http_limits(), trusted),
        sockets=[worker.port],
        outlives=worker.outlives,
        tls=None if tls is None else tls.context,
        websocket=websocket.factory(gateway),
    )
    server = Server(
        port,
        drain_seconds=settings.drain_seconds,
        graceful_seconds=round(settings.close_seconds) + 1,
        admin=Server(admin_port(admin_app(readiness(bus, cluster, door)), [admin])),
    )
    server.on_stop.append(door.drain)
    server.drains.append(partial(connections.drain, settings.drain_seconds))
    server.on_reload += [watcher.ask] if tls is None else [watcher.ask, tls.renew]
    await together(  # whichever fails takes the process down with it
        server.serve(),
        bus.run(hub),
        cluster.run(),
        reads.run(),
        relays.run(),
        connections.run(),
        webhooks.run(),
        watcher.run(),
    )


def build(
    api: Mapping[str, Sequence[APIRouter]],
    *,
    screen: Sequence[BaseRoute] = (),
    path_prefix: str = "",
    new_id: Callable[[], str],
) -> FastAPI:
    """Return everything the port answers over plain HTTP.

    Args:
        api: first part of the path → what answers there; nothing else does.
        screen: the routes of the web screen.
        path_prefix: what may stand before the API's paths.
        new_id: makes correlation ids.
    """
    app = FastAPI(title="gateway", openapi_url=None)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CorrelationMiddleware, new_id=new_id)
    errors.install(app)
    for prefix in dict.fromkeys(["", path_prefix]):  # a proxy in front may have removed it
        app.router.routes.append(sockets.explanation(prefix))
        for root, routers in api.items():
            whole = APIRouter()
            for router in routers:
                whole.include_router(router)
            app.mount(f"{prefix}{root}", whole)
    app.router.routes.extend(screen)
    return app


def readiness(bus: Bus, cluster: Cluster, door: Door) -> dict[str, Check]:
    """Return the checks of `/readyz`."""

    async def accepting() -> str | None:
        return "draining" if door.draining else None

    async def lease() -> str | None:
        return None if cluster.healthy else "the gateways do not know of each other"

    return {**bus.checks(), "lease": lease, "accepting": accepting}


def screen(directory: Path | None, api_url: str, notifier_url: str, tenants: Apps) -> list[BaseRoute]:
    """Return the routes of the web screen, if there is one."""
    if directory is None:
        return []

    def app_key() -> str | None:
        app = tenants.first_enabled()
        return None if app is None else app.key

    return web.routes(directory, api_url=api_url, notifier_url=notifier_url, app_key=app_key)


def limit(number: int) -> int | None:
    """Return a setting's limit, or None for -1."""
    return None if number < 0 else number


def rate(number: int, burst_seconds: float) -> Rate | None:
    """Return a rate with so many seconds' worth at once, or None for -1."""
    return None if number < 0 else Rate(number, number * burst_seconds)


def policy(settings: Settings) -> Policy:
    """Return how webhooks are sent."""
    return Policy(
        timeout=settings.webhook_timeout_seconds,
        retry=Retry(first=settings.webhook_retry_seconds, window=settings.webhook_window_seconds),
        private_addresses=settings.webhook_private_addresses,
        cache_seconds=settings.cache_seconds,
        hold=settings.webhook_hold_seconds,
        lease=settings.lease_seconds,
    )


def both(first: Callable[[Relay], None], second: Callable[[Relay], None]) -> Callable[[Relay], None]:
    """Return what gives a client's event to both."""

    def give(relayed: Relay) -> None:
        first(relayed)
        second(relayed)

    return give


def new_id() -> str:
    """Return the id of one request or event."""
    return str(uuid4())


def new_socket_id() -> str:
    """Return a socket id; it is part of every channel signature, so nobody may guess it."""
    return f"{secrets.randbelow(1 << 31)}.{secrets.randbelow(1 << 31)}"


SOURCES: Final = Sources(now=time.time, clock=time.monotonic, chance=random.random, new_id=new_id)
