"""The composition root: the only place that reads settings, owns the clock and makes ids."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar
from uuid import uuid4

import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import ValidationError

from notifier.migrate import migrate
from notifier.service import Notifier
from notifier.settings import DatabaseSettings, Settings
from runtime import logs
from runtime.http import Check, CorrelationMiddleware, probe_routes

USAGE: Final = "usage: python -m notifier serve|migrate"
USAGE_ERROR: Final = 2

_S = TypeVar("_S", bound=DatabaseSettings)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    try:
        match arguments:
            case ["serve"]:
                uvloop.run(serve(_configured(Settings)))
            case ["migrate"]:
                migrate(_configured(DatabaseSettings).database_url.get_secret_value())
            case _:
                return _refuse(USAGE)
    except ValidationError as error:
        problems = error.errors(include_input=False)
        return _refuse("notifier: " + "; ".join(f"NOTIFIER_{p['loc'][0]}".upper() + f": {p['msg']}" for p in problems))
    return 0


async def serve(settings: Settings) -> None:
    """Notify, or stand by, and answer probes, until a signal ends it."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    notifier = Notifier(
        database_url=settings.database_url.get_secret_value(),
        nats_url=settings.nats_url.get_secret_value(),
        app_id=settings.pusher_app_id,
        clock=time.monotonic,
    )
    app = build(notifier.checks(), new_id=lambda: str(uuid4()))
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:  # whichever fails takes the process down with it
        tasks.create_task(server.serve())
        await notifier.run(stopping)
        server.should_exit = True


def build(checks: Mapping[str, Check], *, new_id: Callable[[], str]) -> FastAPI:
    """Return what the port answers."""
    app = FastAPI(title="notifier", openapi_url=None)
    app.add_middleware(CorrelationMiddleware, new_id=new_id)
    app.router.routes.extend(probe_routes(checks))
    return app


def _configured(kind: type[_S]) -> _S:
    settings = kind()
    logs.configure("notifier", settings.log_level)
    return settings


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - the answer to a person at a terminal
    return USAGE_ERROR
