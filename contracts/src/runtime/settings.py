"""Settings from the environment, and from files that it names: `X_FILE` is where the value of `X` stands.

A secret in a file is in no `docker inspect`, no dump of an environment and no child process. The variable itself goes
first.
"""

import os
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from contracts.tokens import PrivateKey, PublicKey

SUFFIX = "_FILE"


def _private(pem: SecretStr) -> SecretStr:
    PrivateKey.of(pem.get_secret_value())
    return pem


def _public(pem: str) -> str:
    PublicKey.of(pem)
    return pem


def _none_or_public(pem: str) -> str:
    return _public(pem) if pem else pem


PrivateKeyText = Annotated[SecretStr, AfterValidator(_private)]
"""An Ed25519 private key in PEM: signs access tokens."""
PublicKeyText = Annotated[str, AfterValidator(_public)]
"""An Ed25519 public key in PEM: verifies access tokens."""
OtherPublicKeyText = Annotated[str, AfterValidator(_none_or_public)]
"""A public key that is accepted as well; empty: there is none."""


class FileSettings(BaseSettings):
    """Settings each of which a file may tell, too. A line break at the end of the file is not part of the value."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from, the strongest first."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _Files(settings_cls)


class _Files(PydanticBaseSettingsSource):
    """Values of the files that `<VARIABLE>_FILE` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{self.config.get('env_prefix', '')}{field_name}{SUFFIX}".upper())  # noqa: TID251
        if path is None:
            return None, field_name, False
        try:
            return Path(path).read_text().removesuffix("\n"), field_name, self.field_is_complex(field)
        except (OSError, UnicodeDecodeError) as error:
            self._refuse(field_name, getattr(error, "strerror", None) or "not UTF-8")

    def __call__(self) -> dict[str, Any]:
        values = {}
        for name, field in self.settings_cls.model_fields.items():
            text, key, is_complex = self.get_field_value(field, name)
            if text is not None:
                try:
                    values[key] = self.prepare_field_value(name, field, text, is_complex)
                except ValueError:
                    self._refuse(name, "not JSON")
        return values

    def _refuse(self, field_name: str, reason: str) -> NoReturn:
        problem = PydanticCustomError("file", "its file is of no use: {reason}", {"reason": reason})
        details = InitErrorDetails(type=problem, loc=(field_name,), input=None)
        raise ValidationError.from_exception_data(self.settings_cls.__name__, [details], hide_input=True) from None
