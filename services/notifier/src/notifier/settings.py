"""What the environment decides; only the composition root reads it."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from runtime.server.settings import HttpSettings
from runtime.settings import FileSettings, OtherPublicKeyText, PublicKeyText


class DatabaseSettings(FileSettings):
    """Enough for the migrate step, as role notifier_owner."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Settings(HttpSettings, DatabaseSettings):
    """A running notifier's; requests are answered as role notifier_app."""

    writer_database_url: SecretStr
    """The same database as role notifier_writer, which writes what follows from facts for every company."""
    nats_url: SecretStr
    pusher_app_id: str = Field(pattern=r"^[0-9]+$")
    jwt_public_key: PublicKeyText
    """Verifies access tokens: of the leads API's private key."""
    jwt_other_public_key: OtherPublicKeyText = ""
    """Tokens signed with its private key are accepted as well, while one key follows another."""
    host: str = "127.0.0.1"
    port: int = Field(default=8001, ge=0, le=65535)
    admin_port: int = Field(default=8101, ge=0, le=65535)
    cors_origins: tuple[str, ...] = ()
    root_path: str = Field(default="", pattern=r"^(/.*[^/])?$")
    """Path under which a proxy serves the API, such as `/api/notifier`."""
    pool_size: int = Field(default=5, ge=1, le=1000)
    """Database connections for requests."""
    kept_notifications: int = Field(default=1000, ge=1, le=100_000)
    """How many of its newest notifications an inbox keeps."""


class OperatorSettings(FileSettings):
    """What `dead …` needs: the address of NATS as its user `operator` sees it."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    nats_url: SecretStr
