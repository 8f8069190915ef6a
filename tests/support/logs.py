"""Which log files belong to a failure."""

import re
import shutil
from pathlib import Path

from leadwire import paths
from leadwire.processes import last_lines

KEPT = paths.CHECKOUT / ".leadwire/test-logs"
_shown: list[Path] = []


def show_with_failures(log: Path) -> None:
    """Attach the end of this file to every failure from now on."""
    _shown.append(log)


def forget(log: Path) -> None:
    """Stop attaching it."""
    _shown.remove(log)


def sections(test: str) -> list[tuple[str, str]]:
    """Return (title, text) of every log that has something to say, and keep them all in full."""
    ends = {log: last_lines(log, 40) for log in _shown}
    speaking = [log for log, lines in ends.items() if lines]
    if not speaking:
        return []
    directory = KEPT / re.sub(r"[^\w.-]+", "_", test)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for number, log in enumerate(speaking):
        shutil.copyfile(log, directory / f"{number}-{log.name}")
    return [
        *((f"End of {log.name}", "\n".join(line[:400] for line in ends[log])) for log in speaking),
        ("All of these logs", str(directory)),
    ]
