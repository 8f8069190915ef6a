"""`leadwire logs`: what the processes say, of one or of all."""

import contextlib
import signal
import time
from pathlib import Path
from typing import Final

from leadwire.processes import last_lines
from leadwire.progress import complain, say
from leadwire.state import StateDirectory

_LOOK: Final = 0.3  # seconds between looks for new lines
_WINDOW: Final = 1024 * 1024
"""Bytes of the end of a log that are looked at."""


def show(state: StateDirectory, name: str | None, lines: int, *, follow: bool) -> int:
    """Print the last lines and, when following, what comes; return the exit code."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `./leadwire logs | head` ends when head does
    logs = sorted(state.logs.glob("*.log")) if state.logs.exists() else []
    if name is not None:
        known = ", ".join(log.stem for log in logs) or "none yet"
        logs = [log for log in logs if log.stem == name]
        if not logs:
            complain(f"There is no log of {name}. There are: {known}")
            return 1
    sizes = {log: log.stat().st_size for log in logs}
    for log in logs:
        for line in last_lines(log, lines, window=_WINDOW):
            _print(log, line, named=name is None)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            _follow(sizes, named=name is None)
    return 0


def _follow(read: dict[Path, int], *, named: bool) -> None:
    while True:
        time.sleep(_LOOK)
        for log, position in read.items():
            size = log.stat().st_size
            start = 0 if size < position else position  # it was emptied
            if size > start:
                with log.open("rb") as stream:
                    stream.seek(start)
                    new = stream.read(size - start)
                complete = new[: new.rfind(b"\n") + 1]
                for line in complete.decode(errors="replace").splitlines():
                    _print(log, line, named=named)
                read[log] = start + len(complete)
            elif size < position:
                read[log] = 0


def _print(log: Path, line: str, *, named: bool) -> None:
    say(f"{log.stem:<10} | {line}" if named else line)
