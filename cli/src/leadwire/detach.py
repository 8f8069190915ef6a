"""Going into the background when everything is ready, and not before."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn


def detached(action: Callable[[Callable[[], None]], int], log: Path) -> int:
    """Run `action(ready)` in a session of its own; return 0 when it calls `ready`, else the exit code it ends with.

    Until then it writes to our terminal and our Ctrl-C reaches it; afterwards it writes to the log.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _run(action, write, log)
    os.close(write)

    def stop_child(_number: int, _frame: FrameType | None) -> None:
        os.kill(child, signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_child)
    if os.read(read, 1):
        return 0
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run(action: Callable[[Callable[[], None]], int], write: int, log: Path) -> NoReturn:
    os.setsid()

    def ready() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        with log.open("ab") as stream, Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        with contextlib.suppress(BrokenPipeError):  # nobody waits any more
            os.write(write, b".")
        os.close(write)

    code = 1
    try:
        code = action(ready)
    finally:
        with contextlib.suppress(OSError):  # the log's disk is full
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
