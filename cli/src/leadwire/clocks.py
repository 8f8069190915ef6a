"""The times at which the tests must pass, too: what expires, and what a calendar does to days."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """A time at which the tests must pass, too."""

    what: str
    begins: Callable[[datetime], datetime]
    """Returns the time that the tests begin at, given the real one."""
    zone: str = "UTC"
    """The time zone of all processes."""

    def offset(self, now: datetime) -> int:
        """Return by how many seconds the clock is moved."""
        return round((self.begins(now) - now).total_seconds())


def _new_year(now: datetime) -> datetime:
    begins = datetime(now.year, 12, 31, 23, 50, tzinfo=UTC)
    return begins if begins > now else begins.replace(year=now.year + 1)


def _leap_day(now: datetime) -> datetime:
    days = (now.date() + timedelta(days=number) for number in range(1, 9 * 366))
    return next(datetime(day.year, 2, 29, 12, tzinfo=UTC) for day in days if (day.month, day.day) == (2, 29))


def _switch(zone: str, *, to_summer: bool) -> Callable[[datetime], datetime]:
    """Return what finds the next switch of a zone to daylight-saving time, or back; the minute before, to cross it."""

    def begins(now: datetime) -> datetime:
        moment = now.replace(minute=0, second=0, microsecond=0) + _HOUR
        while True:
            before, after = ((moment + step_).astimezone(ZoneInfo(zone)).utcoffset() for step_ in (-_MINUTE, _MINUTE))
            assert before is not None
            assert after is not None
            if after != before and (after > before) == to_summer and moment - _MINUTE > now:
                return moment - _MINUTE
            moment += _HOUR

    return begins


CLOCKS: Final[Mapping[str, Clock]] = {
    "+40d": Clock("40 days ahead", lambda now: now + timedelta(days=40)),
    "new-year": Clock("31 December 23:50", _new_year),
    "leap-day": Clock("29 February", _leap_day, zone="America/Sao_Paulo"),
    "spring": Clock("the switch to summer time", _switch("Europe/Lisbon", to_summer=True), zone="Europe/Lisbon"),
    "autumn": Clock("the switch from summer time", _switch("America/New_York", to_summer=False), "America/New_York"),
}
EACH: Final = "each"
