"""`leadwire backup` and what `leadwire restore` has in common with it: the scripts that run in containers, too."""

import asyncio
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from leadwire import paths, postgres, running
from leadwire.progress import complain, say
from leadwire.state import StateDirectory
from leadwire.status import NOT_RUNNING

_SIGN_OF_LIFE: Final = 5.0  # seconds


async def backup(state: StateDirectory, directory: Path) -> int:
    """Back both databases of the running stack up, and return the exit code."""
    snapshot = state.snapshot()
    if state.supervisor() is None or snapshot is None:
        complain("Leadwire is not running: ./leadwire up")
        return NOT_RUNNING
    address = running.topology(state, snapshot).superuser_url
    return await run("backup.sh", address, directory, watched=directory.with_name(f"{directory.name}.part"))


async def run(script: str, superuser_url: str, directory: Path, *options: str, watched: Path | None = None) -> int:
    """Run a script of deploy/postgres with PostgreSQL's programs, and return its exit code.

    Args:
        script: its name.
        superuser_url: the address of the server.
        directory: of the backup.
        options: whatever else it is told.
        watched: a folder whose size says how far it is.
    """
    child = await asyncio.create_subprocess_exec(
        "sh",
        str(paths.CHECKOUT / "deploy/postgres" / script),
        str(directory),
        *options,
        env=_environment(superuser_url),
        stdin=asyncio.subprocess.DEVNULL,
    )
    while True:
        try:
            return await asyncio.wait_for(child.wait(), _SIGN_OF_LIFE)
        except TimeoutError:
            say("  …" if watched is None else f"  … {_size(watched) / 1e6:,.0f} MB written")
        except asyncio.CancelledError:
            child.terminate()
            await child.wait()
            raise


def _environment(superuser_url: str) -> Mapping[str, str]:
    programs = paths.postgres_installation() / "bin"
    return {
        **postgres.libpq_environment(superuser_url),
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "LEADWIRE_VERSION": version("leadwire"),
    }


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.glob("*.dump"))
