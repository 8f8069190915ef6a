"""The composition root: the only place that reads settings, owns clocks and makes ids."""

import asyncio
import random
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import uvicorn
import uvloop
from fastapi import APIRouter, FastAPI
from pydantic import ValidationError
from starlette.routing import BaseRoute

from gateway import apps, cache, presence, tally, web, websocket
from gateway.api import errors, events
from gateway.api.auth import Authenticator
from gateway.api.channels import Channels
from gateway.api.rates import Rates
from gateway.api.users import Users
from gateway.apps import AppsFileError
from gateway.bus import Bus
from gateway.cluster.cluster import Cluster
from gateway.connections import Connections
from gateway.hub import Hub, Room
from gateway.pusher.addresses import Addresses
from gateway.pusher.allowance import Rate
from gateway.pusher.app import Apps
from gateway.pusher.budget import Pace
from gateway.pusher.codes import TERMINATED
from gateway.pusher.effects import Relay
from gateway.pusher.handshake import Door
from gateway.pusher.liveness import Patience
from gateway.pusher.proxies import Proxies
from gateway.reads import Reads
from gateway.reception import HttpConnection, Manners, Reception
from gateway.relays import Relays
from gateway.server import DrainingServer
from gateway.settings import Settings
from gateway.tally import Tally
from gateway.webhooks.retry import Retry
from gateway.webhooks.service import Policy, Sources, Webhooks
from gateway.websocket import Gateway, Limits
from gateway.window import Bounds
from runtime import logs
from runtime.http import Check, CorrelationMiddleware, probe_routes

USAGE: Final = "usage: python -m gateway serve"
USAGE_ERROR: Final = 2
LARGEST_TICK: Final = 1.0  # seconds between two looks at the connections' deadlines
CHUNK: Final = 256 * 1024  # bytes of a replay that are written at once
BACKLOG: Final = 4096  # connections the kernel holds while this process is busy: everybody comes back at once


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    if list(arguments) != ["serve"]:
        print(USAGE, file=sys.stderr)  # noqa: T201 - the answer to a person at a terminal
        return USAGE_ERROR
    try:
        settings = Settings()
        logs.configure("gateway", settings.log_level)
        tenants = apps.load(settings.apps_file)
    except ValidationError as error:
        wrong = "; ".join(f"GATEWAY_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False))
        print(f"gateway: {wrong}", file=sys.stderr)  # noqa: T201
        return USAGE_ERROR
    except AppsFileError as error:
        print(f"gateway: GATEWAY_APPS_FILE: {error}", file=sys.stderr)  # noqa: T201
        return USAGE_ERROR
    uvloop.run(serve(settings, tenants))
    return 0


async def serve(settings: Settings, tenants: Apps) -> None:
    """Run the gateway until a signal ends it."""
    patience = Patience(settings.idle_seconds, settings.pong_seconds)
    connections = Connections(tick=min(LARGEST_TICK, patience.idle / 4, patience.window / 4))
    bus = Bus(
        settings.nats_url.get_secret_value(),
        terminate=partial(connections.refuse, TERMINATED),
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
    )
    loop = asyncio.get_running_loop()

    def new_tally(room: Room) -> Tally | None:
        return tally.for_hall(room, cluster, loop, tenants.by_id(room.app_id))

    hub = Hub(bus, loop.call_soon, new_cache, partial(presence.for_hall, board=cluster), new_tally)
    addresses = Addresses(
        connections=limit(settings.max_connections_per_address),
        handshakes=rate(settings.handshakes_per_second, settings.burst_seconds),
    )
    reception = Reception(
        Manners(
            request_seconds=settings.handshake_seconds,
            answer_seconds=settings.answer_seconds,
            head_bytes=settings.max_request_head_bytes,
            waiting=settings.max_pending,
        ),
        connections.wheel,
    )
    door = Door(tenants, addresses, path_prefix=settings.path_prefix, connections=connections.of_app)
    gateway = Gateway(
        door=door,
        addresses=addresses,
        proxies=Proxies(settings.trusted_proxies),
        hub=hub,
        connections=connections,
        relay=both(relays.put, webhooks.client_event),
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
            close_seconds=settings.close_seconds,
        ),
    )
    auth = Authenticator(tenants, now=time.time, path_prefix=settings.path_prefix)
    rates = Rates(time.monotonic)
    reads = Reads(settings.nats_url.get_secret_value(), cluster, hub.rows)
    channels = Channels(auth, rates, reads, cache_seconds=settings.cache_seconds, now=time.time)
    users = Users(auth, rates, bus, new_id=new_id)
    of_apps = [events.routes(auth, rates, bus, reads, new_id=new_id), channels.routes(), users.routes()]
    app = build(
        {"/apps": of_apps, "/users": [users.short_routes()]},
        checks=readiness(bus, cluster, door),
        screen=screen(settings.web_dir, settings.web_api_url, tenants),
        path_prefix=settings.path_prefix,
        new_id=new_id,
    )
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws=websocket.factory(gateway),  # type: ignore[arg-type]  # declared as a class; uvicorn only calls it
        http=partial(HttpConnection, reception=reception),  # type: ignore[arg-type]  # the same
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # what proxies say is read where it counts, and only from those that are trusted
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=round(settings.close_seconds) + 1,
    )
    server = DrainingServer(config, door, connections, window=settings.drain_seconds)
    parts = (bus.run(hub), cluster.run(), reads.run(), relays.run(), connections.run(), webhooks.run())
    async with asyncio.TaskGroup() as tasks:  # whichever fails takes the process down with it
        helpers = [tasks.create_task(part) for part in parts]
        await server.serve()
        for helper in helpers:
            helper.cancel()


def build(
    api: Mapping[str, Sequence[APIRouter]],
    *,
    checks: Mapping[str, Check],
    screen: Sequence[BaseRoute] = (),
    path_prefix: str = "",
    new_id: Callable[[], str],
) -> FastAPI:
    """Return everything the port answers over plain HTTP.

    Args:
        api: first part of the path → what answers there; nothing else does.
        checks: of `/readyz`.
        screen: the routes of the web screen.
        path_prefix: what may stand before the API's paths.
        new_id: makes correlation ids.
    """
    app = FastAPI(title="gateway", openapi_url=None)
    app.add_middleware(CorrelationMiddleware, new_id=new_id)
    errors.install(app)
    app.router.routes.extend(probe_routes(checks))
    for prefix in dict.fromkeys(["", path_prefix]):  # a proxy in front may have removed it
        for root, routers in api.items():
            whole = APIRouter()
            for router in routers:
                whole.include_router(router)
            app.mount(f"{prefix}{root}", whole)
    app.router.routes.extend(screen)
    return app


def readiness(bus: Bus, cluster: Cluster, door: Door) -> dict[str, Check]:
    """Return the checks of `/readyz`."""

    async def nats() -> str | None:
        return None if bus.connected else "not connected"

    async def accepting() -> str | None:
        return "draining" if door.draining else None

    async def lease() -> str | None:
        return None if cluster.healthy else "the gateways do not know of each other"

    return {"nats": nats, "lease": lease, "accepting": accepting}


def screen(directory: Path | None, api_url: str, tenants: Apps) -> list[BaseRoute]:
    """Return the routes of the web screen, if there is one."""
    if directory is None:
        return []
    app = tenants.first_enabled()
    return web.routes(directory, api_url=api_url, app_key=app.key if app else None)


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
