"""The browser for the tests: the system's Chromium if there is one, else one that can be had."""

import shutil
import sys
from pathlib import Path

from leadwire import apt
from leadwire.processes import Process
from leadwire.progress import step
from leadwire.supervisor import run

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Return the system's Chromium."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


async def ensure_chromium(logs: Path) -> None:
    """See to it that there is a Chromium for Playwright.

    Raises:
        ProcessFailed: there is none, and none can be installed.
    """
    if find_chromium() is not None:
        return
    if apt.may_install():
        await apt.install("Chromium", "chromium", log=logs / "chromium.log")
        return
    async with step("Chromium for Playwright there"):
        command = (sys.executable, "-m", "playwright", "install", "chromium")
        await run(Process(name="chromium", command=command), logs / "chromium.log")
