"""Processes of a benchmark, and what they use."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil


class Child:
    """A process that talks by lines."""

    def __init__(self, *command: str, environment: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        errors = log.open("ab") if log else None
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **(environment or {})},
        )

    def read(self) -> str:
        line = self.process.stdout.readline()
        assert line, f"{self.process.args} ended"
        return line.decode().strip()

    def say(self, line: str) -> None:
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def cpu(self) -> float:
        """Return the seconds on a processor so far, all threads, children not counted."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def rss(self) -> int:
        """Return the bytes of resident memory."""
        return psutil.Process(self.process.pid).memory_info().rss

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Ask it to end; the impatient way after ten seconds."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
