"""What the processes of a stack tell an operator."""

import httpx

from support.stack import Stack


def metrics_of(stack: Stack) -> dict[str, str]:
    """Return what every process tells on `/metrics`."""
    return {
        process.name: httpx.get(process.health.replace("readyz", "metrics"), timeout=30).raise_for_status().text
        for process in stack.topology.services()
    }
