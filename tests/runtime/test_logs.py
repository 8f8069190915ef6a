"""Logs: JSON, one object a line, traceable."""

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

PROGRAM = """
import logging, structlog
from runtime import logs

early = structlog.stdlib.get_logger("early")  # made at import time, before anything is configured
logs.configure("leads-api", {level!r})
log = structlog.stdlib.get_logger("leads.test")
{body}
"""


def lines(body: str, level: str = "INFO") -> list[dict[str, Any]]:
    """Return what a process logs that runs `body`."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body, level=level)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_says_who_and_when_and_what() -> None:
    [line] = lines("log.info('lead created', position=7)")

    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() is not None
    assert line == {
        "event": "lead created",
        "level": "info",
        "logger": "leads.test",
        "position": 7,
        "service": "leads-api",
    }


def test_the_correlation_id_is_on_every_line_of_its_request() -> None:
    inside, library, outside = lines(
        "with logs.bound_contextvars(correlation_id='r1'):\n"
        "    log.info('inside')\n"
        "    logging.getLogger('uvicorn.error').info('library')\n"
        "log.info('outside')"
    )

    assert (inside["correlation_id"], library["correlation_id"]) == ("r1", "r1")
    assert "correlation_id" not in outside


def test_line_breaks_quotes_and_objects_stay_on_one_line() -> None:
    nasty = 'a\nb\r\n{"level":"fake"}\u2028\x00'
    [line] = lines(f"log.info({nasty!r}, value={nasty!r}, thing=object())")

    assert (line["event"], line["value"]) == (nasty, nasty)
    assert line["level"] == "info"


def test_an_exception_is_part_of_its_line() -> None:
    structured, standard = lines(
        "try:\n"
        "    1 / 0\n"
        "except ZeroDivisionError:\n"
        "    log.exception('failed')\n"
        "    logging.getLogger('somebody').exception('failed %s', 'too')"
    )

    assert standard["event"] == "failed too"
    for line in (structured, standard):
        assert line["level"] == "error"
        assert line["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_local_variables_are_not_logged() -> None:
    [line] = lines(
        "def fail(email):\n"
        "    raise ValueError\n"
        "try:\n"
        "    fail('ada@' + 'example.org')\n"
        "except ValueError:\n"
        "    log.exception('failed')"
    )

    assert "ada@example.org" not in json.dumps(line)


def test_levels_and_access_logs_are_left_out() -> None:
    written = lines(
        "log.info('info')\nlog.warning('warning')\nearly.error('early')\n"
        "logging.getLogger('uvicorn.access').error('GET /?token=secret')",
        level="warning",
    )

    assert [line["event"] for line in written] == ["warning", "early"]
