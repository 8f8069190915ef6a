"""`python -m leads api`."""

import asyncio
import contextlib
import hmac
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID

from argon2 import PasswordHasher
from fastapi import FastAPI
from nats.errors import Error
from prometheus_client import Gauge

from contracts import streams, subjects
from contracts.tokens import PrivateKey, Verifier, other_keys
from leads.api.app import build
from leads.api.context import Services
from leads.desk import Desk
from leads.login_limits import DeviceTokens, LoginLimiter
from leads.main import read, serving
from leads.passwords import Passwords
from leads.rpc import Responder
from leads.settings import ApiSettings
from leads.store.database import Database
from leads.store.directory import Directory
from leads.store.jobs import Jobs
from leads.store.log import PostgresEventStore
from leads.store.settings import Settings
from leads.views import Views
from leads.watch import FeedWatch, follow_epoch
from runtime import broker, logs, pools, tracing
from runtime.stream_health import NATS, StreamHealth
from runtime.tasks import Duty, together
from runtime.tracing import TracingSettings

_nats_connected = Gauge("leads_nats_connected", "1 while questions over NATS reach this process")
_waiting = Gauge("leads_waiting_requests", "Requests that wait for the feed of a company to go on")


def run() -> None:
    settings = read.settings(ApiSettings)
    logs.configure("leads-api", settings.log_level)
    tracing.configure("leads-api", read.settings(TracingSettings))
    database = Database.connect(settings.database_url.get_secret_value(), pool_size=settings.pool_size)
    views = Views(database)
    directory = Directory(database)
    watch = FeedWatch(directory, most=settings.max_waiting, most_of_one=settings.max_waiting_per_user)
    signing_key = PrivateKey.of(settings.jwt_private_key.get_secret_value())
    services = Services(
        store=PostgresEventStore(database, directory),
        views=views,
        directory=directory,
        settings=Settings(database),
        jobs=Jobs(database),
        desk=Desk(database, directory),
        watch=watch,
        passwords=Passwords(database, PasswordHasher()),
        limiter=LoginLimiter(),
        device_tokens=DeviceTokens(device_key(signing_key.pem)),
        clock=utc_now,
        new_id=time_ordered_id,
        signing_key=signing_key,
        verifier=Verifier(signing_key.public, *other_keys(settings.jwt_other_public_key)),
        token_lifetime=timedelta(seconds=settings.token_ttl),
        pusher_key=settings.pusher_app_key,
        pusher_secret=settings.pusher_app_secret.get_secret_value(),
    )
    responder = Responder(views, directory)
    health = StreamHealth(clock=time.monotonic)
    nats_url = settings.nats_url.get_secret_value()

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # REST does not wait for NATS.
        duty.begin(together(_listen(responder, watch, health, nats_url), follow_epoch(directory, watch)))
        try:
            yield
        finally:
            await duty.end()
            await database.close()

    async def postgres() -> str | None:
        await database.ping()
        return None

    def details() -> dict[str, object]:
        return {"nats": health.problem(NATS) or "connected"}

    pools.tell(database)
    _nats_connected.set_function(lambda: health.problem(NATS) is None)
    _waiting.set_function(lambda: watch.count)
    app = build(
        services,
        cors_origins=settings.cors_origins,
        root_path=settings.root_path,
        lifespan=lifespan,
    )
    server = serving.public(app, settings, {"postgres": postgres}, details)
    server.on_stop.append(watch.close)
    duty = Duty(lambda: setattr(server, "should_exit", True))
    server.run()
    tracing.close()
    sys.exit(duty.exit_code)


async def _listen(responder: Responder, watch: FeedWatch, health: StreamHealth, nats_url: str) -> None:
    """Answer questions and hear facts over NATS from when it is there, until cancelled."""
    returned = asyncio.Event()
    client = await broker.connect(nats_url, "leads-api", on_return=returned.set)
    try:
        await responder.listen(client)
        await client.listen(subjects.FACTS, lambda message: watch.heard(message.subject))
        watch.hears = lambda: client.is_connected

        async def stir() -> NoReturn:
            while True:
                returned.clear()
                with contextlib.suppress(Error, OSError):  # cut off again: then it returns again
                    await broker.barrier(client)
                watch.stir()  # what passed before the server knew that we listen, nobody heard
                await returned.wait()

        await together(stir(), health.run(client), broker.tend(client, streams.CRM))
    finally:
        with contextlib.suppress(Error):  # not connected: then there is nobody to answer
            await client.drain()
        await broker.close(client)


def device_key(signing_key: str) -> bytes:
    """Return the key of device tokens. Derived: with another signing key no device is known, which keeps nobody out."""
    return hmac.digest(signing_key.encode(), b"leadwire device tokens", "sha256")


def utc_now() -> datetime:
    return datetime.now(UTC)


def time_ordered_id() -> UUID:
    """Return a UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, then randomness."""
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (_random(12) << 64) | (0b10 << 62) | _random(62))


def _random(bits: int) -> int:
    return int.from_bytes(os.urandom(8)) >> (64 - bits)
