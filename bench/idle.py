"""What an idle connection costs: memory of the server for each of very many, and how fast they come in.

Three cases: nobody subscribed to anything, all on one channel, and each also on a channel of its own. The resident
memory of the fresh server is subtracted. The load generator connects and subscribes from several loopback addresses,
256 handshakes at a time; its process is not the bottleneck. Every run has
a fresh server; medians count.

usage: .venv/bin/python bench/idle.py [--connections 15000] [--runs 3]
"""

import argparse
import asyncio
import contextlib
import resource
import statistics
import tempfile
from pathlib import Path

import uvloop

import report
from servers import Gateway, Nats, Server, Soketi

CASES = {"not subscribed": (), "one channel": ("all",), "and one of its own": ("all", "own*{connections}")}
SETTLE = 2.0  # seconds between the last subscription and the look at the memory
OPEN_FILES_BESIDE = 500


async def measure(kind: type[Server], connections: int, channels: tuple[str, ...]) -> dict[str, float]:
    """Return KiB and µs for each connection, and connections with their subscriptions a second."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as children:
        directory = Path(name)
        if kind is Gateway:
            nats = Nats(children, directory)
            await nats.start()
            server: Server = Gateway(children, directory, nats)
        else:
            server = kind(children, directory)
        await server.start()
        await asyncio.sleep(SETTLE)
        fresh, cpu = server.process.rss(), server.process.cpu()
        patterns = (channel.format(connections=connections) for channel in channels)
        load = server.load(children, directory, connections, *patterns)
        seconds = await load.ready()
        cpu = server.process.cpu() - cpu
        await asyncio.sleep(SETTLE)
        return {
            "kib": (server.process.rss() - fresh) / connections / 1024,
            "rate": connections / seconds,
            "cpu": cpu / connections * 1e6,
        }


def text(samples: dict[str, dict[str, list[dict[str, float]]]], connections: int, runs: int) -> str:
    rows, median = [], {}
    for case, servers in samples.items():
        for name, measured in servers.items():
            columns = {key: [one[key] for one in measured] for key in ("kib", "rate", "cpu")}
            median[case, name] = {key: statistics.median(values) for key, values in columns.items()}
            digits = {"kib": 2, "rate": 0, "cpu": 0}
            rows.append([case, name, *(report.spread(columns[key], digits[key]) for key in columns)])
    one, own = ({name: median[case, name] for name in samples[case]} for case in ("one channel", "and one of its own"))
    ours, theirs = one[Gateway.name], one[Soketi.name]
    goals = [
        ("one channel: KiB a connection, gateway against soketi", ours["kib"], "≤", theirs["kib"]),
        ("and one of its own: KiB a connection", own[Gateway.name]["kib"], "≤", 12.0),
        ("one channel: connections/s, gateway ÷ soketi", ours["rate"] / theirs["rate"], "≥", 3.0),
    ]
    return "\n\n".join(
        [
            f"{connections:,} idle connections; medians of {runs} runs (lowest to highest)",
            report.table(
                ["each subscribed", "server", "KiB of RSS each", "connections and subscriptions/s", "µs of CPU each"],
                rows,
            ),
            report.goals(goals),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=15_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert most > options.connections + OPEN_FILES_BESIDE, f"`ulimit -Hn` is {most}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the servers inherit it
    samples: dict[str, dict[str, list[dict[str, float]]]] = {}
    for _ in range(options.runs):
        for case, channels in CASES.items():
            for kind in (Gateway, Soketi):
                measured = uvloop.run(measure(kind, options.connections, channels))
                print(case, kind.name, measured, flush=True)
                samples.setdefault(case, {}).setdefault(kind.name, []).append(measured)
    report.write("idle", text(samples, options.connections, options.runs), {"runs": samples})


if __name__ == "__main__":
    main()
