"""Settings of every process that serves HTTP."""

from typing import Annotated

from pydantic import Field, IPvAnyNetwork

from runtime.server.limits import HttpLimits
from runtime.settings import FileSettings

Seconds = Annotated[float, Field(gt=0)]


class AdminSettings(FileSettings):
    """Of an admin port; a class derived from it adds the port, and the prefix of its variables."""

    admin_host: str = "127.0.0.1"
    """Where `/livez`, `/readyz` and `/metrics` are answered; never through a proxy."""


class HttpSettings(AdminSettings):
    """Of a public port as well."""

    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """JSON list of addresses and networks whose `X-Forwarded-For` and `X-Forwarded-Proto` count."""
    keep_alive_seconds: Annotated[float, Field(ge=1)] = 75.0
    """A connection may be idle for so long between two requests: longer than the proxies in front keep it."""
    head_seconds: Seconds = 10.0
    """From connecting to the end of a request's headers; then the connection is cut."""
    body_seconds: Seconds = 10.0
    """For a request's body; what has arrived prolongs it, see `body_bytes_per_second`."""
    body_bytes_per_second: Annotated[int, Field(ge=1)] = 8 * 1024
    """The slowest body that is waited for."""
    answer_seconds: Seconds = 60.0
    """For which a client may take nothing of an answer; then the connection is cut."""
    drain_seconds: Annotated[float, Field(ge=0)] = 2.0
    """For which requests are still answered after SIGTERM, each with `Connection: close`."""
    max_request_head_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024
    """Request line and headers together; above it 431."""
    max_request_line_bytes: Annotated[int, Field(ge=128)] = 8 * 1024
    """Above it 414."""
    max_request_headers: Annotated[int, Field(ge=8)] = 100
    """Above it 431."""
    max_http_connections: Annotated[int, Field(ge=16)] = 16_384
    """Of this process; above it the one that has been idle, or has not sent its request, for longest is cut."""
    max_http_connections_per_client: Annotated[int, Field(ge=1)] = 1000
    """Of one client network (IPv6: /64). Of a client behind a trusted proxy: requests at the same time."""

    def http_limits(self) -> HttpLimits:
        """Return the limits of the public port."""
        return HttpLimits(
            head_seconds=self.head_seconds,
            body_seconds=self.body_seconds,
            body_bytes_per_second=self.body_bytes_per_second,
            answer_seconds=self.answer_seconds,
            keep_alive_seconds=self.keep_alive_seconds,
            head_bytes=self.max_request_head_bytes,
            request_line_bytes=self.max_request_line_bytes,
            headers=self.max_request_headers,
            connections=self.max_http_connections,
            connections_per_client=self.max_http_connections_per_client,
        )
