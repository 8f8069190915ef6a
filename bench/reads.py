"""`GET /leads` of a company with 10 thousand to 10 million leads: five named queries, their times and their plans.

The company is one among others (twenty with a thousand leads each). The leads are written by COPY as the projection
would have left them; then one api process is asked over HTTP with keep-alive, one question at a time, each with other
values. Plans come from the same statements, run as the api's role under row-level security.

Each size has a directory of its own, which is kept: loading ten million takes a while, and needs about 12 GB.

Usage: .venv/bin/python bench/reads.py load --leads 10000000 [--directory /var/tmp/leadwire-reads]
       .venv/bin/python bench/reads.py measure --leads 10000000 [--requests 400]
       .venv/bin/python bench/reads.py report
"""

import argparse
import contextlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
import psycopg
from argon2 import PasswordHasher
from sqlalchemy.dialects.postgresql.psycopg import dialect

from commands import wait_for
from contracts import tokens
from lead_seeds import DAYS, FIRST, FIRST_DAY, LAST, STATUSES, USERS, user_id
from lead_seeds import load as load_leads
from leads.api import cursor
from leads.domain import listing
from leads.domain.company import Company
from leads.domain.search import SCOPE, fold, scope
from leads.migrate import migrate_database
from leads.provision import CompanySpec, Spec, UserSpec, provision
from leads.views.listing import Mark, statement
from leadwire import credentials as secrets
from leadwire import postgres
from leadwire.credentials import SUPERUSER
from leadwire.ports import reserve

RESULTS = Path(__file__).parent / "results"
OTHERS = 20
SIGNING_KEY = tokens.PrivateKey.generate()
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HALF_WAY = FIRST_DAY + timedelta(days=DAYS / 2)
COMPANY = UUID("0195b1de-0000-7000-8000-000000000001")
SETTINGS = {
    "max_connections": "50",
    "shared_buffers": "1GB",
    "effective_cache_size": "8GB",
    "max_wal_size": "8GB",
    "random_page_cost": "1.1",  # not a turning disk
    "jit": "off",
}


def other(number: int) -> UUID:
    return UUID(int=COMPANY.int + number)


