"""Every numbered statement of the protocol's conformance list has a test that bears its number, or a reason why not."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "gateway.md"
STATEMENTS = set(range(1, 157))

NAME = re.compile(r"def test_((?:\d{3}_)+)")
PARAMETER = re.compile(r'id="(\d{3})\b')
REASON = re.compile(r"^\| (\d{1,3}) \| .{20,} \|$", re.MULTILINE)


def numbered() -> set[int]:
    sources = [path.read_text() for path in TESTS.rglob("test_*.py")]
    numbers = [number for source in sources for match in NAME.findall(source) for number in match.split("_") if number]
    numbers += [number for source in sources for number in PARAMETER.findall(source)]
    return {int(number) for number in numbers}


def explained() -> set[int]:
    section = PAGE.read_text().partition("## Statements without a test")[2].partition("\n## ")[0]
    return {int(number) for number in REASON.findall(section)}


def test_every_statement_is_tested_or_explained():
    assert STATEMENTS - numbered() - explained() == set()


def test_nothing_that_is_tested_is_explained_away():
    assert numbered() & explained() == set()
