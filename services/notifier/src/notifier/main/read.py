"""Settings, or one clear line; and what a command says."""

import sys
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from notifier.settings import OperatorSettings
from runtime.tracing import TracingSettings

USAGE_ERROR: Final = 2

_S = TypeVar("_S", bound=BaseSettings)


def settings(kind: type[_S]) -> _S:
    """Read settings.

    Raises:
        SystemExit: with code 2 and one line that names every variable that is wrong.
    """
    try:
        return kind()
    except ValidationError as error:
        problems = error.errors(include_input=False)
        wrong = "; ".join(f"{_name(error, problem['loc'][0])}: {problem['msg']}" for problem in problems)
        raise SystemExit(refuse(wrong)) from None


def write(text: str) -> None:
    """Print the answer to a person at a terminal."""
    print(text)  # noqa: T201


def refuse(message: str) -> int:
    """Say on standard error why nothing is done, and return the exit code."""
    print(f"notifier: {message}", file=sys.stderr)  # noqa: T201
    return USAGE_ERROR


def _name(error: ValidationError, field: int | str) -> str:
    prefix = "" if error.title in {OperatorSettings.__name__, TracingSettings.__name__} else "NOTIFIER_"
    return f"{prefix}{field}".upper()
