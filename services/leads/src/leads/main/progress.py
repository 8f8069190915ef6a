"""How far a long command is: lines for a person at a terminal, log lines else."""

import sys
from time import monotonic
from typing import Final

import structlog

_EACH: Final = {True: 1.0, False: 10.0}  # seconds between two lines, at a terminal and elsewhere
_log = structlog.stdlib.get_logger("leads.progress")


class Progress:
    """Says how far it is, as often as is good to read."""

    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._is_person = sys.stderr.isatty()
        self._next = 0.0
        self._began: tuple[float, int] | None = None

    def show(self, done: int, total: int) -> None:
        """Say it, unless that was just done."""
        now = monotonic()
        if self._began is None:
            self._began = now, done
        if now >= self._next:
            self._next = now + _EACH[self._is_person]
            self._say(done, total, now)

    def note(self, text: str) -> None:
        """Say something else."""
        if self._is_person:
            print(f"{self._what}: {text}", file=sys.stderr)  # noqa: T201 - to a person
        else:
            _log.info(text, task=self._what)

    def _say(self, done: int, total: int, now: float) -> None:
        assert self._began is not None
        began, before = self._began
        rate = (done - before) / (now - began) if now > began else 0.0
        if not self._is_person:
            _log.info("progress", task=self._what, done=done, total=total, per_second=round(rate))
            return
        share = f"{done * 100 // total} %" if total else "-"
        left = f", {(total - done) / rate:,.0f} s left" if rate else ""
        line = f"{self._what}: {done:,} of {total:,} {self._unit} ({share}), {rate:,.0f}/s{left}"
        print(line, file=sys.stderr)  # noqa: T201 - to a person
