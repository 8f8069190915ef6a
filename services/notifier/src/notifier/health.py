"""What readiness and `/metrics` say of the consumer: does it exist, and does it get on."""

import asyncio
from collections.abc import Callable
from math import nan
from typing import Final

from nats.js.api import ConsumerInfo

from notifier import metrics

PATIENCE: Final = 30.0  # seconds without progress, with messages waiting, until the process is not ready


class Progress:
    """Whether messages are handled while some wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._progressed_at = clock()
        self._waiting = 0
        self.consumer_exists = asyncio.Event()

    def progressed(self) -> None:
        """Say that messages were handled."""
        self._progressed_at = self._clock()

    def on_consumer(self, info: ConsumerInfo | None) -> None:
        """Take a look at the durable consumer; None when it does not exist or nobody answers."""
        if info is None:
            self.consumer_exists.clear()
            for gauge in (metrics.LAG, metrics.UNACKNOWLEDGED, metrics.REDELIVERED):
                gauge.set(nan)  # nobody knows
            return
        self.consumer_exists.set()
        pending, unacknowledged = info.num_pending or 0, info.num_ack_pending or 0
        metrics.LAG.set(pending)
        metrics.UNACKNOWLEDGED.set(unacknowledged)
        metrics.REDELIVERED.set(info.num_redelivered or 0)
        self._waiting = pending + unacknowledged
        if not self._waiting:
            self.progressed()

    async def check(self, *, is_active: bool) -> str | None:
        """Answer readiness: whether messages are handled, where it is this process's turn."""
        seconds = self._clock() - self._progressed_at
        if not is_active or seconds < PATIENCE:
            return None
        return f"{self._waiting} messages wait and none was handled for {seconds:.0f} s"
