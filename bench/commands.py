"""How many commands a second one api process takes, beside a bare FastAPI handler that runs the same SQL.

A command is `POST /leads`: parsed, authenticated, decided, looked for duplicates, and appended in one durable
transaction (feed, list, counters, event, outbox). The other side (`bare_api.py`) is a FastAPI handler that sends the
same statements over the same pool and does nothing else: no token, no validation, no rules, no log line. Each is one
process with uvloop and httptools.

Clients use keep-alive connections, over eight companies; rounds alternate; medians count. PostgreSQL is the embedded
one with its default durability (fsync on).

Usage: .venv/bin/python bench/commands.py [--clients 16] [--commands 1500] [--rounds 7]
"""

import argparse
import asyncio
import contextlib
import functools
import itertools
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import uvloop
from argon2 import PasswordHasher

from contracts import tokens
from leads.migrate import migrate_database
from leads.provision import CompanySpec, Spec, UserSpec, provision
from leadwire import postgres
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.ports import reserve

RESULTS = Path(__file__).parent / "results"
COMPANIES = 8
POOL = 10
SIDES = ("api", "bare")
SIGNING_KEY = tokens.PrivateKey.generate()
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
Company = tuple[uuid.UUID, uuid.UUID]  # its id and a user's


class Server:
    """PostgreSQL, a migrated database and one api process."""

    def __init__(self, directory: Path) -> None:
        self.credentials = Credentials()
        settings = {"max_connections": "100", "shared_buffers": "128MB"}
        self.port = reserve().port
        cluster = postgres.Cluster(place=postgres.place(directory / "data"), port=self.port, settings=settings)
        cluster.initialise(self.credentials.postgres[SUPERUSER])
        process = cluster.process()
        self.postgres = subprocess.Popen(
            process.command, **process.options(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        superuser = self.url(SUPERUSER, "postgres")
        wait_for(lambda: postgres.is_ready(superuser))
        passwords = {role: word for role, word in self.credentials.postgres.items() if role != SUPERUSER}
        postgres.apply_roles(superuser, passwords)
        migrate_database(self.url("leads_owner"))
        self.companies = [self._provision(number) for number in range(COMPANIES)]
        api = {
            "LEADS_DATABASE_URL": self.url("leads_app"),
            "LEADS_NATS_URL": "nats://nobody:nothing@127.0.0.1:9",
            "LEADS_JWT_PRIVATE_KEY": SIGNING_KEY.pem,
            "LEADS_PUSHER_APP_KEY": "key",
            "LEADS_PUSHER_APP_SECRET": "secret",
            "LEADS_POOL_SIZE": str(POOL),
        }
        self.ports = {side: reserve().port for side in SIDES}
        self.probes = {"api": reserve().port, "bare": self.ports["bare"]}
        bare = [str(Path(__file__).parent / "bare_api.py"), self.url("leads_app"), str(self.ports["bare"]), str(POOL)]
        self.processes = {
            "api": self._start(
                ["-m", "leads", "api"],
                api | {"LEADS_PORT": str(self.ports["api"]), "LEADS_ADMIN_PORT": str(self.probes["api"])},
            ),
            "bare": self._start(bare, {}),
        }
        for side in SIDES:
            wait_for(lambda side=side: self._is_ready(side))  # type: ignore[misc]

    def url(self, role: str, database: str = "leads") -> str:
        return postgres.url(role, self.credentials.postgres[role], port=self.port, database=database)

    def _provision(self, number: int) -> Company:
        user = UserSpec(email=f"agent@company{number}.example", name="Agent", role="agent", password="password")
        spec = Spec(company=CompanySpec(id=uuid.uuid4(), name=f"Company {number}"), users=[user])
        return spec.company.id, provision(self.url("leads_owner"), spec, HASHER).users[0].id

    def _start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", *command], env={**os.environ, **environment}, stderr=subprocess.DEVNULL
        )

    def _is_ready(self, side: str) -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{self.probes[side]}/readyz").status == 200)
        return False

    def close(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
            process.wait()
        self.postgres.send_signal(signal.SIGINT)
        self.postgres.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def server() -> Iterator[Server]:
    directory = Path(tempfile.mkdtemp(prefix="leadwire-bench-"))
    directory.chmod(0o711)
    try:
        running = Server(directory)
        try:
            yield running
        finally:
            running.close()
    finally:
        shutil.rmtree(directory)


class Client(asyncio.Protocol):
    """One keep-alive connection: the next request when the last is answered. Nobody is entered twice."""

    def __init__(self, company: Company, budget: list[int]) -> None:
        self._head = head(company)
        self._budget = budget
        self._answer = b""
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        top, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator or len(body) < int(top.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            return
        assert top.startswith(b"HTTP/1.1 201"), self._answer
        self.latencies.append(time.perf_counter() - self._sent)
        self._next()

    def _next(self) -> None:
        if self._budget[0] == 0:
            self.done.set_result(None)
            self._transport.close()
            return
        self._budget[0] -= 1
        self._answer = b""
        body = BODY % (next(NUMBERS), next(NUMBERS))
        self._sent = time.perf_counter()
        self._transport.write(b"%sContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body))


NUMBERS = itertools.count(10_000_000)
BODY = b'{"name":"Ada Lovelace","email":"ada%d@example.com","phone":"+55119%d","source":"website"}'


def head(company: Company) -> bytes:
    claims = tokens.Claims(user_id=str(company[1]), company_id=str(company[0]), role="agent")
    token = tokens.issue(claims, SIGNING_KEY, now=datetime.now(UTC), lifetime=timedelta(hours=1))
    lines = [
        "POST /leads HTTP/1.1",
        "Host: leads",
        f"Authorization: Bearer {token}",
        f"X-Company: {company[0]}",
        "Content-Type: application/json",
        "",
    ]
    return "\r\n".join(lines).encode()


async def run(running: Server, side: str, clients: int, commands: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    budget = [commands]
    process = psutil.Process(running.processes[side].pid)
    cpu = sum(process.cpu_times()[:2])
    started = time.perf_counter()
    connected = []
    for number in range(clients):
        company = running.companies[number % COMPANIES]
        make = functools.partial(Client, company, budget)
        connected.append((await loop.create_connection(make, "127.0.0.1", running.ports[side]))[1])
    await asyncio.gather(*(client.done for client in connected))
    seconds = time.perf_counter() - started
    cuts = statistics.quantiles([latency for client in connected for latency in client.latencies], n=100)
    return {
        "commands_per_second": commands / seconds,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
        "cpu_us_per_command": (sum(process.cpu_times()[:2]) - cpu) / commands * 1e6,
    }


async def measure(clients: int, commands: int, rounds: int) -> dict[str, Any]:
    taken: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with server() as running:
        for side in SIDES:
            await run(running, side, clients, commands // 2)  # warm-up
        for number in range(rounds):
            for count, budget in ((clients, commands), (1, commands // 4)):
                for side in SIDES if number % 2 else SIDES[::-1]:
                    taken[side, count].append(await run(running, side, count, budget))
    result: dict[str, Any] = {
        "clients": clients,
        "commands": commands,
        "rounds": rounds,
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
    }
    for count in (clients, 1):
        api, bare = taken["api", count], taken["bare", count]
        result[f"{count} clients"] = {
            **{side: medians(taken[side, count]) for side in SIDES},
            "ratio": round(
                statistics.median(
                    one["commands_per_second"] / other["commands_per_second"]
                    for one, other in zip(api, bare, strict=True)
                ),
                3,
            ),
        }
    return result


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in runs), 2) for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--commands", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    result = uvloop.run(measure(options.clients, options.commands, options.rounds))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "commands.json").write_text(json.dumps(result, indent=2) + "\n")
    print("| clients | | commands/s | p50 | p99 | CPU a command | ratio |\n| --- | --- | --- | --- | --- | --- | --- |")
    for count in (options.clients, 1):
        for side in SIDES:
            row = result[f"{count} clients"][side]
            times = f"{row['p50_ms']} ms | {row['p99_ms']} ms | {row['cpu_us_per_command']:.0f} µs"
            ratio = result[f"{count} clients"]["ratio"] if side == "api" else ""
            print(f"| {count} | {side} | {row['commands_per_second']:.0f} | {times} | {ratio} |")


if __name__ == "__main__":
    main()
