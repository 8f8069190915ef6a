"""What a delivered frame costs, how many there can be a second, and how long they take: the gateway beside others.

The others are a C program that only write()s the same bytes (the limit), soketi, a plain FastAPI broadcast, and, for
channels with one listener each, a bare nats-py callback. Everybody keeps the same number of sockets; load.c reads them
all in processes of their own. The gateway gets its events from the stream of pushes over NATS; soketi and FastAPI know
no other way than the HTTP API, ten events in a request where there are ten.

CPU: user and system time of the server process. One round publishes to every channel and waits until everything has
arrived, so the next round finds everybody idle and nothing is joined by accident; a burst publishes ten events to the
one channel at once. Runs of all servers alternate; medians count. Saturation: the publisher stays two portions ahead of
what has arrived. Half load: events at an even pace, half as many as at saturation, and for comparison half of what
soketi takes; every frame carries the time at which it was published, the load generator reads without pausing.

usage: .venv/bin/python bench/fanout.py [--runs 5] [--seconds 2] [--layouts 1x1000 1x5000 100x10 1000x1]
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import uvloop

import report
from gateway import wire
from load import Load
from publishers import FRAME_BYTES, HttpPublisher, NatsPublisher
from servers import BareNats, Broadcast, Gateway, Nats, Plain, Server, Soketi

CHANNEL = "bench"
BURST = 10
RUN = 40_000  # deliveries of a run, at least
PORTION = 64_000  # deliveries that the publisher hands over at once at saturation …
PORTION_EVENTS = 2_000  # … but not more events than these
REST = 0.01  # seconds between two looks of the load generator, unless times are taken
TICK = 0.005  # seconds between two looks of the publisher at what is due


@dataclass(frozen=True)
class Layout:
    """How many channels, and how many listeners each has."""

    channels: int
    listeners: int

    @classmethod
    def parse(cls, text: str) -> "Layout":
        return cls(*map(int, text.split("x")))

    @property
    def sockets(self) -> int:
        return self.channels * self.listeners

    @property
    def names(self) -> list[str]:
        return [f"{CHANNEL}-{number}" for number in range(self.channels)]

    @property
    def bursts(self) -> tuple[int, ...]:
        """Events of one channel at once."""
        return (1, BURST) if self.channels == 1 else (1,)

    def __str__(self) -> str:
        plural = "s" if self.channels > 1 else ""
        return f"{self.channels:,} channel{plural} × {self.listeners:,}"


class Contestant:
    """A server with all its listeners, and a way to publish."""

    def __init__(self, server: Server, load: Load, publisher: HttpPublisher | NatsPublisher, layout: Layout) -> None:
        self.name = server.name
        self.load = load
        self._server = server
        self._publisher = publisher
        self._layout = layout
        self._expected = 0

    async def cpu(self, burst: int) -> float:
        """Return µs of CPU for each delivery."""
        before, deliveries = self._server.process.cpu(), 0
        while deliveries < RUN:
            deliveries += await self._publish(self._layout.names * burst)
            await self.load.until(self._expected)
        return (self._server.process.cpu() - before) / deliveries * 1e6

    async def saturation(self, seconds: float) -> float:
        """Return deliveries a second when there is always more to deliver."""
        count = max(self._layout.channels, min(PORTION // self._layout.listeners, PORTION_EVENTS))
        portion = list(islice(cycle(self._layout.names), count))
        began, before = time.monotonic(), self._expected
        while time.monotonic() < began + seconds:
            sent = await self._publish(portion)
            await self.load.until(self._expected - sent)
        await self.load.until(self._expected)
        return (self._expected - before) / (time.monotonic() - began)

    async def latency(self, rate: float, seconds: float) -> dict[str, float]:
        """Return percentiles in ms, at so many deliveries a second."""
        self.load.rest(0)
        await self.load.latency()
        names, began, published = cycle(self._layout.names), time.monotonic(), 0
        async with asyncio.TaskGroup() as tasks:
            while (elapsed := time.monotonic() - began) < seconds:
                due = int(rate / self._layout.listeners * elapsed) - published
                if due:
                    tasks.create_task(self._publish(list(islice(names, due))))
                published += due
                await asyncio.sleep(TICK)
        await self.load.until(self._expected)
        self.load.rest(REST)
        measured = await self.load.latency()
        assert measured.count == published * self._layout.listeners
        return {"rate": rate, "p50": measured.p50 / 1e3, "p99": measured.p99 / 1e3, "max": measured.max / 1e3}

    async def _publish(self, names: list[str]) -> int:
        deliveries = len(names) * self._layout.listeners
        self._expected += deliveries
        await self._publisher.publish(names)
        return deliveries


async def plain_cpu(plain: Plain, sockets: int, burst: int) -> float:
    """Return µs of CPU for each delivery of the C loop."""
    before, deliveries = plain.process.cpu(), 0
    while deliveries < RUN:
        plain.process.say("1 0")
        assert await asyncio.to_thread(plain.process.read) == "done"
        await plain.load.until(plain.load.bytes + plain.size * sockets)
        deliveries += sockets * burst
    return (plain.process.cpu() - before) / deliveries * 1e6


async def bare_cpu(bare: BareNats, publisher: NatsPublisher, layout: Layout, sent: int) -> tuple[float, int]:
    """Return µs of CPU for each message that nats-py receives, and how many it has had by then."""
    names = [name.replace(CHANNEL, "bare") for name in layout.names]
    before, first = bare.process.cpu(), sent
    while sent - first < RUN:
        sent += len(names)
        await publisher.publish(names)
        await bare.until(sent)
    return (bare.process.cpu() - before) / (sent - first) * 1e6, sent


class Round:
    """Everybody, connected, in one layout."""

    def __init__(self, layout: Layout, children: contextlib.ExitStack, directory: Path) -> None:
        self._layout = layout
        self._children = children
        self._directory = directory
        self._contestants: list[Contestant] = []

    async def start(self) -> None:
        self._nats = Nats(self._children, self._directory)
        await self._nats.start()
        for server in (
            Gateway(self._children, self._directory, self._nats),
            Soketi(self._children, self._directory),
            Broadcast(self._children, self._directory),
        ):
            await server.start()
            pattern = f"{CHANNEL}*{self._layout.channels}"
            load = server.load(self._children, self._directory, self._layout.sockets, pattern)
            await load.ready()
            load.rest(REST)
            publisher = server.publisher()
            await publisher.open()
            self._contestants.append(Contestant(server, load, publisher, self._layout))

    async def cpu(self, burst: int, runs: int) -> dict[str, list[float]]:
        samples: dict[str, list[float]] = {}
        size = len(wire.text(b"x" * FRAME_BYTES)) * burst
        with contextlib.ExitStack() as children:
            plain = Plain(children, self._directory, self._layout.sockets, size)
            await plain.start()
            plain.load.rest(REST)
            for _ in range(runs):
                await self._stay_awake()
                cost = await plain_cpu(plain, self._layout.sockets, burst)
                samples.setdefault(plain.name, []).append(cost)
                for contestant in self._contestants:
                    samples.setdefault(contestant.name, []).append(await contestant.cpu(burst))
        return samples

    async def bare(self, runs: int) -> list[float]:
        with contextlib.ExitStack() as children:
            bare = BareNats(children, self._nats, self._layout.channels, "bare")
            await bare.start()
            publisher = NatsPublisher(self._nats.url("operator"))
            await publisher.open()
            samples, sent = [], 0
            for _ in range(runs):
                cost, sent = await bare_cpu(bare, publisher, self._layout, sent)
                samples.append(cost)
            await publisher.close()
        return samples

    async def saturation(self, seconds: float) -> dict[str, float]:
        await self._stay_awake()
        return {contestant.name: await contestant.saturation(seconds) for contestant in self._contestants}

    async def latency(self, saturation: dict[str, float], seconds: float) -> dict[str, dict[str, dict[str, float]]]:
        await self._stay_awake()
        common = saturation[Soketi.name] / 2
        return {
            contestant.name: {
                "own": await contestant.latency(saturation[contestant.name] / 2, seconds),
                "common": await contestant.latency(min(common, saturation[contestant.name] / 2), seconds),
            }
            for contestant in self._contestants
        }

    async def _stay_awake(self) -> None:
        """Be heard: soketi closes who is silent for two minutes."""
        for contestant in self._contestants:
            contestant.load.ping()
        await asyncio.sleep(0.5)


async def measure(layout: Layout, runs: int, seconds: float) -> dict:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as children:
        everybody = Round(layout, children, Path(name))
        await everybody.start()
        await everybody.cpu(1, 1)  # warm-up
        cpu = {burst: await everybody.cpu(burst, runs) for burst in layout.bursts}
        if layout.listeners == 1:
            cpu[1][BareNats.name] = await everybody.bare(runs)
        saturation = await everybody.saturation(seconds)
        latency = await everybody.latency(saturation, seconds)
    return {"layout": asdict(layout), "microseconds": cpu, "saturation": saturation, "latency": latency}


def goals(layout: Layout, figures: dict) -> Iterable[tuple[str, float, str, float]]:
    """Yield what is asked for: what, the figure, at most or at least, the bound."""
    for burst, samples in figures["microseconds"].items():
        cost = {name: statistics.median(values) for name, values in samples.items()}
        ours = cost[Gateway.name]
        what = f"{layout}, {burst} at once: CPU of"
        if layout.listeners >= 1000:
            yield f"{what} gateway ÷ C loop", ours / cost[Plain.name], "≤", 1.15 if burst == 1 else 1.3
            yield f"{what} soketi ÷ gateway", cost[Soketi.name] / ours, "≥", 2
        if BareNats.name in cost:
            yield f"{what} gateway ÷ bare nats-py", ours / cost[BareNats.name], "≤", 1.5
    if layout.listeners >= 1000:
        rate = figures["saturation"]
        yield f"{layout}: deliveries/s at saturation, gateway ÷ soketi", rate[Gateway.name] / rate[Soketi.name], "≥", 8


def text(results: list[dict], runs: int, seconds: float) -> str:
    cpu, flow, targets = [], [], []
    names = [Plain.name, Gateway.name, Soketi.name, Broadcast.name]
    for figures in results:
        layout = Layout(**figures["layout"])
        for burst, samples in figures["microseconds"].items():
            bare = report.spread(samples[BareNats.name]) if BareNats.name in samples else "–"
            cpu.append([str(layout), str(burst), *(report.spread(samples[name]) for name in names), bare])
        for name, rate in figures["saturation"].items():
            own, common = figures["latency"][name]["own"], figures["latency"][name]["common"]
            times = (f"{one['p50']:.2f} / {one['p99']:.2f} ms at {one['rate']:,.0f}/s" for one in (own, common))
            flow.append([str(layout), name, f"{rate:,.0f}", *times])
        targets.extend(goals(layout, figures))
    method = (
        f"{FRAME_BYTES}-byte frames. CPU: µs of the server per delivery, medians of {runs} alternating runs (lowest to "
        f"highest). The other figures: {seconds:g} s each."
    )
    return "\n\n".join(
        [
            method,
            report.table(["layout", "events at once", *names, BareNats.name], cpu),
            report.table(
                ["layout", "server", "deliveries/s at saturation", "p50 / p99 at half of it", "at half of soketi's"],
                flow,
            ),
            report.goals(targets),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--layouts", type=Layout.parse, nargs="+", default=[*map(Layout.parse, DEFAULT)])
    options = parser.parse_args()
    results = []
    for layout in options.layouts:
        print(f"{layout} …", flush=True)
        results.append(uvloop.run(measure(layout, options.runs, options.seconds)))
    report.write("fanout", text(results, options.runs, options.seconds), {"layouts": results})


DEFAULT = ("1x1000", "1x5000", "100x10", "1000x1")

if __name__ == "__main__":
    main()
