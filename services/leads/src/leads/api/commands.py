"""Counts requests to change something, by what came of them."""

from collections.abc import Collection
from typing import Final

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import get_contextvars

DONE: Final = "done"
"""The outcome of what was not refused, also when it was done before, or changed nothing."""

_commands = Counter(
    "leads_commands_total", "Requests to change something, by what came of them", ["command", "outcome"]
)


class CountCommands:
    """Counts each as done, or by the code of the problem that it was answered with."""

    def __init__(self, app: ASGIApp, *, commands: Collection[str]) -> None:
        """Wrap an application.

        Args:
            app: it binds the code of a problem to the context.
            commands: the names of the routes that count.
        """
        self._app = app
        self._commands = commands

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        name = getattr(scope.get("route"), "name", None)
        if name in self._commands:
            _commands.labels(name, get_contextvars().get("problem", DONE)).inc()
