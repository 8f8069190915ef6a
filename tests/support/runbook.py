"""The runbook's commands: what stands in the fenced blocks of docs/operations.md and the pages beside it."""

import re
from dataclasses import dataclass
from pathlib import Path

from leadwire import paths

DOCS = paths.CHECKOUT / "docs"
PAGES = (DOCS / "operations.md", *sorted((DOCS / "operations").glob("*.md")), DOCS / "capacity.md")
_FENCE = re.compile(r"^```(?P<words>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_DATA = frozenset({"json", "yaml", "sql", "text"})


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    words: tuple[str, ...]
    text: str

    @property
    def is_for_a_shell(self) -> bool:
        return not (self.words and self.words[0] in _DATA)

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks() -> list[Block]:
    """Return every block of the runbook, page by page."""
    return [block for page in PAGES for block in blocks_of(page, page.read_text())]


def blocks_of(page: Path, text: str) -> list[Block]:
    """Return the blocks of one page."""
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, tuple(found["words"].split()), found["text"])
        for found in _FENCE.finditer(text)
    ]
