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
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from argon2 import PasswordHasher

from commands import wait_for
from lead_seeds import load as load_leads
from leads.migrate import migrate_database
from leads.provision import CompanySpec, Spec, UserSpec, provision
from leadwire import credentials as secrets
from leadwire import postgres
from leadwire.credentials import SUPERUSER
from leadwire.ports import reserve

RESULTS = Path(__file__).parent / "results"
OTHERS = 20
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["load", "measure", "report"])
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp/leadwire-reads"))
    options = parser.parse_args()
    directory = options.directory / str(options.leads)
    if options.step == "load":
        load(directory, options.leads)


if __name__ == "__main__":
    main()
