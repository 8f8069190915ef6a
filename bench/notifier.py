"""How many facts a second one notifier takes, and how long a fact waits for its push at 200 facts a second.

The other side is a bare nats-py consumer that reads the same facts, parses them, stores the same pushes (without the
notifications) and acknowledges: no cursors, no order over redeliveries, no exactly-once, no inbox, no figures, no log.
Each side is one process with as many facts of its own; rounds alternate; medians count. Times are the NATS server's
own: that of the push to the company in `PUSH` less its fact's in `CRM`, so that no clock of a client matters. The leads
service does not run: figures are asked for in vain.

Of 20 mixed facts 8 create a lead (1 push each), 6 update one and 3 move one to another stage (2), 2 assign one and 1 is
a message (3); each of the last six notifies one of 500 users: one row and one more push. With `--facts-of created` all
create leads.

Usage: .venv/bin/python bench/notifier.py [--facts 20000] [--companies 50] [--rate 200] [--seconds 10] [--rounds 3]
       [--facts-of mixed|created]
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
from contracts.events import (
    Change,
    Fact,
    LeadAssigned,
    LeadCreated,
    LeadMessagePosted,
    LeadStatusChanged,
    LeadSummary,
    LeadUpdated,
    Message,
)
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
            "NOTIFIER_JWT_PUBLIC_KEY": self.credentials.jwt_public_key,
            "NOTIFIER_NATS_URL": self.nats_url("notifier"),
            "NOTIFIER_PUSHER_APP_ID": APP_ID,
            "NOTIFIER_PORT": str(reserve().port),
            "NOTIFIER_ADMIN_PORT": str(reserve().port),
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

    MIX = "ccuusccuusccuasccuam"  # created, updated, status changed, assigned, message

    def __init__(self, companies: int, kind: str) -> None:
        self._positions = {str(uuid.uuid4()): 0 for _ in range(companies)}
        self._users = {company_id: [str(uuid.uuid4()) for _ in range(10)] for company_id in self._positions}
        self._mixed = kind == "mixed"
        self.pushes = 0
        self.notifications = 0

    def take(self, count: int) -> list[Outgoing]:
        companies = list(self._positions)
        return [self._next(companies[number % len(companies)], number) for number in range(count)]

    def _next(self, company_id: str, number: int) -> Outgoing:
        self._positions[company_id] += 1
        position = self._positions[company_id]
        attributes = {"id": str(uuid.uuid4()), "companyid": company_id, "correlationid": str(uuid.uuid4())}
        fact = self._fact(company_id, number)
        wrapped = envelope.wrap(fact, time=NOW, feedposition=position, streamversion=1, **attributes)
        reaction = react(wrapped, APP_ID)
        self.pushes += len(reaction.pushes)
        self.notifications += len(reaction.notifications)
        subject = subjects.fact(company_id, wrapped.subject, wrapped.type)
        return Outgoing(subject, wrapped.to_json(), {"Nats-Msg-Id": wrapped.id})

    def _fact(self, company_id: str, number: int) -> Fact:
        # One step of the cycle a round of companies: else each company would only have facts of one kind.
        kind = self.MIX[number // len(self._positions) % len(self.MIX)] if self._mixed else "c"
        user = self._users[company_id][number % 10]
        lead = LeadSummary(
            id=str(uuid.uuid4()),
            name="Ada Lovelace",
            email="ada@example.com",
            phone="+442079460000",
            source="website",
            status="new",
            assigned_to=user if kind in "sam" else None,
            created_at=NOW,
            updated_at=NOW,
            version=1,
        )
        message = Message(id=str(uuid.uuid4()), author=str(uuid.uuid4()), body="Hello " * 10, posted_at=NOW)
        facts: dict[str, Fact] = {
            "c": LeadCreated(lead=lead),
            "u": LeadUpdated(lead=lead, changes={"phone": Change(old=None, new=lead.phone)}),
            "s": LeadStatusChanged(lead=lead, changes={"status": Change(old="open", new="new")}),
            "a": LeadAssigned(lead=lead, changes={"assigned_to": Change(old=None, new=user)}),
            "m": LeadMessagePosted(lead=lead, message=message, participants=(user,)),
        }
        return facts[kind]


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
    async with servers.client("operator") as client:
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


async def times(servers: Servers, stream: str) -> dict[str, float]:
    """Return message id → the server's time of every message of a stream, in seconds."""
    async with servers.client("operator") as client:
        js = client.jetstream()
        config = ConsumerConfig(headers_only=True, ack_policy=AckPolicy.NONE)
        subscription = await js.pull_subscribe(">", stream=stream, config=config)
        total = (await js.stream_info(stream)).state.messages
        found: dict[str, float] = {}
        while len(found) < total:
            messages = await subscription.fetch(1000, timeout=5)
            found |= {it.headers["Nats-Msg-Id"]: it.metadata.timestamp.timestamp() for it in messages}
        return found


