"""`python -m leads relay`."""

import contextlib
import sys
import time
from collections.abc import AsyncIterator

from starlette.applications import Starlette

from contracts import streams
from leads.main import read, serving
from leads.relay import LAG_LIMIT, PROGRESS_LIMIT, Relay
from leads.settings import RelaySettings
from runtime import broker, logs, tracing
from runtime.stream_health import StreamHealth
from runtime.tasks import Duty, together
from runtime.tracing import TracingSettings


def run() -> None:
    settings = read.settings(RelaySettings)
    logs.configure("leads-relay", settings.log_level)
    tracing.configure("leads-relay", read.settings(TracingSettings))
    health = StreamHealth(streams=(streams.CRM,), clock=time.monotonic)
    relay = Relay(settings.database_url.get_secret_value(), is_able=lambda: health.answers(f"stream {streams.CRM}"))
    nats_url = settings.nats_url.get_secret_value()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        publishing.begin(_publish(relay, health, nats_url))
        try:
            yield
        finally:
            async with relay.between_windows:
                await publishing.end()

    async def postgres() -> str | None:
        return "not connected" if relay.role == "disconnected" else None

    async def lag() -> str | None:
        return f"the oldest fact waits for {relay.lag:.0f} s" if relay.lag > LAG_LIMIT else None

    async def progress() -> str | None:
        return f"active, and nothing done for {relay.stood_for:.0f} s" if relay.stood_for > PROGRESS_LIMIT else None

    def details() -> dict[str, object]:
        return {"role": relay.role, "lag_seconds": round(relay.lag, 3)}

    checks = {"postgres": postgres, "lag": lag, "progress": progress, **health.checks()}
    server = serving.admin_only(settings, checks, details=details, lifespan=lifespan)
    publishing = Duty(lambda: setattr(server, "should_exit", True))
    server.run()
    tracing.close()
    sys.exit(publishing.exit_code)


async def _publish(relay: Relay, health: StreamHealth, nats_url: str) -> None:
    client = await broker.connect(nats_url, "leads-relay")
    try:
        await together(relay.run(client), health.run(client), broker.tend(client, streams.CRM))
    finally:
        await broker.close(client)
