"""`leadwire restore`: both databases from a backup, then migrated, then the streams filled again from the log."""

import asyncio
import json
from pathlib import Path
from typing import Final

from leadwire import paths
from leadwire.progress import complain, say
from leadwire.state import AlreadyRunning, StateDirectory
from leadwire.up import Options, prepared

_NOT_SERVED: Final = Options(
    host="127.0.0.1", gateway_port=0, leads_port=0, notifier_port=0, web=False, demo=False, fresh=False
)


async def restore(state: StateDirectory, directory: Path, *, replace: bool) -> int:
    """Restore into the stack of a state directory, which must not run; return the exit code.

    Raises:
        ProcessFailed, PostgresFailed: a step failed; everything is stopped again.
    """
    if reason := _unusable(directory):
        complain(reason)
        return 1
    state.create()
    try:
        with state.locked(), prepared(state, _NOT_SERVED) as stack:
            try:
                code = await stack.restore(directory, over_data=replace)
            finally:
                await asyncio.shield(stack.stop())
    except AlreadyRunning:
        complain("Leadwire is running: ./leadwire down")
        return 1
    if code == 0:
        say("Restored. ./leadwire up starts it; apps.json and passwords are those of this state directory.")
    return code


def _unusable(directory: Path) -> str:
    """Return why this release cannot use a backup; empty when it can."""
    try:
        manifest = json.loads((directory / "manifest.json").read_bytes())
        revisions = {name: str(manifest[name]["revision"]) for name in ("leads", "notifier")}
    except (OSError, ValueError, KeyError, TypeError):
        return f"{directory} holds no backup"
    for service, revision in revisions.items():
        known = paths.CHECKOUT / f"services/{service}/src/{service}/migrations/versions"
        if not (revision.isalnum() and any(known.glob(f"{revision}_*.py"))):
            return f"A newer release made this backup: {service} is at revision {revision}, which is unknown here"
    return ""
