"""Looking at several dependencies at once, each for a bounded time: what does not answer is a finding."""

import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final, TypeAlias

from runtime.doctor.findings import Report

WITHIN: Final = 8.0  # seconds for everything that a process needs
_RUNBOOK: Final = "docs/operations/failures.md"

Part: TypeAlias = Callable[[Report], None]
"""Looks at one dependency, and reports what it finds. It may block."""


def examine(report: Report, parts: Mapping[str, Part], *, within: float = WITHIN) -> None:
    """Look at parts side by side, each in a thread of its own, and report what they find, in their order.

    A thread that does not end is left behind: a connection to a frozen server cannot be interrupted. It does not keep
    the process from ending.

    Args:
        report: where to.
        parts: what a finding calls it, such as `database` → what looks at it.
        within: seconds for all of them.
    """
    deadline = monotonic() + within
    looks = [_Look(name, report.process, part) for name, part in parts.items()]
    for look in looks:
        look.thread.start()
    for look in looks:
        look.thread.join(max(0.0, deadline - monotonic()))
        is_silent = look.thread.is_alive()
        report.findings += look.report.findings
        report.fingerprints |= look.report.fingerprints
        if is_silent:
            report.fail(look.name, f"no answer within {within:.0f} s", "docs/operations/failures.md")
        elif look.error is not None:
            report.fail(
                look.name, f"could not be looked at: {type(look.error).__name__}", "docs/operations/failures.md"
            )


class _Look:
    def __init__(self, name: str, process: str, part: Part) -> None:
        self.name = name
        self.report = Report(process)
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, args=(part,), name=f"doctor {name}", daemon=True)

    def _run(self, part: Part) -> None:
        try:
            part(self.report)
        except Exception as error:  # noqa: BLE001 - whatever a dependency raises is a finding
            self.error = error
