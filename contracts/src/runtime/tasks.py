"""Tasks that live and end together."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from runtime.stacks import frames

PATIENCE: Final = 3.0  # seconds a cancelled task may take before it is cancelled again

_log = structlog.stdlib.get_logger("runtime.tasks")


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run parts side by side until the first of them ends; then cancel the others, and wait until they have ended.

    They are cancelled until they end: `asyncio.wait_for`, which nats-py uses, may swallow a cancellation (Python 3.11).

    Raises:
        Exception: that of the part that failed.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=PATIENCE)


class Duty:
    """Work without which a process is of no use: should it end unasked, the process ends, and not with exit code 0."""

    def __init__(self, stop: Callable[[], None]) -> None:
        """Begin nothing yet.

        Args:
            stop: makes the process end in an orderly way; called when the work ends unasked.
        """
        self._stop = stop
        self._task: asyncio.Task[None] | None = None
        self._is_asked = False
        self.exit_code = 0
        """What the process should end with: 1 once the work has failed."""

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Start the work, at its side of the event loop."""
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._ended)

    async def end(self, ask: Callable[[], None] | None = None) -> None:
        """Have the work end, and return when it has; that it fails meanwhile raises nothing here.

        Args:
            ask: how to ask; by default it is cancelled.
        """
        assert self._task is not None
        self._is_asked = True
        (ask or self._task.cancel)()
        await asyncio.wait([self._task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Without the message, which may quote a row.
            _log.error("work failed", error=type(error).__name__, traceback=frames(error))
        elif not self._is_asked:
            _log.error("work ended unasked")
        else:
            return
        self.exit_code = 1
        self._stop()
