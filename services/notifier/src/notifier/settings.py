"""What the environment decides; only the composition root reads it."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseSettings):
    """Enough for the migrate step."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Settings(DatabaseSettings):
    """A running notifier's."""

    nats_url: SecretStr
    pusher_app_id: str = Field(pattern=r"^[0-9]+$")
    host: str = "127.0.0.1"
    port: int = Field(default=8001, ge=0, le=65535)
