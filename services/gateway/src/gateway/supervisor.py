"""Several workers on one port, kept alive by a parent that does nothing else.

The parent holds the listening socket, so that the port never refuses anybody while a worker is dead: the others take
its newcomers. Workers are forks, which share the memory of everything imported before.
"""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

FIRST_PAUSE: Final = 0.25  # seconds before the first restart; doubles with each
LONGEST_PAUSE: Final = 15.0
HEALTHY_AFTER: Final = 30.0  # seconds of life after which a death counts as the first
SIGNALS: Final = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_PR_SET_PDEATHSIG: Final = 1

Work = Callable[[int, int], int]
"""(worker's number from 1, how often it was started) → exit code."""

_log = structlog.stdlib.get_logger("gateway.supervisor")


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int | None = None
    starts: int = 0
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    """When it is to be started again."""


def supervise(count: int, work: Work) -> int:
    """Run workers until SIGTERM or SIGINT, which is passed on as SIGTERM; return 0 when all then ended well.

    SIGHUP is passed on too. A second signal hurries.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return _Supervisor(count, work).run()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


class _Supervisor:
    def __init__(self, count: int, work: Work) -> None:
        self._workers = [_Worker(number) for number in range(1, count + 1)]
        self._work = work
        self._ending = False
        self._code = 0

    def run(self) -> int:
        while True:
            if not self._ending:
                self._start_those_due()
            elif not any(worker.pid for worker in self._workers):
                return self._code
            received = signal.sigtimedwait(SIGNALS, self._patience())
            if received is None:
                continue
            match received.si_signo:
                case signal.SIGCHLD:
                    self._reap()
                case signal.SIGHUP:
                    self._pass_on(signal.SIGHUP)
                case _:
                    self._ending = True
                    self._pass_on(signal.SIGTERM)

    def _patience(self) -> float:
        """Return how many seconds there is nothing to do but wait for a signal."""
        due = [worker.due for worker in self._workers if worker.pid is None]
        return max(0.0, min(due) - time.monotonic()) if due and not self._ending else LONGEST_PAUSE

    def _start_those_due(self) -> None:
        for worker in self._workers:
            if worker.pid is None and worker.due <= time.monotonic():
                worker.starts += 1
                worker.started = time.monotonic()
                worker.pid = _fork(lambda worker=worker: self._work(worker.number, worker.starts))  # type: ignore[misc]

    def _reap(self) -> None:
        """Note every worker that has ended: one SIGCHLD may stand for several."""
        for worker in self._workers:
            if worker.pid is None:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                worker.pid = None
                self._on_end(worker, os.waitstatus_to_exitcode(status))

    def _on_end(self, worker: _Worker, code: int) -> None:
        """Say when it is to be started again; `code` is negative for a signal."""
        if self._ending:
            self._code = self._code or min(abs(code), 1)
            return
        now = time.monotonic()
        if now - worker.started > HEALTHY_AFTER:
            worker.pause = FIRST_PAUSE
        _log.error("worker ended", worker=worker.number, exit_code=code, restart_seconds=worker.pause)
        worker.due = now + worker.pause
        worker.pause = min(worker.pause * 2, LONGEST_PAUSE)

    def _pass_on(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                os.kill(worker.pid, number)


def _fork(work: Callable[[], int]) -> int:
    """Start a child and return its process id; in the child, never return."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        _die_with(parent)
        os.setpgid(0, 0)  # Ctrl-C in a terminal reaches the parent alone, which passes it on in order
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it can act on it; it reads the newest file anyway
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        code = work()
    except BaseException:  # noqa: BLE001 - whatever it is, it ends this process and nothing else
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    """Be killed when the parent dies: nobody would restart us, and the port would stay taken."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
