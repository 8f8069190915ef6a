"""What one delivery costs the gateway: CPU of the server process per frame and subscriber, beside plain writes.

One channel, many subscribers in another process that reads cheaply. Each round, one message (or a burst of ten) is
published to NATS; the gateway receives it once and writes it to every subscriber. The other side of the comparison is
a C program that does nothing but write() the same bytes to the same number of sockets, at the same pace, read by the
same reader. Runs alternate; the median of each side counts. CPU is user and system time of the server process.

usage: .venv/bin/python bench/fanout.py [--subscribers 1000] [--runs 5]
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import psutil
import uvloop

from contracts import streams, subjects
from contracts.push import frame
from gateway import wire
from leadwire import nats_server
from leadwire.credentials import Credentials
from leadwire.ports import reserve
from runtime import broker

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"
APP = {"id": "4242", "key": "gwkey0001", "secret": "gwsecret0001"}
CHANNEL = "news"
FRAME_BYTES = 304  # of payload, as measured for the design
BURSTS = {1: 150, 10: 60}  # frames a write -> rounds of a run
PAUSE = 0.03  # seconds between rounds: every round is over before the next begins


def payload() -> bytes:
    empty = len(frame("lead.updated", CHANNEL, ""))
    return frame("lead.updated", CHANNEL, "x" * (FRAME_BYTES - empty))


class Child:
    """A process that talks by lines."""

    def __init__(self, *command: str, environment: dict[str, str] | None = None, log: Path | None = None) -> None:
        errors = log.open("wb") if log else None
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
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()


async def received(reader: Child, expected: int) -> None:
    """Wait until the reader has counted this many bytes."""
    total = 0
    while total < expected:
        await asyncio.sleep(0.05)
        reader.say("")
        total += int(reader.read())
    assert total == expected, f"{total} bytes instead of {expected}"


class Plain:
    """The C loop."""

    name = "plain write() loop in C"

    def __init__(self, children: contextlib.ExitStack, directory: Path, subscribers: int, burst: int) -> None:
        program = directory / "fanout_plain"
        if not program.exists():
            subprocess.run([shutil.which("cc"), "-O2", "-o", program, BENCH / "fanout_plain.c"], check=True)
        self._bytes = len(wire.text(payload())) * burst
        self._subscribers = subscribers
        self._server = Child(str(program), str(subscribers), str(self._bytes))
        children.callback(self._server.end)
        self._reader = Child(sys.executable, str(BENCH / "fanout_reader.py"), self._server.read(), str(subscribers))
        children.callback(self._reader.end)
        assert [self._server.read(), self._reader.read()] == ["ready", "ready"]

    async def run(self, rounds: int) -> float:
        before = self._server.cpu()
        self._server.say(f"{rounds} {int(PAUSE * 1e6)}")
        await asyncio.to_thread(self._server.read)
        await received(self._reader, rounds * self._bytes * self._subscribers)
        return self._server.cpu() - before


class Gateway:
    """The gateway, its NATS and a publisher."""

    name = "gateway"

    def __init__(self, children: contextlib.ExitStack, directory: Path, subscribers: int) -> None:
        credentials = Credentials()
        self._subscribers = subscribers
        nats_port, port = reserve(), reserve()
        self._url = lambda user: f"nats://{user}:{credentials.nats[user]}@127.0.0.1:{nats_port.port}"
        nats = nats_server.process(
            port=nats_port.port, store=directory / "nats", passwords=credentials.nats_environment
        )
        broker_process = Child(*nats.command, environment=dict(nats.environment), log=directory / "nats.log")
        children.callback(broker_process.end)
        (directory / "apps.json").write_text(json.dumps([APP]))
        environment = {
            "GATEWAY_PORT": str(port.port),
            "GATEWAY_NATS_URL": self._url("gateway"),
            "GATEWAY_APPS_FILE": str(directory / "apps.json"),
            "GATEWAY_LOG_LEVEL": "WARNING",
            "GATEWAY_IDLE_SECONDS": "3600",  # the reader answers no probes
            "GATEWAY_HANDSHAKES_PER_SECOND": "-1",  # everybody comes from one address
            "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "-1",
        }
        self._server = Child(sys.executable, "-m", "gateway", "serve", environment=environment, log=directory / "log")
        children.callback(self._server.end)
        self._port = port.port

    async def start(self, children: contextlib.ExitStack) -> None:
        self._nats = await broker.connect(self._url("operator"), "bench")
        await streams.ensure(self._nats.jetstream())
        while not await asyncio.to_thread(self._ready):  # noqa: ASYNC110 - it becomes ready in another process
            await asyncio.sleep(0.05)
        self._reader = Child(
            sys.executable, str(BENCH / "fanout_reader.py"), str(self._port), str(self._subscribers),
            f"/app/{APP['key']}?protocol=7", CHANNEL,
        )  # fmt: skip
        children.callback(self._reader.end)
        assert await asyncio.to_thread(self._reader.read) == "ready"
        self._reader.say("")
        self._reader.read()

    async def run(self, rounds: int, burst: int) -> float:
        subject, message = subjects.live(APP["id"], CHANNEL), payload()
        before = self._server.cpu()
        for _ in range(rounds):
            for _ in range(burst):
                await self._nats.publish(subject, message)
            await self._nats.flush()
            await asyncio.sleep(PAUSE)
        await received(self._reader, rounds * burst * self._subscribers * len(wire.text(message)))
        return self._server.cpu() - before

    async def stop(self) -> None:
        await self._nats.close()

    def _ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz") as answer:
            return answer.status == 200
        return False


async def measure(subscribers: int, runs: int) -> dict:
    samples = {}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as children:
        directory = Path(name)
        gateway = Gateway(children, directory, subscribers)
        await gateway.start(children)
        for burst, rounds in BURSTS.items():
            with contextlib.ExitStack() as loop:
                plain = Plain(loop, directory, subscribers, burst)
                deliveries = rounds * burst * subscribers
                await plain.run(rounds // 5)  # warm-up, as for the gateway
                await gateway.run(rounds // 5, burst)
                sides = {Plain.name: [], Gateway.name: []}
                for _ in range(runs):
                    sides[Plain.name].append(await plain.run(rounds) / deliveries * 1e6)
                    sides[Gateway.name].append(await gateway.run(rounds, burst) / deliveries * 1e6)
                samples[burst] = sides
        await gateway.stop()
    return samples


def report(samples: dict, subscribers: int, runs: int) -> str:
    lines = [
        f"µs of server CPU per delivery: {subscribers:,} subscribers of one channel, {FRAME_BYTES}-byte frames;",
        f"medians of {runs} alternating runs (lowest to highest)",
        "",
        f"| frames a write | {Plain.name} | {Gateway.name} | ratio of medians |",
        "| --- | --- | --- | --- |",
    ]
    for burst, sides in samples.items():
        plain, gateway = sides[Plain.name], sides[Gateway.name]
        ratio = statistics.median(gateway) / statistics.median(plain)
        lines.append(f"| {burst} | {spread(plain)} | {spread(gateway)} | {ratio:.2f} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    samples = uvloop.run(measure(options.subscribers, options.runs))
    table = report(samples, options.subscribers, options.runs)
    print(table)
    RESULTS.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    figures = {"subscribers": options.subscribers, "machine": machine, "microseconds": samples}
    (RESULTS / "fanout.json").write_text(json.dumps(figures, indent=2) + "\n")
    (RESULTS / "fanout.md").write_text(table + "\n")


if __name__ == "__main__":
    main()
