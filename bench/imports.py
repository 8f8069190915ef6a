"""How many rows a second an import takes, beside a plain COPY of the same rows.

One api process takes the file, one worker imports it: each row is parsed, checked by the rules of `POST /leads`, looked
for among the company's leads, and appended (feed, list, counters, fact, outbox), 250 rows a transaction. The other side
is what PostgreSQL can do at best: the rows that the import left in `leads`, `events` and `outbox`, written by COPY into
empty tables with the same indexes, in one transaction. Then the same import is taken back.

Neither relay nor notifier runs. Each round has a company of its own; medians count. PostgreSQL is the embedded one with
its default durability (fsync on).

Usage: .venv/bin/python bench/imports.py [--rows 20000] [--rounds 3]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

import report
from commands import HASHER, SIGNING_KEY, Server, server, wait_for
from contracts import tokens
from leads.provision import CompanySpec, Spec, UserSpec, provision
from leadwire.credentials import SUPERUSER
from leadwire.ports import reserve

TABLES = ("leads", "events", "outbox")


def file_of(rows: int, number: int) -> bytes:
    """Return a file as a fair would send it."""
    lines = ["Name,E-Mail,Phone,Company,Title,Source,Value,Currency,Tags"]
    lines += [
        f"Maria da Silva {index},maria{index}@fair{number}.example,+55119{number}{index:07},"
        f'"Org {index % 997}, Ltda",Gerente,fair,"1.500,00",BRL,vip;{2020 + index % 7}'
        for index in range(rows)
    ]
    return "\r\n".join(lines).encode()


class Worker:
    """A worker process."""

    def __init__(self, running: Server) -> None:
        self.port = reserve().port
        environment = {"LEADS_DATABASE_URL": running.url("leads_app"), "LEADS_ADMIN_PORT": str(self.port)}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "leads", "worker"],
            env={**os.environ, **environment},
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._is_ready)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").is_success
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def seconds_used(*pids: int) -> float:
    """Return the processor time of processes that run."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def peak_mib(pid: int) -> float:
    """Return the memory that a process has had at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def backends(running: Server) -> list[int]:
    return [process.pid for process in psutil.Process(running.postgres.pid).children()]


def client_of(running: Server, number: int) -> tuple[httpx.Client, uuid.UUID]:
    user = UserSpec(email=f"manager{number}@bench.example", name="Manager", role="manager", password="password")
    company = CompanySpec(id=uuid.uuid4(), name=f"Fair {number}", region="BR")
    made = provision(running.url("leads_owner"), Spec(company=company, users=[user]), HASHER)
    claims = tokens.Claims(user_id=str(made.users[0].id), company_id=str(company.id), role="manager")
    token = tokens.issue(claims, SIGNING_KEY, now=datetime.now(UTC), lifetime=timedelta(hours=1))
    base = f"http://127.0.0.1:{running.ports['api']}"
    return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=120), company.id


def finished(client: httpx.Client, path: str) -> dict[str, Any]:
    while (job := client.get(path).raise_for_status().json()["data"])["state"] in {"queued", "running"}:
        time.sleep(0.05)
    assert job["state"] == "done", job
    return dict(job)


def seconds_of(job: dict[str, Any]) -> float:
    start, end = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    return (end - start).total_seconds()


def copied(url: str, company_id: uuid.UUID) -> float:
    """Return how many seconds a COPY of what the company has takes."""
    with psycopg.connect(url) as connection:
        rows = {}
        for table in TABLES:
            connection.execute(f"CREATE TABLE copied_{table} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY)")
            source = f"COPY (SELECT * FROM {table} WHERE company_id = '{company_id}') TO STDOUT (FORMAT binary)"
            with connection.cursor().copy(source) as copy:
                rows[table] = [bytes(part) for part in copy]
        connection.commit()
        started = time.perf_counter()
        for table in TABLES:
            with connection.cursor().copy(f"COPY copied_{table} FROM STDIN (FORMAT binary)") as copy:
                for part in rows[table]:
                    copy.write(part)
        connection.commit()
        seconds = time.perf_counter() - started
        for table in TABLES:
            connection.execute(f"DROP TABLE copied_{table}")
        connection.commit()
    return seconds


def one_round(running: Server, worker: Worker, number: int, rows: int) -> dict[str, float]:
    client, company_id = client_of(running, number)
    with client:
        content = file_of(rows, number)
        started = time.perf_counter()
        uploaded = client.post("/imports", params={"name": "fair.csv"}, content=content).raise_for_status()
        upload = time.perf_counter() - started
        path = uploaded.headers["Location"]
        of_worker, of_postgres = seconds_used(worker.process.pid), seconds_used(*backends(running))
        job = finished(client, client.post(f"{path}/start").raise_for_status().headers["Location"])
        assert job["changed"] == rows, job
        of_worker = seconds_used(worker.process.pid) - of_worker
        of_postgres = seconds_used(*backends(running)) - of_postgres
        copy = copied(running.url(SUPERUSER), company_id)
        revert = finished(client, client.post(f"{path}/revert").raise_for_status().headers["Location"])
        assert revert["changed"] == rows, revert
    return {
        "upload_rows_per_second": rows / upload,
        "import_rows_per_second": rows / seconds_of(job),
        "copy_rows_per_second": rows / copy,
        "revert_leads_per_second": rows / seconds_of(revert),
        "ratio": copy / seconds_of(job),
        "worker_cpu_us_per_row": of_worker / rows * 1e6,
        "postgres_cpu_us_per_row": of_postgres / rows * 1e6,
        "worker_peak_mib": peak_mib(worker.process.pid),
        "api_peak_mib": peak_mib(running.processes["api"].pid),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with server() as running:
        worker = Worker(running)
        try:
            one_round(running, worker, 0, 1000)  # warm-up
            rounds = [one_round(running, worker, number, options.rows) for number in range(1, options.rounds + 1)]
        finally:
            worker.close()
    taken = {name: [one[name] for one in rounds] for name in rounds[0]}
    text = report.table(
        ["figure", "median (from, to)"],
        [
            [name.replace("_", " "), report.spread(values, 3 if name == "ratio" else 0)]
            for name, values in taken.items()
        ],
    )
    median = statistics.median(taken["import_rows_per_second"])
    text += "\n\n" + report.goals([("rows a second", median, "≥", 5000)])
    report.write(
        "imports", text, {"rows": options.rows, "rounds": options.rounds, "machine": report.machine(), "taken": taken}
    )


if __name__ == "__main__":
    main()
