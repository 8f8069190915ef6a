"""Settings, or one clear line."""

import sys
from typing import NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

S = TypeVar("S", bound=BaseSettings)


def settings(kind: type[S]) -> S:
    """Read a process' settings, or end it with one line that names every variable that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        refuse(f"set {', '.join(_complaint(item, prefix) for item in error.errors())}", code=2)


def refuse(reason: str, *, code: int) -> NoReturn:
    """End the process with one line on standard error: logs may not be configured yet."""
    print(f"leads: {reason}", file=sys.stderr)  # noqa: T201
    raise SystemExit(code)


def reason(error: BaseException) -> str:
    """Return an error's first line; further ones may quote rows."""
    return str(error).partition("\n")[0]


def _complaint(item: ErrorDetails, prefix: str) -> str:
    message = "missing" if item["type"] == "missing" else item["msg"]
    return f"{prefix}{str(item['loc'][0]).upper()} ({message})"
