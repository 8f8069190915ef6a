"""Results: a Markdown table and the same figures as JSON, under bench/results."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    return {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, and between which values the runs lay."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def goals(rows: Sequence[tuple[str, float, str, float]]) -> str:
    """Return a table of (what, measured, "≤" or "≥", bound)."""
    lines = []
    for what, measured, relation, bound in rows:
        met = measured <= bound if relation == "≤" else measured >= bound
        lines.append([what, f"{measured:.2f}", f"{relation} {bound:.3g}", "yes" if met else "no"])
    return table(["goal", "measured", "wanted", "met"], lines)


def write(name: str, text: str, figures: dict[str, Any]) -> None:
    """Print a result and keep it."""
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text.rstrip() + "\n")
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n")
