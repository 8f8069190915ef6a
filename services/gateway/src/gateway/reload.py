"""The apps file, watched: what changes in it counts without a restart, and without dropping sockets."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import structlog

from gateway import apps, metrics
from gateway.apps import AppsFileError
from gateway.connections import Connections
from gateway.pusher.app import Apps

LOADED: Final = "loaded"
REFUSED: Final = "refused"

_log = structlog.stdlib.get_logger("gateway.reload")


class Watcher:
    """Puts a new file in force; a wrong one is refused, and the old one stays."""

    def __init__(self, path: Path, tenants: Apps, connections: Connections, *, interval: float) -> None:
        """Watch a file that has been loaded just now.

        Args:
            path: the apps file.
            tenants: what is in force; changed in place.
            connections: whose rules change.
            interval: seconds between two looks at the file.
        """
        self._path = path
        self._tenants = tenants
        self._connections = connections
        self._interval = interval
        self._seen = self._stamp()
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Load the file now, whether it changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._interval)
            stamp = self._stamp()
            if self._asked.is_set() or stamp != self._seen:
                self._asked.clear()
                self._seen = stamp
                await self._load()

    async def _load(self) -> None:
        try:
            found = apps.load(self._path)
        except AppsFileError as error:
            metrics.APPS_RELOADS.labels(REFUSED).inc()
            _log.error("apps file refused, the old one stays in force", reason=str(error))
            return
        difference = self._tenants.become(found)
        metrics.APPS_RELOADS.labels(LOADED).inc()
        _log.info("apps file loaded", **difference)
        await self._connections.reconsider(self._tenants)

    def _stamp(self) -> tuple[int, ...] | None:
        """Return what changes whenever the file does, also when it is replaced by a link to another."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
