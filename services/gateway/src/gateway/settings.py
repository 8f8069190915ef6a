"""Settings of the gateway, from `GATEWAY_*` variables or the files that `GATEWAY_*_FILE` name."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, DirectoryPath, Field, FilePath, SecretStr
from pydantic_settings import SettingsConfigDict

from runtime.server.settings import HttpSettings


def _number(value: int) -> int:
    if value < 1 and value != -1:
        raise ValueError("must be at least 1, or -1 for no limit")
    return value


Number = Annotated[int, AfterValidator(_number)]
"""A limit; -1: none."""


class Settings(HttpSettings):
    """Read once, by the composition root."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, hide_input_in_errors=True)

    nats_url: SecretStr
    """`nats://user:password@host:port`; without it the gateway does not start."""
    apps_file: Path
    """JSON array of applications, soketi's field names."""
    host: str = "127.0.0.1"
    port: int = 6001
    admin_port: Annotated[int, Field(ge=1, le=65535)] = 6101
    """Of worker 1; that of worker 2 is the next one, and so on."""
    tls_cert: FilePath | None = None
    """PEM, with the chain; then the port speaks TLS only."""
    tls_key: FilePath | None = None
    """PEM; not needed when it is in the same file."""
    apps_reload_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Between two looks whether the apps file has changed; SIGHUP reads it at once."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """INFO writes a line for each push that reaches listeners here."""
    path_prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = ""
    """What stands before `/app/<key>` and `/apps/<id>`, such as `/realtime`."""

    web_dir: DirectoryPath | None = None
    """The built web screen, served at `/`."""
    web_api_url: str = ""
    """The leads api as browsers reach it."""
    web_notifier_url: str = ""
    """The notifier as browsers reach it."""

    idle_seconds: Annotated[float, Field(gt=0)] = 45.0
    """Silence of a connection before it is probed."""
    pong_seconds: Annotated[float, Field(gt=0)] = 30.0
    """From the probe to giving the connection up."""
    close_seconds: Annotated[float, Field(gt=0)] = 5.0
    """From a close frame until the transport is cut."""
    lease_seconds: Annotated[float, Field(ge=1)] = 7.0
    """A gateway that the others do not hear from for so long counts as gone, with all its members."""
    linger_seconds: Annotated[float, Field(ge=0)] = 5.0
    """A channel without listeners stays subscribed so long."""
    check_seconds: Annotated[float, Field(gt=0)] = 5.0
    """Between two looks whether some channel misses what the stream stored last."""
    max_replay_events: Annotated[int, Field(ge=1)] = 10_000
    """Replayed to one subscription; who missed more loads everything anew."""
    max_replay_bytes: Annotated[int, Field(ge=1024)] = 5 * 1024 * 1024
    """Likewise."""
    cache_seconds: Annotated[float, Field(gt=0)] = 1800.0
    """A cache channel forgets its last event so long after it was stored."""
    max_message_bytes: Annotated[int, Field(ge=1024)] = 64 * 1024
    """Of an inbound WebSocket message."""
    max_buffer_bytes: Annotated[int, Field(ge=1024)] = 1024 * 1024
    """Waiting to be read by one client; above it the client is closed as too slow."""
    compression: Literal["off", "shared"] = "off"
    """permessage-deflate; shared: a message is compressed once for all clients that agreed to it."""
    max_channels: Annotated[int, Field(ge=1)] = 1000
    """Of one connection."""

    max_connections: Number = -1
    """Of this process."""
    max_connections_per_address: Number = 2000
    """Of one client address (IPv6: /64 network)."""
    handshakes_per_second: Number = 100
    """Of one client address."""
    messages_per_second: Number = 200
    """From one connection; WebSocket pings count too."""
    bytes_per_second: Number = 256 * 1024
    """From one connection."""
    mistakes_per_second: Number = 10
    """Messages of one connection that are answered with an error."""
    burst_seconds: Annotated[float, Field(gt=0)] = 10.0
    """What may be used at once of each rate above: so many seconds' worth."""

    webhook_hold_seconds: Annotated[float, Field(ge=0)] = 3.0
    """After a departure, until endpoints hear of it; who returns within it was never gone."""
    webhook_private_addresses: bool = True
    """Whether endpoints may be on loopback and in private networks; the apps file names them, no tenant does."""
    webhook_timeout_seconds: Annotated[float, Field(gt=0, le=4)] = 4.0
    """For the status of an endpoint's answer."""
    webhook_retry_seconds: Annotated[float, Field(gt=0)] = 1.0
    """From a first failure to the second attempt; later delays grow."""
    webhook_window_seconds: Annotated[float, Field(gt=0, le=290)] = 290.0
    """After a request was made, no attempt begins; the official Python SDK refuses what is 300 s old."""
