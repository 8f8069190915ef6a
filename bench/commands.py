"""How many commands a second one api process takes, over HTTP with keep-alive, beside bare SQL appends.

A command is `POST /leads`: parsed, authenticated, decided, and appended in one durable transaction (feed, event, list,
outbox). The other side is the same statements over the same number of connections, sent by psycopg without anything
around them: what this machine's disk and PostgreSQL allow a Python program. Both use eight companies; rounds alternate;
medians count. PostgreSQL is the embedded one with its default durability (fsync on).

Usage: .venv/bin/python bench/commands.py [--clients 32] [--commands 3000] [--rounds 5]
"""

import argparse
import asyncio
import contextlib
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
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import uvloop
from argon2 import PasswordHasher
from psycopg.types.json import Jsonb

from contracts import tokens
from leads.migrate import migrate_database
from leads.provision import CompanySpec, Spec, UserSpec, provision
from leads.store import log as statements
from leadwire import postgres
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.ports import reserve

RESULTS = Path(__file__).parent / "results"
COMPANIES = 8
POOL = 10
SECRET = "a secret of at least thirty-two bytes"
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
        self.api_port = reserve().port
        environment = {
            "LEADS_DATABASE_URL": self.url("leads_app"),
            "LEADS_NATS_URL": "nats://nobody:nothing@127.0.0.1:9",
            "LEADS_PORT": str(self.api_port),
            "LEADS_JWT_SECRET": SECRET,
            "LEADS_PUSHER_APP_KEY": "key",
            "LEADS_PUSHER_APP_SECRET": "secret",
            "LEADS_POOL_SIZE": str(POOL),
        }
        self.api = subprocess.Popen(
            [sys.executable, "-P", "-m", "leads", "api"], env={**os.environ, **environment}, stderr=subprocess.DEVNULL
        )
        wait_for(self._is_ready)

    def url(self, role: str, database: str = "leads") -> str:
        return postgres.url(role, self.credentials.postgres[role], port=self.port, database=database)

    def _provision(self, number: int) -> Company:
        user = UserSpec(email=f"agent@company{number}.example", name="Agent", role="agent", password="password")
        spec = Spec(company=CompanySpec(id=uuid.uuid4(), name=f"Company {number}"), users=[user])
        return spec.company.id, provision(self.url("leads_owner"), spec, HASHER).users[0].id

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{self.api_port}/readyz").status == 200)
        return False

    def close(self) -> None:
        for process, number in ((self.api, signal.SIGTERM), (self.postgres, signal.SIGINT)):
            process.send_signal(number)
            process.wait()


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
    """One keep-alive connection: the next request when the last is answered."""

    def __init__(self, request: bytes, budget: list[int]) -> None:
        self._request = request
        self._budget = budget
        self._answer = b""
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator or len(body) < int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            return
        assert head.startswith(b"HTTP/1.1 201"), self._answer
        self.latencies.append(time.perf_counter() - self._sent)
        self._next()

    def _next(self) -> None:
        if self._budget[0] == 0:
            self.done.set_result(None)
            self._transport.close()
            return
        self._budget[0] -= 1
        self._answer = b""
        self._sent = time.perf_counter()
        self._transport.write(self._request)


def request(company: Company) -> bytes:
    claims = tokens.Claims(user_id=str(company[1]), company_id=str(company[0]), role="agent")
    token = tokens.issue(claims, SECRET, now=datetime.now(UTC), lifetime=timedelta(hours=1))
    body = b'{"name":"Ada Lovelace","email":"ada@example.com","phone":"+44 20 7946 0000","source":"website"}'
    head = f"POST /leads HTTP/1.1\r\nHost: leads\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def over_http(running: Server, clients: int, commands: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    budget = [commands]
    api = psutil.Process(running.api.pid)
    cpu = sum(api.cpu_times()[:2])
    started = time.perf_counter()
    connected = [
        (
            await loop.create_connection(
                lambda number=number: Client(request(running.companies[number % COMPANIES]), budget),
                "127.0.0.1",
                running.api_port,
            )
        )[1]
        for number in range(clients)
    ]
    await asyncio.gather(*(client.done for client in connected))
    seconds = time.perf_counter() - started
    latencies = [latency for client in connected for latency in client.latencies]
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "commands_per_second": commands / seconds,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
        "cpu_us_per_command": (sum(api.cpu_times()[:2]) - cpu) / commands * 1e6,
    }


