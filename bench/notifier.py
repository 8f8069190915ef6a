"""How many facts a second one notifier takes, and how long a fact waits for its push at 200 facts a second.

The other side is a bare nats-py consumer that reads the same facts, parses them, stores the same pushes and
acknowledges: no cursors, no order over redeliveries, no exactly-once, no figures, no log. Each side is one process with
as many facts of its own; rounds alternate; medians count. Times are the NATS server's own: a push's in `PUSH` less its
fact's in `CRM`, so that no clock of a client matters. The leads service does not run: figures are asked for in vain.

Usage: .venv/bin/python bench/notifier.py [--facts 20000] [--companies 50] [--rate 200] [--seconds 10] [--rounds 3]
"""

import sys
from pathlib import Path

sys.path.remove(str(Path(__file__).parent))  # this file is called like the package that it measures

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import nats
import psutil
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

from contracts import envelope, streams, subjects
from contracts.events import LeadCreated, LeadSummary
from leadwire import nats_server, postgres
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.ports import reserve
from notifier.migrate import migrate
from notifier.rules import react
from runtime.broker import Outgoing, connection_options, publish_window

RESULTS = Path(__file__).parent / "results"
APP_ID = "4242"
BATCH = 256
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SIDES = ("notifier", "bare")


class Servers:
    """PostgreSQL and NATS, on ports and directories of their own."""

    def __init__(self, directory: Path) -> None:
        self.credentials = Credentials()
        self.directory = directory
        self.database_port, self.nats_port = reserve().port, reserve().port
        cluster = postgres.Cluster(place=postgres.place(directory / "data"), port=self.database_port, settings={})
        cluster.initialise(self.credentials.postgres[SUPERUSER])
        store, passwords = directory / "nats", self.credentials.nats_environment
        broker = nats_server.process(port=self.nats_port, store=store, passwords=passwords)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes = [subprocess.Popen(it.command, **it.options(), **quiet) for it in (cluster.process(), broker)]
        superuser = self.database_url(SUPERUSER, "postgres")
        wait_for(lambda: postgres.is_ready(superuser) and nats_server.is_ready("127.0.0.1", self.nats_port))
        passwords = {role: word for role, word in self.credentials.postgres.items() if role != SUPERUSER}
        postgres.apply_roles(superuser, passwords)
        migrate(self.database_url("notifier_owner"))

    def database_url(self, role: str, database: str = "notifier") -> str:
        return postgres.url(role, self.credentials.postgres[role], port=self.database_port, database=database)

    def nats_url(self, user: str) -> str:
        return f"nats://{user}:{self.credentials.nats[user]}@127.0.0.1:{self.nats_port}"

    @contextlib.asynccontextmanager
    async def client(self, user: str) -> AsyncIterator[Client]:
        client = await connect(self.nats_url(user))
        try:
            yield client
        finally:
            await client.close()

    @contextlib.contextmanager
    def side(self, name: str) -> Iterator[psutil.Process]:
        """Run one of the two while the body runs."""
        environment = {
            "NOTIFIER_DATABASE_URL": self.database_url("notifier_app"),
            "NOTIFIER_WRITER_DATABASE_URL": self.database_url("notifier_writer"),
            "NOTIFIER_JWT_SECRET": self.credentials.jwt_secret,
            "NOTIFIER_NATS_URL": self.nats_url("notifier"),
            "NOTIFIER_PUSHER_APP_ID": APP_ID,
            "NOTIFIER_PORT": str(reserve().port),
        }
        command = {
            "notifier": [sys.executable, "-P", "-m", "notifier", "serve"],
            "bare": [sys.executable, __file__, "--bare", self.nats_url("notifier")],
        }[name]
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=log)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def close(self) -> None:
        for process, number in zip(self.processes, (signal.SIGINT, signal.SIGTERM), strict=True):
            process.send_signal(number)
            process.wait()


async def connect(url: str) -> Client:
    options = connection_options(url, "bench")
    return await nats.connect(**{**options, "inbox_prefix": options["inbox_prefix"].encode()})


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Facts:
    """Facts of several companies, each with its dense positions."""

    def __init__(self, companies: int) -> None:
        self._positions = {str(uuid.uuid4()): 0 for _ in range(companies)}

    def take(self, count: int) -> list[Outgoing]:
        companies = list(self._positions)
        return [self._next(companies[number % len(companies)]) for number in range(count)]

    def _next(self, company_id: str) -> Outgoing:
        self._positions[company_id] += 1
        lead = LeadSummary(
            id=str(uuid.uuid4()),
            name="Ada Lovelace",
            email="ada@example.com",
            phone="+44 20 7946 0000",
            source="website",
            status="new",
            created_at=NOW,
            updated_at=NOW,
            version=1,
        )
        attributes = {"id": str(uuid.uuid4()), "companyid": company_id, "correlationid": str(uuid.uuid4())}
        position = self._positions[company_id]
        fact = envelope.wrap(LeadCreated(lead=lead), time=NOW, feedposition=position, streamversion=1, **attributes)
        subject = subjects.fact(company_id, lead.id, fact.type)
        return Outgoing(subject, fact.to_json(), {"Nats-Msg-Id": fact.id})


