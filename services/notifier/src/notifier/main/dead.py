"""`python -m notifier dead`."""

import asyncio
from collections.abc import Sequence

from notifier import dead
from notifier.main import read
from notifier.settings import OperatorSettings
from runtime import logs


def run(arguments: Sequence[str]) -> int | None:
    """Do what an operator wants with dead letters; return the exit code, or None when the arguments make no sense."""
    command = dead.parse(arguments)
    if command is None:
        return None
    operator = read.settings(OperatorSettings)
    logs.configure("notifier", "ERROR")
    return asyncio.run(dead.run(command, operator.nats_url.get_secret_value(), write=read.write))
