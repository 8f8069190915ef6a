"""Whether logs hold personal data."""

import re
from collections.abc import Iterable
from pathlib import Path

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def findings(logs: Iterable[Path], words: Iterable[str] = ()) -> list[str]:
    """Return the lines that hold an e-mail address, or one of some words, each with its file; not more than ten."""
    sought = re.compile("|".join([_EMAIL.pattern, *(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)]))
    found = [
        f"{log.name}: {match[0]!r} in {line[:300]}"
        for log in logs
        for line in log.read_text(errors="replace").splitlines()
        if (match := sought.search(_readable(line))) is not None
    ]
    return found[:10]


def _readable(line: str) -> str:
    """Return a line with what JSON has escaped as it was."""
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), line)
