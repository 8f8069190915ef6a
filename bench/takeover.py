"""How long until another relay or notifier is active, for each fault of tests/faults/test_takeover.py.

Each test has a stack of its own, and fails when anything is lost, doubled or out of order, or when a standby takes more
than twice the promised 10 s. Seconds count from the fault until the standby says that it is active.

usage: .venv/bin/python bench/takeover.py
"""

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import report
from leadwire import paths

ROOT = Path(__file__).parents[1]
TESTS = "tests/faults/test_takeover.py"
PROMISE = 10.0  # seconds
COLUMNS = [(name, load) for name in ("relay", "notifier") for load in ("busy", "idle")]


def main() -> int:
    began, load = datetime.now(UTC), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as directory:
        results = Path(directory) / "results.xml"
        arguments = ["-m", "pytest", TESTS, "-m", "stress or not stress", f"--junitxml={results}"]
        exit_code = subprocess.run([sys.executable, *arguments], check=False, cwd=ROOT).returncode
        tell(results, began, f"{load:.1f} before, {os.getloadavg()[0]:.1f} after")
    return exit_code


def tell(results: Path, began: datetime, loads: str) -> None:
    """Write down what the tests recorded."""
    cases = ET.parse(results).iter("testcase")
    seconds = {case.attrib["name"].partition("[")[2].rstrip("]"): measured(case) for case in cases}
    versions = f"{version(paths.postgres_installation() / 'bin/postgres')}, {version(paths.NATS_SERVER)}"
    text = [
        f"{began:%Y-%m-%d}, {versions}; load of the machine {loads}, on {os.cpu_count()} processors.",
        "Seconds from the fault until the standby is active; busy: leads are created all the time, idle: one in 5 s.",
        "Then the fault ends, and every fact is on the stream and at the screens once, in the order of the log.\n",
        table(seconds),
    ]
    worst = max(float("inf") if value is None else value for value in seconds.values())
    goals = report.goals([("seconds of the slowest", worst, "≤", PROMISE)])
    report.write("takeover", "\n".join([*text, "", goals]), {"date": f"{began:%Y-%m-%d}", "seconds": seconds})


def measured(case: ET.Element) -> float | None:
    """Return the seconds of a test that passed."""
    if case.find("failure") is not None or case.find("error") is not None:
        return None
    [value] = [each.attrib["value"] for each in case.iter("property") if each.attrib["name"] == "seconds"]
    return float(value)


def table(seconds: dict[str, float | None]) -> str:
    rows: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for case, value in seconds.items():
        name, load, fault = case.split("-", 2)
        rows[fault][name, load] = "failed" if value is None else f"{value:.1f}"
    head = ["fault", *(f"{name}, {load}" for name, load in COLUMNS)]
    return report.table(
        head, [[fault, *(found.get(column, "–") for column in COLUMNS)] for fault, found in rows.items()]
    )


def version(program: Path) -> str:
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
