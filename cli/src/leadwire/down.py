"""`leadwire down`: stops the stack, whether its supervisor lives or was killed."""

import asyncio
import contextlib
import os
import signal
import time
from typing import Final

from leadwire.progress import complain, say, step
from leadwire.state import AlreadyRunning, StateDirectory
from leadwire.up import stop_leftovers

_TIMEOUT: Final = 90.0  # seconds; every process may take its grace
_LOOK: Final = 0.05


async def down(state: StateDirectory) -> int:
    """Stop everything and return the exit code."""
    if not state.path.exists():
        say("Leadwire is not running.")
        return 0
    try:
        with state.locked():  # nobody starts it meanwhile
            if not stop_leftovers(state):
                say("Leadwire is not running.")
            state.forget_snapshot()
    except AlreadyRunning:
        async with step("Stopped"):
            return await _stop_supervisor(state)
    return 0


async def _stop_supervisor(state: StateDirectory) -> int:
    supervisor = state.supervisor()
    if supervisor is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + _TIMEOUT
    while state.supervisor() is not None:
        if time.monotonic() > deadline:
            complain(f"Process {supervisor} did not stop within {_TIMEOUT:.0f} s.")
            return 1
        await asyncio.sleep(_LOOK)
    return 0
