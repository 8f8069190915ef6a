"""Debian packages that only the tests need."""

import os
import shutil
from pathlib import Path

from leadwire.processes import Process
from leadwire.progress import step
from leadwire.supervisor import run


def may_install() -> bool:
    """Whether packages can be installed here, and we may."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


async def install(name: str, *packages: str, log: Path) -> None:
    """Install packages; `name` is what they are called in messages.

    Raises:
        ProcessFailed: apt-get failed.
    """
    async with step(f"{name} installed"):
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (("update", "-qq"), ("install", "-qq", "-y", "--no-install-recommends", *packages)):
            await run(Process(name=name, command=("apt-get", *arguments), environment=environment), log)