class Server:
    """PostgreSQL on a directory that is kept."""

    def __init__(self, directory: Path, **settings: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
        self.credentials = secrets.load(directory / "credentials.json")
        self.port = reserve().port
        place = postgres.place(directory / "data")
        cluster = postgres.Cluster(place=place, port=self.port, settings=SETTINGS | settings)
        is_new = not cluster.is_initialised
        if is_new:
            cluster.initialise(self.credentials.postgres[SUPERUSER])
        process = cluster.process()
        self._log = (directory / "postgres.log").open("ab")
        self.process = subprocess.Popen(
            process.command, **process.options(), stdout=self._log, stderr=subprocess.STDOUT
        )
        superuser = self.url(SUPERUSER, "postgres")
        wait_for(lambda: postgres.is_ready(superuser))
        passwords = {role: word for role, word in self.credentials.postgres.items() if role != SUPERUSER}
        postgres.apply_roles(superuser, passwords)
        migrate_database(self.url("leads_owner"))
        if is_new:
            for number in range(OTHERS + 1):
                user = UserSpec(email=f"agent@c{number}.example", name="Agent", role="agent", password="password")
                company = CompanySpec(id=other(number), name=f"Company {number}")
                provision(self.url("leads_owner"), Spec(company=company, users=[user]), HASHER)

    def url(self, role: str, database: str = "leads") -> str:
        return postgres.url(role, self.credentials.postgres[role], port=self.port, database=database)

    def close(self) -> None:
        self.process.send_signal(postgres.signal.SIGINT)
        self.process.wait()
        self._log.close()


@contextlib.contextmanager
def server(directory: Path, **settings: str) -> Iterator[Server]:
    running = Server(directory, **settings)
    try:
        yield running
    finally:
        running.close()


def load(directory: Path, leads: int) -> None:
    with server(directory, fsync="off", maintenance_work_mem="1GB") as running:
        counts = {other(number): 1000 for number in range(1, OTHERS + 1)} | {COMPANY: leads}
        load_leads(running.url(SUPERUSER), counts)


def addresses_of(running: Server, chance: random.Random, leads: int) -> list[str]:
    """Return e-mail addresses of some leads, anywhere in the list."""
    phones = [f"+55119{chance.randrange(leads):08d}" for _ in range(500)]
    with psycopg.connect(running.url(SUPERUSER)) as connection:
        found = connection.execute(
            "SELECT email FROM leads WHERE company_id = %s AND phone = ANY (%s)", [COMPANY, phones]
        )
        return [email for (email,) in found]


def named_queries(chance: random.Random, leads: int, addresses: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Return the parameters of one request each, with values of its own."""
    first, last = chance.choice(FIRST), chance.choice(LAST)
    user = str(user_id(COMPANY, chance.randrange(USERS)))
    return {
        "newest": [],
        "by status": [("status", chance.choice(STATUSES))],
        "by assignee": [("assigned_to", user)],
        "full text, a name": [("q", f"{first} {last[:4]}")],
        "full text, an address": [("q", chance.choice(addresses).removesuffix(".com"))],
        "full text, an address of nobody": [("q", f"{fold(first)}.{chance.randrange(leads)}@example")],
        "full text, a rare word and the beginning of all": [("q", f"{chance.randrange(leads)} exam")],
        "full text, the end of a phone number": [("q", f"{chance.randrange(leads):08d}")],
        "full text, a word of very many": [("q", "sales")],
        "saved view": [("status", "new"), ("status", "contacted"), ("assigned_to", user), ("sort", "newest")],
        "newest, a page in the middle": [],
    }


class Api:
    """One api process, asked one question at a time."""

    def __init__(self, running: Server) -> None:
        self.port, self.admin_port = reserve().port, reserve().port
        environment = {
            "LEADS_DATABASE_URL": running.url("leads_app"),
            "LEADS_NATS_URL": "nats://nobody:nothing@127.0.0.1:9",
            "LEADS_PORT": str(self.port),
            "LEADS_ADMIN_PORT": str(self.admin_port),
            "LEADS_JWT_PRIVATE_KEY": SIGNING_KEY.pem,
            "LEADS_PUSHER_APP_KEY": "key",
            "LEADS_PUSHER_APP_SECRET": "secret",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "leads", "api"], env={**os.environ, **environment}, stderr=subprocess.DEVNULL
        )
        claims = tokens.Claims(user_id=str(uuid5(COMPANY, "agent@c0.example")), company_id=str(COMPANY), role="agent")
        token = tokens.issue(claims, SIGNING_KEY, now=datetime.now(UTC), lifetime=timedelta(hours=6))
        headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)
        wait_for(self._is_ready)

    def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.client.get(f"http://127.0.0.1:{self.admin_port}/readyz").is_success
        return False

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def measure(directory: Path, leads: int, requests: int) -> None:
    chance = random.Random(3)
    taken: dict[str, list[float]] = {}
    before = os.getloadavg()[0]
    with server(directory) as running:
        addresses = addresses_of(running, chance, leads)
        plans = {
            name: plan(running, parameters) for name, parameters in named_queries(chance, leads, addresses).items()
        }
        plans["newest, a page in the middle"] = plan(running, [], middle(leads))
        statements = timed_statements(running, chance, leads, addresses, requests)
        half_way = cursor.encode(middle(leads), listing.parse({}, Company(id=str(COMPANY), name="")).digest)
        api = Api(running)
        try:
            for round_ in range(-10, requests):  # the first ones warm up
                for name, parameters in named_queries(chance, leads, addresses).items():
                    page = [("cursor", half_way)] if name.endswith("in the middle") else []
                    started = time.perf_counter()
                    answer = api.client.get("/leads", params=[*parameters, *page, ("limit", "50")])
                    seconds = time.perf_counter() - started
                    assert answer.status_code == 200, answer.text
                    if round_ >= 0:
                        taken.setdefault(name, []).append(seconds * 1000)
            others = {name: timed(api, query) for name, query in UNINDEXED.items()}
        finally:
            api.close()
        with psycopg.connect(running.url(SUPERUSER)) as connection:
            sizes = connection.execute(SIZES).fetchall()
    cuts = {name: statistics.quantiles(times, n=100) for name, times in taken.items()}
    result = {
        "leads": leads,
        "requests": requests,
        "machine": f"{os.cpu_count()} cores, load {before:.0f} to {os.getloadavg()[0]:.0f}",
        "statement_milliseconds": statements,
        "milliseconds": {name: {"p50": round(cut[49], 2), "p99": round(cut[98], 2)} for name, cut in cuts.items()},
        "others": others,
        "bytes": dict(sizes),
        "plans": plans,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"reads-{leads}.json").write_text(json.dumps(result, indent=2) + "\n")
    for name, cut in cuts.items():
        print(f"{leads:>10,} {name:<40} p50 {cut[49]:8.2f} ms  p99 {cut[98]:8.2f} ms")


SIZES = "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname LIKE 'leads%' AND relkind IN ('r', 'i')"
UNINDEXED = {
    "tags": "tags=vip&tags=export",
    "sort by value": "sort=value",
    "score": "score_min=100",
    "organisation": "organisation=nobody",
    "name": "name=anabel%20al",
    "very many words, sorted by name": "q=sales&sort=name",
}


def timed(api: Api, query: str) -> str:
    started = time.perf_counter()
    answer = api.client.get(f"/leads?{query}&limit=50")
    what = "" if answer.is_success else f" ({answer.json()['code']})"
    return f"{(time.perf_counter() - started) * 1000:.0f} ms{what}"


def middle(leads: int) -> Mark:
    return Mark(HALF_WAY, UUID(int=leads))


def plan(running: Server, parameters: list[tuple[str, str]], after: Mark | None = None) -> list[str]:
    """Return what PostgreSQL does, as the api's role under row-level security; of words, what their function does."""
    query = listing.parse(grouped(parameters), Company(id=str(COMPANY), name=""))
    text, values = compiled(parameters, after)
    with psycopg.connect(running.url("leads_app")) as connection:
        connection.execute("SELECT set_config('app.company', %s, true)", [str(COMPANY)])
        lines = explained(connection, text, values)
    if query.wanted is None:
        return lines
    front = scope(COMPANY, HALF_WAY)
    terms = [term.replace(SCOPE, front) for term in (query.wanted.whole, query.wanted.beginning) if term]
    wanted = {"company": COMPANY, "ours": " & ".join(terms)}
    with psycopg.connect(running.url("leads_owner")) as connection:
        return [
            *lines,
            "-- inside matching_leads, of one month:",
            *explained(connection, MATCHING, wanted),
        ]


MATCHING = """
SELECT l.id, l.created_at FROM public.leads AS l WHERE l.company_id = %(company)s AND l.search @@ %(ours)s::tsquery
"""


def timed_statements(
    running: Server, chance: random.Random, leads: int, addresses: list[str], rounds: int
) -> dict[str, dict[str, float]]:
    """Return how long PostgreSQL takes for the statements alone, as the api's role."""
    taken: dict[str, list[float]] = {}
    with psycopg.connect(running.url("leads_app"), autocommit=True) as connection:
        connection.execute("SELECT set_config('app.company', %s, false)", [str(COMPANY)])
        for round_ in range(-10, rounds):
            for name, parameters in named_queries(chance, leads, addresses).items():
                query, values = compiled(parameters, middle(leads) if name.endswith("in the middle") else None)
                started = time.perf_counter()
                connection.execute(query, values).fetchall()
                if round_ >= 0:
                    taken.setdefault(name, []).append((time.perf_counter() - started) * 1000)
    cuts = {name: statistics.quantiles(times, n=100) for name, times in taken.items()}
    return {name: {"p50": round(cut[49], 2), "p99": round(cut[98], 2)} for name, cut in cuts.items()}


def compiled(parameters: list[tuple[str, str]], after: Mark | None) -> tuple[str, Any]:
    query = listing.parse(grouped(parameters), Company(id=str(COMPANY), name=""))
    found = statement(COMPANY, query, after=after, limit=51)
    made = found.compile(dialect=dialect(), compile_kwargs={"render_postcompile": True})
    return str(made), made.params


def grouped(parameters: list[tuple[str, str]]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        given.setdefault(name, []).append(value)
    return given


def explained(connection: psycopg.Connection, query: str, parameters: Any) -> list[str]:
    cursor = psycopg.ClientCursor(connection)
    explained = cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off) {query}", parameters)
    return [line for (line,) in explained]


def report() -> None:
    results = [json.loads(path.read_text()) for path in RESULTS.glob("reads-*.json")]
    results.sort(key=lambda result: result["leads"])
    sizes = " | ".join(f"{result['leads']:,}" for result in results)
    lines: list[str] = []
    for title, kind in (("the statement", "statement_milliseconds"), ("over HTTP", "milliseconds")):
        lines += [f"| {title}, p50 / p99 in ms | {sizes} |", "| --- |" + " --- |" * len(results)]
        for name in results[-1][kind]:
            cells = (result[kind][name] for result in results)
            lines.append(f"| {name} | " + " | ".join(f"{cell['p50']:.1f} / {cell['p99']:.1f}" for cell in cells) + " |")
        lines.append("")
    lines += [f"| pages that one statement looks at | {sizes} |", "| --- |" + " --- |" * len(results)]
    for name in results[-1]["plans"]:
        lines.append(f"| {name} | " + " | ".join(str(pages(result["plans"][name])) for result in results) + " |")
    lines += ["", f"| not indexed, once over HTTP | {sizes} |", "| --- |" + " --- |" * len(results)]
    for name in results[-1]["others"]:
        lines.append(f"| {name} | " + " | ".join(result["others"][name] for result in results) + " |")
    (RESULTS / "reads.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def pages(plan: list[str]) -> int:
    first = next(line for line in plan if line.strip().startswith("Buffers: shared"))
    return sum(int(number) for number in re.findall(r"(?:hit|read)=(\d+)", first))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["load", "measure", "report"])
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp/leadwire-reads"))
    options = parser.parse_args()
    directory = options.directory / str(options.leads)
    match options.step:
        case "load":
            load(directory, options.leads)
        case "measure":
            measure(directory, options.leads, options.requests)
        case "report":
            report()


if __name__ == "__main__":
    main()
