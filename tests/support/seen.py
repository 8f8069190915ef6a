"""What the processes of a stack tell an operator."""

import json
from typing import Any

import httpx

from support.stack import Stack


def metrics_of(stack: Stack) -> dict[str, str]:
    """Return what every process tells on `/metrics`."""
    return {
        process.name: httpx.get(process.health.replace("readyz", "metrics"), timeout=30).raise_for_status().text
        for process in stack.topology.services()
    }


def log_lines(stack: Stack, name: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the lines of a process' log that say all of this."""
    lines = [json.loads(line) for line in stack.log(name).read_text().splitlines()]
    return [line for line in lines if wanted.items() <= line.items()]
