"""Keeps processes alive: restarts what dies, stops them in order."""

import asyncio
import contextlib
import os
import shutil
import socket
import time
from asyncio.subprocess import Process as Child
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from leadwire.processes import Process, last_lines
from leadwire.progress import say
from leadwire.state import Running
from leadwire.topology import ORDER

SHOWN_LINES: Final = 15
"""How much of a log is shown when its process fails."""
FIRST_PAUSE: Final = 0.25  # seconds before the first restart; doubles with each
LONGEST_PAUSE: Final = 15.0
HEALTHY_AFTER: Final = 30.0  # seconds of life after which a death counts as the first
START_TIMEOUT: Final = 60.0
STOP_TIMEOUT: Final = 15.0
LOG_LIMIT: Final = 8 * 1024 * 1024
"""Bytes; a longer log is moved to `<name>.log.1`, replacing the one before."""
_LOOK: Final = 0.05  # seconds between looks whether a process is ready
_LOG_LOOK: Final = 10.0

IsReady = Callable[[], Awaitable[bool]]


class ProcessFailed(Exception):
    """A process ended, or did not become ready; the message holds the end of its log."""

    def __init__(self, what: str, log: Path) -> None:
        lines = last_lines(log, SHOWN_LINES)
        super().__init__("\n".join([what, *(f"    {line}" for line in lines), f"  all of it: {log}"]))


class Keeper:
    """One process that is to stay alive."""

    def __init__(self, process: Process, log: Path, changed: Callable[[], None]) -> None:
        self.process = process
        self.log = log
        self._changed = changed
        self._child: Child | None = None
        self._listener: socket.socket | None = None
        self._started = 0.0  # seconds since the epoch
        self._restarts = 0
        self._life: asyncio.Task[None] | None = None

    def show(self) -> Running:
        """Return what other commands may know."""
        return Running(
            name=self.process.name,
            pid=None if self._child is None else self._child.pid,
            started=self._started,
            restarts=self._restarts,
            health=self.process.health,
            host=self.process.host,
            port=self.process.port,
        )

    async def start(self, is_ready: IsReady) -> None:
        """Start the process, wait until it is ready, and keep it alive from then on.

        Raises:
            ProcessFailed: it ended, or was not ready in time.
            OSError: its port is taken.
        """
        self._listener = self.process.listen()
        child = await self._spawn()
        deadline = time.monotonic() + START_TIMEOUT
        self._life = asyncio.create_task(self._live(child))
        while not await is_ready():
            if self._restarts or child.returncode is not None:
                raise ProcessFailed(f"{self.process.name} ended with exit code {child.returncode}", self.log)
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.process.name} was not ready within {START_TIMEOUT:.0f} s", self.log)
            await asyncio.sleep(_LOOK)

    def restart(self) -> None:
        """Ask the process to stop; it is started again."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(self.process.stop_signal)

    async def stop(self) -> None:
        """Ask the process to stop; kill it when it does not within the grace. Then nobody holds its port any more."""
        try:
            await self._stop()
        finally:
            if self._listener is not None:
                self._listener.close()

    async def _stop(self) -> None:
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        if self._child is None or self._child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(self.process.stop_signal)
        try:
            await asyncio.wait_for(self._child.wait(), STOP_TIMEOUT)
        except TimeoutError:
            say(f"  {self.process.name} did not stop within {STOP_TIMEOUT:.0f} s: killed")
            self._child.kill()
            await self._child.wait()

    async def _live(self, child: Child) -> None:
        pause = FIRST_PAUSE
        while True:
            code = await child.wait()
            if time.time() - self._started > HEALTHY_AFTER:
                pause = FIRST_PAUSE
            self._child = None
            self._restarts += 1
            self._changed()
            _report(ProcessFailed(f"{self.process.name} ended with exit code {code}", self.log), pause)
            child = await self._respawn(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _respawn(self, pause: float) -> Child:
        """Start the process again after a pause of seconds, as often as that takes: a full disk may forbid it."""
        while True:
            await asyncio.sleep(pause)
            try:
                return await self._spawn()
            except OSError as error:
                say(f"{self.process.name} cannot be started: {error.strerror or error}")
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _spawn(self) -> Child:
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self.process.arguments(self._listener),
                **self.process.options(self._listener),
                stdout=log,
                stderr=log,
            )
        self._started = time.time()
        self._changed()
        return self._child


class Supervisor:
    """All processes of a stack."""

    def __init__(self, logs: Path, changed: Callable[[list[Running]], None]) -> None:
        self._logs = logs
        self._changed = changed
        self._keepers: list[Keeper] = []
        self._untold = False

    async def start(self, process: Process, is_ready: IsReady) -> None:
        """Start one more process; see `Keeper.start`."""
        log = self._logs / f"{process.name}.log"
        _shorten(log)
        keeper = Keeper(process, log, self._tell)
        self._keepers.append(keeper)
        await keeper.start(is_ready)

    async def stop(self) -> None:
        """Stop everything in the opposite order of `ORDER`."""
        for keeper in sorted(self._keepers, key=_position, reverse=True):
            await keeper.stop()

    async def bound_logs(self) -> None:
        """Keep every log within its limit, for ever, and tell what could not be told when something changed."""
        while True:
            await asyncio.sleep(_LOG_LOOK)
            for keeper in self._keepers:
                _shorten(keeper.log)
            if self._untold:
                self._tell()

    def restart(self, name: str) -> None:
        """Restart a process."""
        for keeper in self._keepers:
            if keeper.process.name == name:
                keeper.restart()

    def _tell(self) -> None:
        """Let others know. That they cannot, because the disk is full, must keep no process from being restarted."""
        try:
            self._changed([keeper.show() for keeper in sorted(self._keepers, key=_position)])
        except OSError as error:
            if not self._untold:
                say(f"What runs cannot be written down: {error.strerror or error}")
            self._untold = True
        else:
            self._untold = False


def _position(keeper: Keeper) -> int:
    return ORDER.index(keeper.process.name)


def _report(failure: ProcessFailed, pause: float) -> None:
    say(f"{time.strftime('%H:%M:%S')} {failure}\n  started again in {pause:g} s")


def _shorten(log: Path) -> None:
    """Copy a log that has become too long, and empty it: its process goes on appending to the same file."""
    try:
        if log.stat().st_size <= LOG_LIMIT:
            return
    except FileNotFoundError:
        return
    older = log.with_name(f"{log.name}.1")
    try:
        shutil.copyfile(log, older)
    except OSError:  # the disk is full: no copy is better than a longer log
        older.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.truncate(log, 0)


async def run(process: Process, log: Path, *, stdin: str = "", cwd: Path | None = None) -> str:
    """Run a program that ends by itself and return its standard output; its log is what it says beside.

    When we are cancelled the program and what it started are stopped.

    Raises:
        ProcessFailed: its exit code is not 0.
    """
    options = process.options() | {"stdin": asyncio.subprocess.PIPE, "cwd": cwd}
    with log.open("wb") as stream:
        child = await asyncio.create_subprocess_exec(
            *process.command, **options, stdout=asyncio.subprocess.PIPE, stderr=stream
        )
    try:
        output, _ = await child.communicate(stdin.encode())
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, process.stop_signal)
        await child.wait()
        raise
    if child.returncode != 0:
        with log.open("ab") as stream:
            stream.write(output)
        raise ProcessFailed(f"{process.name} failed with exit code {child.returncode}", log)
    return output.decode()