async def bare(url: str) -> None:
    """Do the same with nothing around it."""
    client = await connect(url)
    js = client.jetstream()
    subscription = await js.pull_subscribe_bind(streams.NOTIFIER, streams.CRM)
    while True:
        with contextlib.suppress(nats.errors.TimeoutError):
            messages = await subscription.fetch(BATCH, timeout=1)
            pushes = [push for it in messages for push in react(envelope.parse(it.data), APP_ID).pushes]
            await publish_window(js, [Outgoing(push.subject, push.body, push.headers) for push in pushes])
            for message in messages:
                await message.ack()


async def renew(servers: Servers) -> None:
    """Begin with empty streams and new consumers."""
    async with servers.client("migrate") as client:
        js = client.jetstream()
        for stream in streams.STREAMS:
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await js.delete_stream(stream.name)
        await streams.ensure(js)


async def stored(servers: Servers, count: int) -> None:
    """Wait until so many pushes to companies are stored; the figures' channels hear nothing here."""
    async with servers.client("operator") as client:
        js = client.jetstream()
        while (await js.stream_info(streams.PUSH)).state.messages < count:
            await asyncio.sleep(0.1)


async def times(servers: Servers, stream: str) -> list[float]:
    """Return the server's time of every message of a stream, in seconds."""
    async with servers.client("operator") as client:
        js = client.jetstream()
        config = ConsumerConfig(headers_only=True, ack_policy=AckPolicy.NONE)
        subscription = await js.pull_subscribe(">", stream=stream, config=config)
        found: list[float] = []
        total = (await js.stream_info(stream)).state.messages
        while len(found) < total:
            found += [it.metadata.timestamp.timestamp() for it in await subscription.fetch(1000, timeout=5)]
        return found


async def throughput(servers: Servers, name: str, facts: Facts, count: int) -> dict[str, float]:
    await renew(servers)
    window = facts.take(count)
    async with servers.client("leads-relay") as relay:
        for start in range(0, count, 500):
            await publish_window(relay.jetstream(), window[start : start + 500])
    with servers.side(name) as process:
        await stored(servers, count)
        cpu = process.cpu_times()
    pushed = await times(servers, streams.PUSH)
    return {
        "facts_per_second": (count - 1) / (pushed[-1] - pushed[0]),
        "cpu_us_per_fact": (cpu.user + cpu.system) / count * 1e6,
    }


async def latency(servers: Servers, name: str, facts: Facts, rate: int, seconds: int) -> dict[str, float]:
    await renew(servers)
    warm_up = rate
    window = facts.take(warm_up + rate * seconds)
    with servers.side(name):
        async with servers.client("leads-relay") as relay:
            js = relay.jetstream()
            await publish_window(js, window[:warm_up])
            await stored(servers, warm_up)
            started = time.perf_counter()
            for number, fact in enumerate(window[warm_up:]):
                await asyncio.sleep(max(0, started + number / rate - time.perf_counter()))
                await publish_window(js, [fact])
        await stored(servers, len(window))
    published, pushed = await times(servers, streams.CRM), await times(servers, streams.PUSH)
    waits = [after - before for before, after in zip(published, pushed, strict=True)][warm_up:]
    cuts = statistics.quantiles(waits, n=100)
    return {"p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}


async def measure(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    taken: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    servers = Servers(directory)
    try:
        for _ in range(options.rounds):
            for side in SIDES:
                facts = Facts(options.companies)
                figures = await throughput(servers, side, facts, options.facts)
                # A side that counts positions goes on with them; new companies begin at 1.
                figures |= await latency(servers, side, Facts(options.companies), options.rate, options.seconds)
                taken[side].append(figures)
    finally:
        servers.close()
    medians = {
        side: {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}
        for side, runs in taken.items()
    }
    machine = f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}"
    return {**{name: value for name, value in vars(options).items() if name != "bare"}, "machine": machine, **medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=20_000)
    parser.add_argument("--companies", type=int, default=50)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", help=argparse.SUPPRESS)  # the other side's own process
    options = parser.parse_args()
    if options.bare:
        asyncio.run(bare(options.bare))
        return
    with tempfile.TemporaryDirectory(prefix="leadwire-bench-") as directory:
        Path(directory).chmod(0o711)  # PostgreSQL does not run as root
        result = asyncio.run(measure(options, Path(directory)))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "notifier.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"| | facts/s | CPU a fact, start included | fact → push p50 at {options.rate}/s | p99 |")
    print("| --- | --- | --- | --- | --- |")
    for side, label in zip(SIDES, ("one notifier", "bare nats-py consumer"), strict=True):
        row = result[side]
        cpu = f"{row['cpu_us_per_fact']:.0f} µs"
        print(f"| {label} | {row['facts_per_second']:.0f} | {cpu} | {row['p50_ms']} ms | {row['p99_ms']} ms |")


if __name__ == "__main__":
    main()
