"""Every numbered statement of the protocol's conformance list has a test that bears its number."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
STATEMENTS = set(range(1, 157))

NAME = re.compile(r"def test_((?:\d{3}_)+)")
PARAMETER = re.compile(r'id="(\d{3})\b')


def numbered() -> set[int]:
    sources = [path.read_text() for path in TESTS.rglob("test_*.py")]
    numbers = [number for source in sources for match in NAME.findall(source) for number in match.split("_") if number]
    numbers += [number for source in sources for number in PARAMETER.findall(source)]
    return {int(number) for number in numbers}


def test_every_statement_is_tested():
    assert numbered() == STATEMENTS
