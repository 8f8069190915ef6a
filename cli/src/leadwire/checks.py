"""`leadwire check` and `leadwire test`: the same on a laptop as in CI."""

import os
import subprocess
import sys
import sysconfig
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from leadwire import apt, moved_clock, paths, web
from leadwire.chromium import ensure_chromium
from leadwire.clocks import CLOCKS
from leadwire.processes import last_lines
from leadwire.progress import complain, say
from leadwire.supervisor import ProcessFailed

_SCRIPTS: Final = Path(sysconfig.get_path("scripts"))
_CHECKS: Final = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "mypy examples": ("mypy", "examples/consumer.py", "examples/replay.py"),
    "import-linter": ("lint-imports", "--no-cache"),
}
_NODE_TESTS: Final = paths.CHECKOUT / "tests/node"
_NODE_EXAMPLE: Final = paths.CHECKOUT / "examples/node"
_LOGS: Final = paths.CHECKOUT / ".leadwire/logs"


def check() -> int:
    """Run every check, whatever the others say, and return the exit code."""
    failed = []
    for name, (program, *arguments) in _CHECKS.items():
        started = time.monotonic()
        say(f"── {name}")
        code = subprocess.run([_SCRIPTS / program, *arguments], cwd=paths.CHECKOUT, check=False).returncode
        say(f"── {name}: {'ok' if code == 0 else 'FAILED'} in {time.monotonic() - started:.1f} s\n")
        if code != 0:
            failed.append(name)
    say(f"Failed: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


async def prepare_tests() -> None:
    """Get the web screen, Node.js clients, a browser, a compiler; what cannot be had is said, and its tests fail."""
    _LOGS.mkdir(parents=True, exist_ok=True)
    clients = (web.install(project, _LOGS) for project in (_NODE_TESTS, _NODE_EXAMPLE))
    for needed in (web.build(_LOGS), *clients, ensure_chromium(_LOGS), _ensure_compiler()):
        try:
            await needed
        except ProcessFailed as failure:
            complain(f"{failure}\nTests that need this cannot run.")


async def _ensure_compiler() -> None:
    if not moved_clock.is_possible() and apt.may_install():
        await apt.install("C compiler", *moved_clock.PACKAGES, log=_LOGS / "compiler.log")


def become_pytest(arguments: list[str], clock: str | None) -> NoReturn:
    """Replace this process by pytest, so that its summary is the last thing seen.

    Without arguments, which is everything, two processes share the test files.

    Raises:
        NoMovedClock: a clock is asked for, and cannot be had.
    """
    environment = {**os.environ, **({} if clock is None else _moved(clock))}
    os.chdir(paths.CHECKOUT)
    sys.stdout.flush()
    os.execve(sys.executable, _pytest(arguments), environment)  # noqa: S606 - no shell is the point


def pytest_by_each_clock(arguments: list[str]) -> int:
    """Run pytest once by each clock, with a log of its own, and return the exit code: 0 when all of them passed.

    Raises:
        NoMovedClock: see there.
    """
    codes = {name: _test_by(name, arguments) for name in CLOCKS}
    for name, (code, last) in codes.items():
        say(f"{'passed' if code == 0 else 'FAILED'}  {name:8}  {last}")
    return int(any(code for code, _ in codes.values()))


def _test_by(name: str, arguments: list[str]) -> tuple[int, str]:
    """Return the exit code and the last line, which is pytest's summary."""
    log = _LOGS / f"clock-{name}.log"
    say(f"── {name}: {CLOCKS[name].what}, {log}")
    with log.open("wb") as stream:
        code = subprocess.run(
            _pytest(arguments),
            cwd=paths.CHECKOUT,
            env={**os.environ, **_moved(name)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    lines = last_lines(log, 1)
    return code, lines[0].strip("= ") if lines else ""


def _moved(clock: str) -> dict[str, str]:
    moved = CLOCKS[clock]
    return moved_clock.environment(moved.offset(datetime.now(UTC)), moved.zone)


def _pytest(arguments: list[str]) -> list[str]:
    return [sys.executable, "-P", "-m", "pytest", *(arguments or ["--numprocesses=2", "--dist=loadfile"])]
