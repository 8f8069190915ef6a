"""What permessage-deflate saves in bytes and costs in CPU, when a frame is compressed once for all listeners.

Three gateways with as many listeners of one channel each: compression off; on; and on, but with clients that do not
offer it. Payloads look like the events of a CRM: a lead's summary with what has changed, or several of them; no two are
alike. One round publishes one event and waits until it has arrived everywhere. Runs alternate; medians count.

usage: .venv/bin/python bench/compression.py [--listeners 1000] [--runs 5]
"""

import argparse
import contextlib
import json
import random
import statistics
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path

import uvloop

import report
from load import Load
from publishers import NatsPublisher
from servers import TARGET, Gateway, Nats

LEADS = {"one lead": 1, "ten leads": 10}
RUN = 40_000  # deliveries of a run, at least
REST = 0.01  # seconds between two looks of the load generator
OFF, ON, REFUSED = "off", "shared", "shared, not offered"
WORDS = (
    "Anna",
    "Bruno",
    "Clara",
    "David",
    "Elena",
    "Felix",
    "Greta",
    "Hugo",
    "Irene",
    "Jonas",
    "Karin",
    "Lukas",
    "Maria",
)


def leads(count: int, chance: random.Random) -> str:
    """Return the data of an event."""
    found = []
    for _ in range(count):
        name = f"{chance.choice(WORDS)} {chance.choice(WORDS)}son"
        created = f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}T10:{chance.randrange(60):02}:07Z"
        found.append(
            {
                "id": str(uuid.UUID(int=chance.getrandbits(128))),
                "name": name,
                "email": f"{name.lower().replace(' ', '.')}{chance.randrange(1000)}@example.com",
                "status": chance.choice(["new", "contacted", "qualified", "won", "lost"]),
                "source": chance.choice(["website", "referral", "campaign", None]),
                "assignee": str(uuid.UUID(int=chance.getrandbits(128))),
                "value": chance.randrange(100, 100_000),
                "created_at": created,
                "version": chance.randrange(1, 40),
                "position": chance.randrange(1, 1_000_000),
                "changed": {"status": {"old": "new", "new": "contacted"}},
            }
        )
    return json.dumps(found[0] if count == 1 else {"leads": found}, separators=(",", ":"))


class Side:
    """A gateway with its listeners."""

    def __init__(self, server: Gateway, load: Load, publisher: NatsPublisher, channel: str, listeners: int) -> None:
        self._server = server
        self._load = load
        self._publisher = publisher
        self._channel = channel
        self._listeners = listeners

    async def run(self, contents: Iterable[str]) -> dict[str, float]:
        """Return bytes and µs of CPU for each delivery."""
        bytes_before, frames, cpu = self._load.bytes, self._load.frames, self._server.process.cpu()
        expected = frames
        for content in contents:
            expected += self._listeners
            await self._publisher.send([(self._channel, content)])
            await self._load.until(expected)
        cpu = self._server.process.cpu() - cpu
        deliveries = expected - frames
        return {"bytes": (self._load.bytes - bytes_before) / deliveries, "cpu": cpu / deliveries * 1e6}


async def start(nats: Nats, children: contextlib.ExitStack, root: Path, listeners: int) -> dict[str, Side]:
    sides = {}
    for number, name in enumerate((OFF, ON, REFUSED)):
        directory = root / str(number)
        directory.mkdir()
        server = Gateway(children, directory, nats, compression="off" if name == OFF else "shared")
        await server.start()
        offer = () if name == REFUSED else ("-z",)
        channel = f"bench-{number}"
        load = Load(children, directory, *offer, server.port, listeners, TARGET, channel)
        await load.ready()
        load.rest(REST)
        publisher = server.publisher()
        await publisher.open()
        sides[name] = Side(server, load, publisher, channel, listeners)
    return sides


async def measure(listeners: int, runs: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    samples: dict[str, dict[str, list[dict[str, float]]]] = {}
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as children:
        nats = Nats(children, Path(name))
        await nats.start()
        sides = await start(nats, children, Path(name), listeners)
        for what, count in LEADS.items():
            for run in range(runs + 1):
                contents = [leads(count, chance) for _ in range(max(1, RUN // listeners))]
                for side, contestant in sides.items():
                    measured = await contestant.run(contents)
                    if run:  # the first one warms up
                        samples.setdefault(what, {}).setdefault(side, []).append(measured)
    return samples


def text(samples: dict[str, dict[str, list[dict[str, float]]]], listeners: int, runs: int) -> str:
    rows = []
    for what, sides in samples.items():
        plain = statistics.median(one["bytes"] for one in sides[OFF])
        cost = statistics.median(one["cpu"] for one in sides[OFF])
        for side, measured in sides.items():
            sizes, costs = ([one[key] for one in measured] for key in ("bytes", "cpu"))
            size, dear = statistics.median(sizes) / plain, statistics.median(costs) / cost
            rows.append([what, side, report.spread(sizes, 0), f"{size:.2f}", report.spread(costs), f"{dear:.2f}"])
    head = ["event", "compression", "bytes a delivery", "÷ off", "µs of CPU a delivery", "÷ off"]
    method = f"{listeners:,} listeners of one channel; medians of {runs} runs (lowest to highest)"
    return f"{method}\n\n{report.table(head, rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    samples = uvloop.run(measure(options.listeners, options.runs))
    report.write("compression", text(samples, options.listeners, options.runs), {"runs": samples})


if __name__ == "__main__":
    main()
