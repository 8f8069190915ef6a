"""The composition root: the only place that reads settings, owns the clock and makes ids."""

import asyncio
import json
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import uuid4

import uvloop
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from contracts.tokens import PublicKey, Verifier, other_keys
from notifier import dead, doctor
from notifier.api.app import build, openapi
from notifier.api.context import Services
from notifier.connections import Connections
from notifier.inbox import Inbox
from notifier.migrate import migrate, wait_for_migration
from notifier.service import Notifier
from notifier.settings import DatabaseSettings, OperatorSettings, Settings
from runtime import logs, pools, tracing
from runtime.doctor import bounded, configuration, findings, proxies, secrecy, versions
from runtime.doctor.findings import Report
from runtime.server import listening
from runtime.server.admin import admin_app
from runtime.server.limits import HttpLimiter
from runtime.server.proxies import TrustedProxies
from runtime.server.server import Port, Server, admin_port
from runtime.tracing import TracingSettings

USAGE: Final = f"""usage: python -m notifier serve|migrate|wait|openapi|dead|doctor|config
{dead.USAGE}
       python -m notifier doctor|config serve|migrate [--json]"""
USAGE_ERROR: Final = 2

_S = TypeVar("_S", bound=BaseSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """The sockets of the two ports."""

    public: socket.socket
    admin: socket.socket


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    try:
        match arguments:
            case ["serve"]:
                settings = _read(Settings)
                tracing_settings = _read(TracingSettings)
                logs.configure("notifier", settings.log_level)
                tracing.configure("notifier", tracing_settings)
                try:
                    listeners = Listeners(
                        public=listening.listen(settings.host, settings.port),
                        admin=listening.listen(settings.admin_host, settings.admin_port),
                    )
                except OSError as error:
                    where = "NOTIFIER_PORT, NOTIFIER_ADMIN_PORT"
                    return _refuse(f"notifier: {where}: cannot listen: {error.strerror or error}")
                uvloop.run(serve(settings, listeners))
                tracing.close()
            case ["migrate"]:
                database = _read(DatabaseSettings)
                logs.configure("notifier", database.log_level)
                migrate(database.database_url.get_secret_value())
            case ["wait"]:
                database = _read(DatabaseSettings)
                logs.configure("notifier", database.log_level)
                wait_for_migration(database.database_url.get_secret_value())
            case ["openapi"]:
                _write(json.dumps(openapi(), indent=1))
            case ["dead", *rest] if (command := dead.parse(rest)) is not None:
                operator = _read(OperatorSettings)
                logs.configure("notifier", "ERROR")
                return asyncio.run(dead.run(command, operator.nats_url.get_secret_value(), write=_write))
            case ["doctor", "serve" | "migrate" as process, *rest] if rest in ([], ["--json"]):
                report = examine(process)
                _write(report.to_json() if rest else findings.text(report))
                return findings.exit_code([report])
            case ["config", "serve" | "migrate" as process, *rest] if rest in ([], ["--json"]):
                effective = configuration.effective(Settings if process == "serve" else DatabaseSettings)
                show = configuration.as_json if rest else configuration.text
                _write(show(f"notifier {process}", effective))
            case _:
                return _refuse(USAGE)
    except ValidationError as error:
        return _refuse("notifier: " + "; ".join(f"{_name(error, p['loc'][0])}: {p['msg']}" for p in _problems(error)))
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


def examine(process: str) -> Report:
    """Look at what a process needs."""
    report = Report(f"notifier {process}")
    versions.examine(report, doctor.PACKAGE)
    if process == "migrate":
        database = configuration.examine(report, DatabaseSettings)
        if database is not None:
            url = database.database_url.get_secret_value()
            secrecy.examine(report, {"the password in NOTIFIER_DATABASE_URL": _password(url)})
            bounded.examine(
                report, {"database": lambda part: doctor.examine_database(part, url, "notifier_owner", _now)}
            )
        return report
    settings = configuration.examine(report, Settings)
    if settings is not None:
        urls = settings.database_url, settings.writer_database_url, settings.nats_url
        app, writer, nats = (url.get_secret_value() for url in urls)
        secrets = {
            "the password in NOTIFIER_DATABASE_URL": _password(app),
            "the password in NOTIFIER_WRITER_DATABASE_URL": _password(writer),
            "the password in NOTIFIER_NATS_URL": _password(nats),
        }
        secrecy.examine(report, secrets)
        kid = PublicKey.of(settings.jwt_public_key).kid
        report.fingerprints |= {"key of access tokens": kid, f"app id {settings.pusher_app_id}": ""}
        proxies.examine(report, settings, "NOTIFIER_", is_behind_proxy=bool(settings.root_path))
        bounded.examine(
            report,
            {
                "database": lambda part: doctor.examine_database(part, app, "notifier_app", _now),
                "writer's database": lambda part: doctor.examine_database(part, writer, "notifier_writer", _now),
                "nats": lambda part: asyncio.run(doctor.examine_nats(part, nats, _now)),
            },
        )
    return report


def _password(url: str) -> tuple[str, int]:
    return secrecy.password_of(url), secrecy.SHORTEST_PASSWORD


def _now() -> datetime:
    return datetime.now(UTC)


def _read(kind: type[_S]) -> _S:
    return kind()


def _problems(error: ValidationError) -> Sequence[ErrorDetails]:
    return error.errors(include_input=False)


def _name(error: ValidationError, field: int | str) -> str:
    prefix = "" if error.title in {OperatorSettings.__name__, TracingSettings.__name__} else "NOTIFIER_"
    return f"{prefix}{field}".upper()


def _write(text: str) -> None:
    print(text)  # noqa: T201 - the answer to a person at a terminal


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - the answer to a person at a terminal
    return USAGE_ERROR
