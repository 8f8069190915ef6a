"""Settings of the gateway, from `GATEWAY_*` variables."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import DirectoryPath, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once, by the composition root."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, hide_input_in_errors=True)

    nats_url: SecretStr
    """`nats://user:password@host:port`; without it the gateway does not start."""
    apps_file: Path
    """JSON array of applications, soketi's field names."""
    host: str = "127.0.0.1"
    port: int = 6001
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """INFO writes a line for each push that reaches listeners here."""
    path_prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = ""
    """What stands before `/app/<key>` and `/apps/<id>`, such as `/realtime`."""

    web_dir: DirectoryPath | None = None
    """The built web screen, served at `/`."""
    web_api_url: str = ""
    """The leads api as browsers reach it."""

    idle_seconds: Annotated[float, Field(gt=0)] = 45.0
    """Silence of a connection before it is probed."""
    pong_seconds: Annotated[float, Field(gt=0)] = 30.0
    """From the probe to giving the connection up."""
    close_seconds: Annotated[float, Field(gt=0)] = 5.0
    """From a close frame until the transport is cut."""
    drain_seconds: Annotated[float, Field(ge=0)] = 2.0
    """Over which established connections are closed on SIGTERM."""
    linger_seconds: Annotated[float, Field(ge=0)] = 5.0
    """A channel without listeners stays subscribed so long."""
    cache_seconds: Annotated[float, Field(gt=0)] = 1800.0
    """A cache channel forgets its last event so long after it was stored."""
    max_message_bytes: Annotated[int, Field(ge=1024)] = 64 * 1024
    """Of an inbound WebSocket message."""
    max_buffer_bytes: Annotated[int, Field(ge=1024)] = 1024 * 1024
    """Waiting to be read by one client; above it the client is closed as too slow."""
    max_channels: Annotated[int, Field(ge=1)] = 1000
    """Of one connection."""
