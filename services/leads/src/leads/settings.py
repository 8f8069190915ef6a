"""What each process is told by its environment (`LEADS_*`, or files that `LEADS_*_FILE` name), read once.

Secrets have no default.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from contracts import streams
from runtime.server.settings import AdminSettings, HttpSettings
from runtime.settings import FileSettings, OtherPublicKeyText, PrivateKeyText

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def _not_ours(name: str) -> str:
    if any(name == consumer.durable_name for _stream, consumer in streams.CONSUMERS):
        raise ValueError("is one of our own consumers")
    return name


Listener = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), AfterValidator(_not_ours)]
FactSubjects = Annotated[str, Field(pattern=r"^crm(\.([A-Za-z0-9_=-]+|\*))*(\.>)?$")]


class _Settings(FileSettings):
    model_config = SettingsConfigDict(env_prefix="LEADS_", frozen=True)

    database_url: SecretStr
    """`postgresql://user:password@host:port/database`"""
    log_level: LogLevel = "INFO"


class ApiSettings(HttpSettings, _Settings):
    """`python -m leads api`, as role leads_app and NATS user leads-api."""

    nats_url: SecretStr
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    admin_port: int = Field(default=8100, ge=0, le=65535)
    jwt_private_key: PrivateKeyText
    """Signs access tokens; no other service has it."""
    jwt_other_public_key: OtherPublicKeyText = ""
    """Tokens signed with its private key are accepted as well, while one key follows another."""
    token_ttl: int = Field(default=43_200, gt=0)
    """Seconds an access token is valid."""
    pusher_app_key: str = Field(min_length=1)
    pusher_app_secret: SecretStr = Field(min_length=1)
    cors_origins: tuple[str, ...] = ()
    root_path: str = Field(default="", pattern=r"^(/.*[^/])?$")
    """Path under which a proxy serves the API, such as `/api`."""
    pool_size: int = Field(default=10, ge=1, le=1000)
    max_waiting: int = Field(default=10_000, ge=0)
    """Requests that may wait for news at the same time."""
    max_waiting_per_user: int = Field(default=20, ge=0)


class RelaySettings(AdminSettings, _Settings):
    """`python -m leads relay`, as role leads_relay and NATS user leads-relay."""

    nats_url: SecretStr
    admin_port: int = Field(default=8102, ge=0, le=65535)


class ReseedSettings(_Settings):
    """`python -m leads reseed`, as role leads_relay."""


class WorkerSettings(AdminSettings, _Settings):
    """`python -m leads worker`, as role leads_app."""

    admin_port: int = Field(default=8103, ge=0, le=65535)
    lease_seconds: float = Field(default=7.0, gt=0, le=600)
    """A job whose worker was not heard of for so long is another's."""


class RebuildSettings(_Settings):
    """`python -m leads rebuild`, as role leads_owner."""


class VerifySettings(_Settings):
    """`python -m leads verify`, as role leads_owner and NATS user migrate."""

    nats_url: SecretStr


class MigrateSettings(_Settings):
    """`python -m leads migrate`, as role leads_owner and NATS user migrate."""

    nats_url: SecretStr
    stream_replicas: int = Field(default=1, ge=1, le=5)
    listeners: dict[Listener, FactSubjects] = Field(default_factory=dict)
    """The durable consumers of other services: name → the subjects it hears."""


class WaitSettings(_Settings):
    """`python -m leads wait`, as any role of the service."""


class ProvisionSettings(_Settings):
    """`python -m leads provision`, as role leads_owner."""
