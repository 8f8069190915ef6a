"""The moved clock reaches every kind of process, and begins where it says."""

import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from leadwire import moved_clock, paths
from leadwire.chromium import find_chromium
from leadwire.clocks import CLOCKS, Clock
from support.waiting import until_sync

pytestmark = pytest.mark.clock

AHEAD = 40 * 86_400
LOOKS = re.compile(r"datetime\.now\(|\btime\.time\(|time_ns\(|tokens\.issue\(")
LEFT_OUT = {
    "gateway/test_prepared_sockets.py": "takes a minute",
    "gateway/test_webhooks.py": "takes minutes",
    "leads/test_access_matrix.py": "takes a minute",
    "leads/test_jobs.py": "takes a minute",
    "leads/test_schema.py": "takes minutes",
}
"""Files that look at the time, and are run by a moved clock only by hand, with the whole suite."""
PAGE = "data:text/html,<script>document.write(Date.now() / 1000)</script>"
PYTHON = """
import time
begun = time.monotonic()
time.sleep(0.05)  # what is tested: that a sleep takes as long as it says, by the clock that is not moved
assert 0.05 <= time.monotonic() - begun < 60
print(time.time())
"""
EVERY_CALL = """
import datetime, multiprocessing, time
print(min(time.time(), time.clock_gettime(0), datetime.datetime.now().timestamp(), time.mktime(time.localtime()) + 1))
assert not multiprocessing.get_context("spawn").Semaphore(0).acquire(timeout=0.05)
"""


def output(*command: str) -> str:
    environment = {**os.environ, **moved_clock.environment(AHEAD)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((sys.executable, "-c", PYTHON), id="python"),
        pytest.param((sys.executable, "-c", EVERY_CALL), id="each way of python"),
        pytest.param(("node", "-e", "console.log(Date.now() / 1000)"), id="node"),
        pytest.param((find_chromium() or "chromium", "--headless", "--no-sandbox", "--dump-dom", PAGE), id="chromium"),
        pytest.param(("date", "+%s"), id="shell"),
    ],
)
def test_a_process_that_uses_the_c_library_is_reached(command: tuple[str, ...]) -> None:
    begun = time.time()
    found = re.search(r"[0-9]{10}(\.[0-9]+)?", output(*command))

    assert found is not None
    assert begun + AHEAD - 2 < float(found[0]) < time.time() + AHEAD + 2


def test_a_static_program_is_reached(tmp_path: Path) -> None:
    begun = datetime.now(UTC)
    log = tmp_path / "nats.log"
    command = (sys.executable, "-P", "-m", "leadwire.vdso", str(AHEAD), str(paths.NATS_SERVER), "-p", "-1", "-l", log)
    with subprocess.Popen(command) as server:
        until_sync(lambda: server.poll() is not None or (log.exists() and "Server is ready" in log.read_text()))
        assert server.poll() is None
        text = log.read_text()
        assert Path(f"/proc/{server.pid}/exe").samefile(paths.NATS_SERVER)
        assert not Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        server.terminate()

    said = re.search(r"\] ([0-9/]+ [0-9:]+)\.", text)
    assert said is not None
    local = datetime.strptime(said[1], "%Y/%m/%d %H:%M:%S").astimezone()
    assert begun + timedelta(seconds=AHEAD - 2) < local < datetime.now(UTC) + timedelta(seconds=AHEAD + 2)


def test_a_program_that_cannot_be_had_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "leadwire.vdso", "1", "/no/such/program"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "No such file" in done.stderr


@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS.keys())
@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 12, 1, 3, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 55, tzinfo=UTC),
        datetime(2027, 3, 28, 0, 59, 30, tzinfo=UTC),
        datetime(2027, 11, 7, 5, 59, 30, tzinfo=UTC),
        datetime(2028, 2, 29, 23, tzinfo=UTC),
    ],
    ids=str,
)
def test_a_clock_begins_ahead_of_now(clock: Clock, now: datetime) -> None:
    begins = clock.begins(now)

    assert now < begins < now + timedelta(days=9 * 366)
    assert timedelta(seconds=clock.offset(now)) == begins - now


def test_the_clocks_begin_at_what_they_are_called() -> None:
    now = datetime(2026, 12, 1, 3, 0, 0, tzinfo=UTC)
    begins = {name: clock.begins(now).astimezone(ZoneInfo(clock.zone)) for name, clock in CLOCKS.items()}

    assert f"{begins['+40d']:%Y-%m-%d %H:%M}" == "2027-01-10 03:00"
    assert f"{begins['new-year']:%Y-%m-%d %H:%M}" == "2026-12-31 23:50"
    assert f"{begins['leap-day']:%Y-%m-%d}" == "2028-02-29"
    for name, hours in (("spring", 1), ("autumn", -1)):
        crossed = begins[name].astimezone(UTC) + timedelta(minutes=2)
        local = crossed.astimezone(ZoneInfo(CLOCKS[name].zone))
        assert local.utcoffset() == (begins[name].utcoffset() or timedelta()) + timedelta(hours=hours)


def test_whoever_looks_at_the_time_is_run_by_a_moved_clock() -> None:
    tests = paths.CHECKOUT / "tests"
    texts = {str(file.relative_to(tests)): file.read_text() for file in tests.glob("*/test_*.py")}

    looking = {name for name, text in texts.items() if LOOKS.search(text) or "RealClock" in text}
    marked = {name for name, text in texts.items() if "pytest.mark.clock" in text}
    assert looking - marked == LEFT_OUT.keys()


def test_a_clock_that_nobody_knows_is_refused() -> None:
    done = subprocess.run(
        [paths.CHECKOUT / "leadwire", "test", "--clock", "noon"], capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "noon" in done.stderr
