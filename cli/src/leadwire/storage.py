"""Restarts NATS when it answers and stores nothing.

After a full disk nats-server keeps its write error until it is restarted, also when there is room again (seen with
version 2.15.1).
"""

import asyncio
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

import httpx

from leadwire.progress import say

LOOK: Final = 5.0  # seconds between two looks
LOOKS: Final = 2  # in a row that must find the same
ROOM: Final = 64 * 1024 * 1024  # bytes that must be free: without room a restart helps nobody
PATIENCE: Final = 5.0  # seconds for the answer of a process


async def keep_storing(healths: Iterable[str], store: Path, restart: Callable[[], None]) -> NoReturn:
    """Watch what processes say of NATS, until cancelled.

    Args:
        healths: addresses of `/readyz`.
        store: where NATS keeps its streams.
        restart: restarts NATS.
    """
    found = 0
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        while True:
            await asyncio.sleep(LOOK)
            found = found + 1 if await _is_stuck(http, healths) else 0
            if found >= LOOKS and shutil.disk_usage(store).free >= ROOM:
                say("NATS stores nothing, and its disk has room: restarting it")
                restart()
                found = 0


async def _is_stuck(http: httpx.AsyncClient, healths: Iterable[str]) -> bool:
    """Whether some process reaches NATS and its streams, and can store nothing there."""
    for health in healths:
        checks = await _checks(http, health)
        answers = [value for name, value in checks.items() if name == "nats" or name.startswith("stream ")]
        if answers and set(answers) == {"ok"} and checks.get("storage", "ok") != "ok":
            return True
    return False


async def _checks(http: httpx.AsyncClient, health: str) -> dict[str, Any]:
    try:
        checks: dict[str, Any] = (await http.get(health)).json()["checks"]
    except (httpx.TransportError, ValueError, KeyError):
        return {}
    return checks
