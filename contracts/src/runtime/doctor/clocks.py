"""Whether a server's clock and ours agree."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runtime.doctor.findings import Report

_WARN: Final = 1.0  # seconds
_FAIL: Final = 30.0
_FIX: Final = "let one time service set the clocks of all machines: `timedatectl status`, `chronyc tracking`"


@dataclass(frozen=True, slots=True)
class Reading:
    """A server's time, and ours before and after we asked."""

    before: datetime
    theirs: datetime
    after: datetime

    @property
    def skew(self) -> float:
        """Seconds by which theirs is ahead at least; what the way took may be their excuse."""
        middle = self.before + (self.after - self.before) / 2
        ahead = (self.theirs - middle).total_seconds()
        excuse = (self.after - self.before).total_seconds() / 2
        return max(0.0, ahead - excuse) if ahead > 0 else min(0.0, ahead + excuse)


def examine(report: Report, server: str, reading: Reading) -> None:
    """Report whether a server's clock is ours."""
    skew = reading.skew
    what = f"{server}'s clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} ours"
    if abs(skew) >= _FAIL:
        report.fail("clock", f"{what}: access tokens and deadlines are judged wrongly", _FIX)
    elif abs(skew) >= _WARN:
        report.warn("clock", what, _FIX)
    else:
        report.fine("clock", f"{server}'s agrees with ours to the second")
