"""The command line: `python -m notifier serve|migrate|wait|openapi|dead|doctor|config`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

USAGE: Final = """usage: python -m notifier serve|migrate|wait|openapi|dead|doctor|config
       python -m notifier dead list [--json]
       python -m notifier dead show|retry|drop SEQUENCE …
       python -m notifier doctor|config serve|migrate [--json]"""
USAGE_ERROR: Final = 2


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    code: int | None = None
    match arguments:
        case ["serve" | "migrate" | "wait" | "openapi" as command]:
            code = _run(command)
        case ["dead", *rest]:
            code = _run("dead", rest)
        case ["doctor" | "config" as command, "serve" | "migrate" as process, *rest] if rest in ([], ["--json"]):
            code = _run(command, process, as_json=bool(rest))
    if code is None:
        print(USAGE, file=sys.stderr)  # noqa: T201 - the answer to a person at a terminal
        return USAGE_ERROR
    return code


def _run(command: str, *arguments: Any, **options: Any) -> int | None:  # noqa: ANN401 - each command has its own
    # A process imports no more than it runs.
    code: int | None = import_module(f"notifier.main.{command}").run(*arguments, **options)
    return code


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
