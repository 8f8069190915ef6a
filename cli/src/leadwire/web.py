"""Builds the web screen, only when its sources changed."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from leadwire import paths
from leadwire.node import ensure_node
from leadwire.progress import step
from leadwire.supervisor import run

DIST: Final = paths.WEB / "dist"
_SKIPPED: Final = {"node_modules", "dist"}
_STAMP: Final = ".leadwire"
"""In node_modules: the checksum of what was last done."""


async def build(logs: Path) -> None:
    """Bring web/dist up to date.

    Raises:
        ProcessFailed: npm or the build failed.
    """
    async with _exclusive():
        await install(paths.WEB, logs)
        stamp = paths.WEB / "node_modules" / f"{_STAMP}-build"
        sources = _checksum(_sources(paths.WEB))
        if _read(stamp) == sources and (DIST / "index.html").exists():
            return
        async with step("Web screen built"):
            node = await ensure_node(logs)
            await run(node.npm("web build", "run", "build"), logs / "web-build.log", cwd=paths.WEB)
        stamp.write_text(sources)


async def install(project: Path, logs: Path) -> None:
    """Install a project's npm packages as its lock file says.

    Raises:
        ProcessFailed: npm failed.
    """
    stamp = project / "node_modules" / f"{_STAMP}-install"
    wanted = _checksum([project / "package.json", project / "package-lock.json"])
    if _read(stamp) == wanted:
        return
    async with step(f"npm packages of {project.relative_to(paths.CHECKOUT)} installed"):
        node = await ensure_node(logs)
        name = f"npm-{project.name}"
        await run(node.npm(name, "ci", "--no-audit", "--no-fund"), logs / f"{name}.log", cwd=project)
    stamp.write_text(wanted)


@contextlib.asynccontextmanager
async def _exclusive() -> AsyncIterator[None]:
    """Let one process at a time build in this checkout. The system gives the lock back when its holder dies."""
    directory = os.open(paths.WEB, os.O_RDONLY)
    try:
        while not _locked(directory):  # noqa: ASYNC110 - the other is another process
            await asyncio.sleep(0.2)
        yield
    finally:
        os.close(directory)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sources(project: Path) -> list[Path]:
    top = (path for path in project.iterdir() if path.name not in _SKIPPED)
    return sorted(file for path in top for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def _checksum(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read(stamp: Path) -> str:
    return stamp.read_text() if stamp.exists() else ""
