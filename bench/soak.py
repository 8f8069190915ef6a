"""Whether memory stays flat while clients come and go.

Two replicas, so that presence crosses between them. A process of churning clients (see churn.py) connects, subscribes
public, private and presence channels, sends client events, and disconnects, half of the time without a word; backends
publish meanwhile. The resident memory of both gateways is sampled every second. The first third is left to warm up;
over the rest a line is fitted (Theil and Sen: the median of all slopes), and the exit code is 1 when it rises by more
than 3 % and 1 MiB, or when a gateway does not come back to no connection at the end.

usage: .venv/bin/python bench/soak.py [--minutes 15] [--clients 600]
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import uvloop

import report
from children import Child
from servers import Gateway, Nats

BENCH = Path(__file__).parent
RATE = 40  # events a second from backends
WARM_UP = 1 / 3
GROWTH = 0.03
GROWTH_BYTES = 1 << 20
SLOPES = 300  # samples that the line is fitted to
SETTLE = 10  # seconds for the last connections to be noticed
COLOURS = ("#1f77b4", "#d62728")


async def soak(seconds: float, clients: int) -> dict:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as children:
        nats = Nats(children, Path(name))
        await nats.start()
        gateways = [Gateway(children, Path(name), nats, drain_seconds="0") for _ in range(2)]
        for gateway in gateways:
            await gateway.start()
        ports = [str(gateway.port) for gateway in gateways]
        churn = Child(sys.executable, str(BENCH / "churn.py"), str(clients), *ports)
        children.callback(churn.kill)
        publisher = gateways[0].publisher()
        await publisher.open()
        began, samples = time.monotonic(), []
        channels = itertools.cycle([f"news-{number}" for number in range(200)] + [f"presence-{n}" for n in range(20)])
        while (elapsed := time.monotonic() - began) < seconds:
            samples.append([elapsed, *(gateway.process.rss() for gateway in gateways)])
            await publisher.publish([next(channels) for _ in range(RATE)])
            await asyncio.sleep(1)
        churn.say("stop")
        counts = json.loads(await asyncio.to_thread(churn.read))
        await publisher.close()
        await asyncio.sleep(SETTLE)
        left = [metric(gateway.admin_port, "gateway_connections") for gateway in gateways]
        cpu = [gateway.process.cpu() for gateway in gateways]
    return {"samples": samples, "counts": counts, "left": left, "cpu": cpu}


def metric(port: int, name: str) -> float:
    """Return the sum of a metric's values."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition(" ")[0].partition("{")[0] == name)


def growth(samples: list[list[float]], column: int) -> tuple[float, float]:
    """Return (bytes at the end of the warm-up, bytes by which the fitted line rises from there to the end)."""
    kept = [sample for sample in samples if sample[0] >= samples[-1][0] * WARM_UP]
    points = [(sample[0], sample[column]) for sample in kept[:: max(1, len(kept) // SLOPES)]]
    slope = statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(points, 2))
    return statistics.median(value for _, value in points[: len(points) // 10 + 1]), slope * (
        points[-1][0] - points[0][0]
    )


def graph(samples: list[list[float]]) -> str:
    """Return the memory over time as SVG."""
    width, height, left, low = 860, 320, 60, 290
    last, top = samples[-1][0], max(max(sample[1:]) for sample in samples) / 2**20 * 1.15

    def place(seconds: float, mebibytes: float) -> str:
        return f"{left + seconds / last * (width - left - 20):.1f},{low - mebibytes / top * (low - 20):.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"',
        ' font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for mark in range(0, int(top) + 1, max(10, int(top / 6) // 10 * 10)):
        x, y = place(0, mark).split(",")
        lines.append(f'<line x1="{x}" y1="{y}" x2="{width - 20}" y2="{y}" stroke="#ddd"/>')
        lines.append(f'<text x="{left - 8}" y="{y}" text-anchor="end">{mark}</text>')
    for part in range(6):
        x, y = place(last * part / 5, 0).split(",")
        lines.append(f'<text x="{x}" y="{float(y) + 18}" text-anchor="middle">{last * part / 5 / 60:.1f} min</text>')
    for column, colour in enumerate(COLOURS, 1):
        points = " ".join(place(sample[0], sample[column] / 2**20) for sample in samples)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
    lines.append(f'<text x="{left}" y="14">RSS of the two gateways under churn, MiB</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def text(result: dict, clients: int) -> tuple[str, bool]:
    samples, rows, flat = result["samples"], [], True
    for number in (1, 2):
        start, risen = growth(samples, number)
        fine = risen <= max(GROWTH * start, GROWTH_BYTES) and result["left"][number - 1] == 0
        flat &= fine
        rows.append(
            [
                f"gateway {number}",
                f"{samples[0][number] / 2**20:.1f}",
                f"{start / 2**20:.1f}",
                f"{risen / 2**20:+.2f}",
                f"{result['left'][number - 1]:.0f}",
                f"{result['cpu'][number - 1] / samples[-1][0]:.0%}",
                "yes" if fine else "no",
            ]
        )
    counts = ", ".join(f"{count:,} {name}" for name, count in result["counts"].items())
    head = ["", "MiB at the start", "after the warm-up", "growth since", "connections left", "CPU", "flat"]
    method = f"{samples[-1][0] / 60:.1f} minutes, {clients} clients at a time. In total: {counts}."
    return f"{method}\n\n{report.table(head, rows)}\n\n![memory over time](soak.svg)", flat


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--clients", type=int, default=600)
    options = parser.parse_args()
    result = uvloop.run(soak(options.minutes * 60, options.clients))
    table, flat = text(result, options.clients)
    report.write("soak", table, {"clients": options.clients, **result})
    (report.RESULTS / "soak.svg").write_text(graph(result["samples"]))
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
