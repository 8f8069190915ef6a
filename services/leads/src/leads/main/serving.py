"""The listening ports of the service's processes."""

import socket
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette

from leads.main import read
from leads.settings import ApiSettings, RelaySettings, WorkerSettings
from runtime.server import listening
from runtime.server.admin import Check, Lifespan, admin_app
from runtime.server.limits import HttpLimiter
from runtime.server.proxies import TrustedProxies
from runtime.server.server import Port, Server, admin_port

Details = Callable[[], Mapping[str, Any]]


def public(app: Starlette, settings: ApiSettings, checks: Mapping[str, Check], details: Details) -> Server:
    """Return the server of the API, with its admin port.

    Args:
        app: what the public port answers.
        settings: of the process.
        checks: of `/readyz`.
        details: what `/readyz` tells besides.
    """
    listening.allow_many()
    limiter = HttpLimiter(settings.http_limits(), TrustedProxies(settings.trusted_proxies))
    port = Port(app=app, limiter=limiter, sockets=[_listen(settings.host, settings.port)])
    admin = admin_app({**checks, "accepting": limiter.check}, details)
    return Server(
        port,
        drain_seconds=settings.drain_seconds,
        admin=Server(admin_port(admin, [_listen(settings.admin_host, settings.admin_port)])),
        lifespan=True,
    )


def admin_only(
    settings: RelaySettings | WorkerSettings,
    checks: Mapping[str, Check],
    *,
    lifespan: Lifespan,
    details: Details = dict,
) -> Server:
    """Return the server of a process that answers probes and nothing else."""
    listener = _listen(settings.admin_host, settings.admin_port)
    return Server(admin_port(admin_app(checks, details, lifespan=lifespan), [listener]), lifespan=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listening.listen(host, port)
    except OSError as error:
        read.refuse(f"cannot listen on {host}:{port}: {error.strerror or error}", code=2)
