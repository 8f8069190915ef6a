"""Patterns in the apps file: `*` stands for any characters, or none."""

import re
from collections.abc import Sequence
from functools import lru_cache


def matches(text: str, patterns: Sequence[str]) -> bool:
    """Whether a text is one of the patterns."""
    return any(_compiled(pattern).fullmatch(text) for pattern in patterns)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
