"""What readiness asks of the consumer: does it exist, and does it get on."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from contracts import streams
from notifier import metrics
from notifier.waiting import pause

INTERVAL: Final = 2.0  # seconds between looks at the consumer
PATIENCE: Final = 30.0  # seconds without progress, with messages waiting, until the process is not ready

_log = structlog.stdlib.get_logger("notifier.health")


class ConsumerWatch:
    """Looks at the durable consumer every few seconds. One that was deleted stays deleted unseen by a connection."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._problem: str | None = "not asked yet"
        self._progressed_at = clock()
        self._waiting = 0
        self.exists = asyncio.Event()

    async def run(self, js: JetStreamContext, stopping: asyncio.Event) -> None:
        """Look until `stopping`."""
        while not stopping.is_set():
            await self._look(js)
            await pause(stopping, INTERVAL)

    def progressed(self) -> None:
        """Say that messages were handled."""
        self._progressed_at = self._clock()

    async def check_consumer(self) -> str | None:
        """Answer readiness: whether the consumer exists."""
        return self._problem

    async def check_progress(self, *, is_active: bool) -> str | None:
        """Answer readiness: whether messages are handled, where it is this process's turn."""
        seconds = self._clock() - self._progressed_at
        if not is_active or seconds < PATIENCE:
            return None
        return f"{self._waiting} messages wait and none was handled for {seconds:.0f} s"

    async def _look(self, js: JetStreamContext) -> None:
        try:
            info = await js.consumer_info(streams.CRM, streams.NOTIFIER)
        except NotFoundError:
            self._changed("the consumer does not exist: `python -m leads migrate` makes it, and all goes on")
            self.exists.clear()
        except (Error, TimeoutError) as error:
            self._changed(f"no answer about the consumer: {type(error).__name__}")
        else:
            self._changed(None)
            self.exists.set()
            pending, unacknowledged = info.num_pending or 0, info.num_ack_pending or 0
            metrics.LAG.set(pending)
            metrics.UNACKNOWLEDGED.set(unacknowledged)
            metrics.REDELIVERED.set(info.num_redelivered or 0)
            self._waiting = pending + unacknowledged
            if not self._waiting:
                self.progressed()

    def _changed(self, problem: str | None) -> None:
        if problem != self._problem:
            _log.log(20 if problem is None else 30, "consumer", problem=problem or "none")
        self._problem = problem
