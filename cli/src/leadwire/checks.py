"""`leadwire check` and `leadwire test`: the same on a laptop as in CI."""

import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final, NoReturn

from leadwire import paths, web
from leadwire.chromium import ensure_chromium
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
    """Get the web screen, the Node.js clients and a browser; what cannot be had is said, and its tests skip or fail."""
    _LOGS.mkdir(parents=True, exist_ok=True)
    clients = (web.install(project, _LOGS) for project in (_NODE_TESTS, _NODE_EXAMPLE))
    for needed in (web.build(_LOGS), *clients, ensure_chromium(_LOGS)):
        try:
            await needed
        except ProcessFailed as failure:
            complain(f"{failure}\nTests that need this cannot run.")


def become_pytest(arguments: list[str]) -> NoReturn:
    """Replace this process by pytest, so that its summary is the last thing seen.

    Without arguments, which is everything, two processes share the test files.
    """
    arguments = arguments or ["--numprocesses=2", "--dist=loadfile"]
    os.chdir(paths.CHECKOUT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *arguments])  # noqa: S606 - no shell is the point