async def start_up(servers: Servers, name: str) -> float:
    """Return the seconds of CPU that a side takes until it has handled one fact."""
    await renew(servers)
    facts = Facts(1, "created")
    with servers.side(name) as process:
        async with servers.client("leads-relay") as relay:
            await publish_window(relay.jetstream(), facts.take(1))
        await stored(servers, 1)
        cpu = process.cpu_times()
    return cpu.user + cpu.system


async def throughput(servers: Servers, name: str, facts: Facts, count: int) -> dict[str, float]:
    started = await start_up(servers, name)
    await renew(servers)
    window = facts.take(count)
    async with servers.client("leads-relay") as relay:
        for start in range(0, count, 500):
            await publish_window(relay.jetstream(), window[start : start + 500])
    pushes = facts.pushes + (facts.notifications if name == "notifier" else 0)
    with servers.side(name) as process:
        await stored(servers, pushes)
        cpu = process.cpu_times()
    pushed = (await times(servers, streams.PUSH)).values()
    seconds = max(pushed) - min(pushed)
    return {
        "facts_per_second": count / seconds,
        "pushes_per_second": pushes / seconds,
        "cpu_us_per_fact": (cpu.user + cpu.system - started) / count * 1e6,
    }


async def latency(servers: Servers, name: str, facts: Facts, rate: int, seconds: int) -> dict[str, float]:
    await renew(servers)
    warm_up = rate
    beginning = facts.take(warm_up)
    expected = facts.pushes
    rest = facts.take(rate * seconds)
    with servers.side(name):
        async with servers.client("leads-relay") as relay:
            js = relay.jetstream()
            await publish_window(js, beginning)
            await stored(servers, expected)
            started = time.perf_counter()
            for number, fact in enumerate(rest):
                await asyncio.sleep(max(0, started + number / rate - time.perf_counter()))
                await publish_window(js, [fact])
        await stored(servers, facts.pushes + (facts.notifications if name == "notifier" else 0))
    published, pushed = await times(servers, streams.CRM), await times(servers, streams.PUSH)
    to_companies = {key.split(":")[0]: time for key, time in pushed.items() if ":private-company" in key}
    ids = [it.headers["Nats-Msg-Id"] for it in rest]
    waits = [to_companies[it] - published[it] for it in ids]
    cuts = statistics.quantiles(waits, n=100)
    return {"p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}


async def measure(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    taken: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    servers = Servers(directory)
    try:
        for _ in range(options.rounds):
            for side in SIDES:
                facts, more = (Facts(options.companies, options.facts_of) for _ in range(2))
                figures = await throughput(servers, side, facts, options.facts)
                # A side that counts positions goes on with them; new companies begin at 1.
                figures |= await latency(servers, side, more, options.rate, options.seconds)
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
    parser.add_argument("--facts-of", choices=["mixed", "created"], default="mixed")
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
    (RESULTS / f"notifier-{options.facts_of}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"| | facts/s | pushes/s | CPU a fact | fact → push p50 at {options.rate}/s | p99 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for side, label in zip(SIDES, ("one notifier", "bare nats-py consumer"), strict=True):
        row = result[side]
        cells = (
            label,
            f"{row['facts_per_second']:.0f}",
            f"{row['pushes_per_second']:.0f}",
            f"{row['cpu_us_per_fact']:.0f} µs",
            f"{row['p50_ms']} ms",
            f"{row['p99_ms']} ms",
        )
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
