"""Very many clients wait for news of one company at one api process; one fact wakes them all.

PostgreSQL, NATS, the relay and one api process are real. Each client is a connection of its own with
`GET /changes?after=0&wait=60`. Then somebody creates a lead over REST, and the time is taken until the first and the
last one has the whole answer: through the log, the relay, NATS, and one read of PostgreSQL.

Usage: .venv/bin/python bench/longpoll.py [--clients 5000] [--rounds 5]
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvloop

from children import Child
from contracts import tokens
from leads.provision import CompanySpec, Spec, UserSpec, provision
from leadwire.ports import reserve
from reads import HASHER, SIGNING_KEY
from reads import server as postgres_server
from servers import Nats, answers, until

RESULTS = Path(__file__).parent / "results"


class Waiter(asyncio.Protocol):
    """One client: it sends its request at once and notes when the answer is complete."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._answer = b""
        self.answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if separator and len(body) >= int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            assert head.startswith(b"HTTP/1.1 200"), self._answer
            assert b'"position":' in body
            self.answered.set_result(time.perf_counter())
            self._transport.close()


async def measure(clients: int, rounds: int, directory: Path) -> dict[str, Any]:
    with postgres_server(directory / "postgres", shared_buffers="128MB") as running, contextlib.ExitStack() as children:
        nats = Nats(children, directory)
        await nats.start()
        company, port = uuid4(), reserve().port
        admin_port, relay_port = reserve().port, reserve().port
        agent = UserSpec(email="agent@waiting.example", name="Agent", role="agent", password="password")
        spec = Spec(company=CompanySpec(id=company, name="Waiting"), users=[agent])
        user = provision(running.url("leads_owner"), spec, HASHER).users[0].id
        shared = {
            "LEADS_JWT_PRIVATE_KEY": SIGNING_KEY.pem,
            "LEADS_PUSHER_APP_KEY": "key",
            "LEADS_PUSHER_APP_SECRET": "secret",
        }
        api = Child(
            *(sys.executable, "-P", "-m", "leads", "api"),
            environment={
                **shared,
                "LEADS_DATABASE_URL": running.url("leads_app"),
                "LEADS_NATS_URL": nats.url("leads-api"),
                "LEADS_PORT": str(port),
                "LEADS_ADMIN_PORT": str(admin_port),
                "LEADS_MAX_WAITING_PER_USER": str(clients),
                "LEADS_MAX_HTTP_CONNECTIONS_PER_CLIENT": str(clients + 100),
                "LEADS_LOG_LEVEL": "WARNING",
            },
            log=directory / "api.log",
        )
        children.callback(api.end)
        relay = Child(
            *(sys.executable, "-P", "-m", "leads", "relay"),
            environment={
                "LEADS_DATABASE_URL": running.url("leads_relay"),
                "LEADS_NATS_URL": nats.url("leads-relay"),
                "LEADS_ADMIN_PORT": str(relay_port),
            },
            log=directory / "relay.log",
        )
        children.callback(relay.end)
        claims = tokens.Claims(user_id=str(user), company_id=str(company), role="agent")
        token = tokens.issue(claims, SIGNING_KEY, now=datetime.now(UTC), lifetime=timedelta(hours=1))
        http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        for probed in (admin_port, relay_port):
            await until(lambda probed=probed: answers(probed, b"/readyz"))
        fresh = api.rss()
        taken = [await one_round(http, (port, admin_port), token, clients, api, fresh) for _ in range(rounds)]
        await http.aclose()
    medians = {name: round(statistics.median(run[name] for run in taken), 2) for name in taken[0]}
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}"
    return {"clients": clients, "rounds": rounds, "machine": machine, "medians": medians, "runs": taken}


async def one_round(
    http: httpx.AsyncClient, ports: tuple[int, int], token: str, clients: int, api: Child, fresh: int
) -> dict[str, float]:
    after = (await http.get("/changes?limit=1")).json()["meta"]["position"]
    request = (
        f"GET /changes?after={after}&wait=60 HTTP/1.1\r\nHost: leads\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    cpu = api.cpu()
    loop = asyncio.get_running_loop()
    waiters: list[Waiter] = []
    started = time.perf_counter()
    for _ in range(clients):
        _, waiter = await loop.create_connection(lambda: Waiter(request), "127.0.0.1", ports[0])
        waiters.append(waiter)
    await until_waiting(ports[1], clients)
    joined, joining = time.perf_counter() - started, api.cpu() - cpu
    waiting, cpu = api.rss(), api.cpu()
    created = time.perf_counter()
    (await http.post("/leads", json={"name": "Ada"})).raise_for_status()
    committed = time.perf_counter()
    times = sorted(await asyncio.gather(*(waiter.answered for waiter in waiters)))
    await until_waiting(ports[1], 0)
    return {
        "seconds_to_join": joined,
        "cpu_us_to_join": joining / clients * 1e6,
        "kb_per_waiting_client": (waiting - fresh) / clients / 1024,
        "ms_from_request_to_commit": (committed - created) * 1000,
        "ms_from_commit_to_first": (times[0] - committed) * 1000,
        "ms_from_commit_to_median": (times[len(times) // 2] - committed) * 1000,
        "ms_from_commit_to_last": (times[-1] - committed) * 1000,
        "cpu_us_per_answer": (api.cpu() - cpu) / clients * 1e6,
    }


async def until_waiting(admin_port: int, count: int) -> None:
    wanted = f"leads_waiting_requests {float(count)}\n"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{admin_port}") as admin:
        while wanted not in (await admin.get("/metrics")).text:
            await asyncio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # also of the processes it starts
    with tempfile.TemporaryDirectory(prefix="leadwire-bench-") as directory:
        Path(directory).chmod(0o711)
        result = uvloop.run(measure(options.clients, options.rounds, Path(directory)))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "longpoll.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["medians"], indent=2))


if __name__ == "__main__":
    main()