async def bare_sql(running: Server, commands: int) -> dict[str, float]:
    budget = [commands]

    async def append(number: int) -> None:
        company, _ = running.companies[number % COMPANIES]
        async with await psycopg.AsyncConnection.connect(running.url("leads_app")) as connection:
            while budget[0] > 0:
                budget[0] -= 1
                await append_once(connection, company)

    started = time.perf_counter()
    await asyncio.gather(*(append(number) for number in range(POOL)))
    return {"commands_per_second": commands / (time.perf_counter() - started)}


DATA = Jsonb({"lead": {"name": "Ada Lovelace", "email": "ada@example.com", "source": "website", "filler": "x" * 150}})


async def append_once(connection: psycopg.AsyncConnection[Any], company: uuid.UUID) -> None:
    lead, now = uuid.uuid4(), datetime.now(UTC)
    row = {
        "company_id": company,
        "lead_id": lead,
        "id": lead,
        "event_id": uuid.uuid4(),
        "version": 1,
        "facts": 1,
        "name": "Ada Lovelace",
        "name_key": "ada lovelace",
        "lexemes": [f"={company}", "442079460000", "79460000", "ada", "lovelace", "example", "com"],
        "email": "ada@example.com",
        "phone": "+44 20 7946 0000",
        "organisation": None,
        "source": "website",
        "status": "new",
        "assigned_to": None,
        "created_at": now,
        "updated_at": now,
        "at": now,
        "type": "crm.lead.created.v1",
        "data": DATA,
        "metadata": DATA,
    }
    async with connection.pipeline():
        await connection.execute("SELECT set_config('app.company', %s, true)", [str(company)])
        position = await (await connection.execute(statements.ADVANCE, row)).fetchone()
        assert position is not None
        row["position"] = position[0]
        for statement in (statements.PROJECT, statements.APPEND):
            await connection.execute(statement, row)
        await connection.commit()


async def measure(clients: int, commands: int, rounds: int) -> dict[str, Any]:
    with server() as running:
        await over_http(running, clients, commands // 3)  # warm-up
        taken: dict[str, list[dict[str, float]]] = {"http": [], "http_one_client": [], "sql": []}
        for _ in range(rounds):
            taken["http"].append(await over_http(running, clients, commands))
            taken["http_one_client"].append(await over_http(running, 1, commands // 5))
            taken["sql"].append(await bare_sql(running, commands))
    medians = {
        side: {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}
        for side, runs in taken.items()
    }
    machine = f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}"
    return {"clients": clients, "commands": commands, "rounds": rounds, "machine": machine, **medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--commands", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    result = uvloop.run(measure(options.clients, options.commands, options.rounds))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "commands.json").write_text(json.dumps(result, indent=2) + "\n")
    print("| | commands/s | p50 | p99 | CPU of the api process a command |\n| --- | --- | --- | --- | --- |")
    for label, side in ((f"HTTP, {options.clients} clients", "http"), ("HTTP, 1 client", "http_one_client")):
        row = result[side]
        times = f"{row['p50_ms']} ms | {row['p99_ms']} ms | {row['cpu_us_per_command']:.0f} µs"
        print(f"| {label} | {row['commands_per_second']:.0f} | {times} |")
    print(f"| SQL alone, {POOL} connections | {result['sql']['commands_per_second']:.0f} | | | |")


if __name__ == "__main__":
    main()
