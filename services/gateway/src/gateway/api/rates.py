"""How much of the API an app may use, on this gateway."""

from collections.abc import Callable

from gateway.pusher.allowance import Allowance
from gateway.pusher.app import App
from gateway.pusher.refusals import TooMany


class Rates:
    """One allowance for each app and limit; an app that got another limit begins anew."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Forget nothing; `clock` gives seconds and never goes back."""
        self._clock = clock
        self._allowances: dict[tuple[str, str, int], Allowance] = {}

    def count_events(self, app: App, number: int = 1) -> None:
        """Count events that are about to be stored.

        Raises:
            TooMany: nothing was counted.
        """
        self._count(app.id, "events", app.backend_events_per_second, number)

    def count_read(self, app: App) -> None:
        """Count a request that only reads.

        Raises:
            TooMany: nothing was counted.
        """
        self._count(app.id, "read requests", app.read_requests_per_second, 1)

    def _count(self, app_id: str, what: str, rate: int | None, number: int) -> None:
        if rate is None:
            return
        now = self._clock()
        allowance = self._allowances.setdefault((app_id, what, rate), Allowance(rate, now))
        if not allowance.take(now, number):
            raise TooMany(f"Too many {what}: the app may have {rate} a second", allowance.pause(number))
