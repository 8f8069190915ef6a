"""Whether a process' settings can be read, and where each of them comes from, secrets masked."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runtime.doctor.findings import Report
from runtime.settings import SUFFIX, FileSettings

S = TypeVar("S", bound=FileSettings)
MASK: Final = "********"
_ANY_PASSWORD: Final = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]*@")


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting as the process sees it."""

    variable: str
    value: str
    """As text; what is secret is masked."""
    source: str
    """`environment`, the path of a file, `default`, or `missing`."""


def effective(kind: type[FileSettings], environment: Mapping[str, str] = os.environ) -> list[Effective]:  # noqa: TID251
    """Return every setting of a process, also those that it would refuse."""
    prefix = kind.model_config.get("env_prefix", "")
    return [_effective(f"{prefix}{name}".upper(), field, environment) for name, field in kind.model_fields.items()]


def _effective(variable: str, field: FieldInfo, environment: Mapping[str, str]) -> Effective:
    path = environment.get(variable + SUFFIX)
    if variable in environment:
        return Effective(variable, _shown(field, environment[variable]), "environment")
    if path is not None:
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path as the environment spells it
                return Effective(variable, _shown(field, file.read().removesuffix("\n")), path)
        except (OSError, UnicodeDecodeError) as error:
            return Effective(variable, "", f"{path} ({getattr(error, 'strerror', None) or 'not UTF-8'})")
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return Effective(variable, "", "missing")
    return Effective(variable, "" if default is None else _text(default), "default")


def _shown(field: FieldInfo, value: str) -> str:
    """Return a value as anybody may read it: of an address only the password is secret."""
    if SecretStr not in (field.annotation, *get_args(field.annotation)):
        return _ANY_PASSWORD.sub(rf"\1:{MASK}@", value)
    if "://" in value and urlsplit(value.split(",", maxsplit=1)[0]).hostname:
        return _ANY_PASSWORD.sub(rf"\1:{MASK}@", value)
    return MASK if value else ""


def _text(default: object) -> str:
    return default if isinstance(default, str) else json.dumps(default, default=str)


def text(process: str, settings: list[Effective]) -> str:
    """Return settings as a person reads them."""
    names = max(len(setting.variable) for setting in settings)
    values = min(60, max(len(setting.value) for setting in settings))
    shown = ((it, " ".join(it.value.splitlines())) for it in settings)
    rows = (f"  {it.variable:<{names}}  {value:<{values}}  {it.source}" for it, value in shown)
    return "\n".join([process, *rows])


def as_json(process: str, settings: list[Effective]) -> str:
    """Return the same for a program."""
    return json.dumps({"process": process, "settings": [asdict(setting) for setting in settings]}, indent=2)


def examine(report: Report, kind: type[S]) -> S | None:
    """Report whether the settings can be read; return them if so."""
    prefix = kind.model_config.get("env_prefix", "")
    try:
        settings = kind()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            variable = f"{prefix}{problem['loc'][0]}".upper()
            message = "is missing" if problem["type"] == "missing" else problem["msg"]
            report.fail("config", f"{variable}: {message}", f"set {variable} or {variable}{SUFFIX}")
        return None
    report.fine("config", f"{len(kind.model_fields)} settings are valid")
    return settings
