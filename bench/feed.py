"""How fast the log is followed: relay, reseed, rebuild, verification, and a look at the outbox under an old snapshot.

A log of so many facts is written by COPY: of each lead one fact creates it; a second one updates it or moves it to
another stage. Each part is the real process or command beside embedded PostgreSQL (fsync on) and NATS.

relay: all facts wait in the outbox; from the first to the last stored message, by the NATS server's clock. Beside it,
in the same run, a bare nats-py publisher of the same messages: windows of 256, no database.
reseed: `leads reseed --all` on an empty stream, from the command's start to its end.
rebuild: `leads rebuild`, the same: also indexes, and the start of its processes.
verify: `leads verify`, the same, with the stream.
poll: the relay's look at an empty outbox, 300 times, after all facts went through it while a snapshot from before is
held open, so that no dead row can be vacuumed; beside it, the same look without the floor.

Usage: .venv/bin/python bench/feed.py [--facts 200000] [--companies 8] [--parts relay,poll,reseed,rebuild,verify]
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import psutil
import psycopg

from contracts import envelope, streams
from contracts.events import NAMES, Change, LeadCreated, LeadEvent, LeadStatusChanged, LeadSummary, LeadUpdated
from leads.migrate import migrate_database
from leads.relay import WINDOW, Outbox
from leadwire import nats_server, postgres
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.ports import reserve
from runtime import broker
from runtime.broker import Outgoing, publish_window

RESULTS = Path(__file__).parent / "results"
NOW = datetime.now(UTC) - timedelta(hours=1)
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
COLUMNS = "company_id, feed_position, event_id, stream_id, stream_version, type, data, metadata, recorded_at"


class Place:
    """PostgreSQL and NATS, on ports and in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.credentials = Credentials()
        self.directory = directory
        self.database_port, self.nats_port = reserve().port, reserve().port
        cluster = postgres.Cluster(place=postgres.place(directory / "data"), port=self.database_port, settings=SETTINGS)
        cluster.initialise(self.credentials.postgres[SUPERUSER])
        server = nats_server.process(
            port=self.nats_port, store=directory / "nats", passwords=self.credentials.nats_environment
        )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes = [subprocess.Popen(it.command, **it.options(), **quiet) for it in (cluster.process(), server)]
        wait_for(
            lambda: (
                postgres.is_ready(self.database_url(SUPERUSER, "postgres"))
                and nats_server.is_ready("127.0.0.1", self.nats_port)
            )
        )
        passwords = {role: word for role, word in self.credentials.postgres.items() if role != SUPERUSER}
        postgres.apply_roles(self.database_url(SUPERUSER, "postgres"), passwords)
        migrate_database(self.database_url("leads_owner"))

    def database_url(self, role: str, database: str = "leads") -> str:
        return postgres.url(role, self.credentials.postgres[role], port=self.database_port, database=database)

    def nats_url(self, user: str) -> str:
        return f"nats://{user}:{self.credentials.nats[user]}@127.0.0.1:{self.nats_port}"

    def process(self, command: str, *options: str, role: str, user: str) -> subprocess.Popen[bytes]:
        environment = {
            "LEADS_DATABASE_URL": self.database_url(role),
            "LEADS_NATS_URL": self.nats_url(user),
            "LEADS_ADMIN_PORT": str(reserve().port),
        }
        with (self.directory / f"{command}.log").open("ab") as log:
            program = [sys.executable, "-P", "-m", "leads", command, *options]
            return subprocess.Popen(program, env={**os.environ, **environment}, stderr=log, stdout=log)

    @contextlib.contextmanager
    def running(self, command: str) -> Iterator[None]:
        process = self.process(command, role="leads_relay", user="leads-relay")
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def timed(self, command: str, *options: str, role: str, user: str) -> float:
        """Return how many seconds a command takes."""
        started = time.perf_counter()
        code = self.process(command, *options, role=role, user=user).wait()
        assert code == 0, (self.directory / f"{command}.log").read_text()[-2000:]
        return time.perf_counter() - started

    def cpu(self) -> dict[str, float]:
        """Return the seconds of CPU that PostgreSQL, NATS and all commands that have ended took so far."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        servers = [psutil.Process(process.pid) for process in self.processes]
        taken = [sum(map(_seconds, [server, *server.children(recursive=True)])) for server in servers]
        return {"postgres": taken[0], "nats": taken[1], "leads": ended.ru_utime + ended.ru_stime}

    def close(self) -> None:
        for process, number in zip(self.processes, (signal.SIGINT, signal.SIGTERM), strict=True):
            process.send_signal(number)
            process.wait()


def _seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:4])
    return 0.0


def wait_for(condition: Callable[[], Any], within: float = 3600) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def facts_of(lead_id: str, number: int) -> Iterator[LeadEvent]:
    lead = LeadSummary(
        id=lead_id,
        name=f"Ada Lovelace {number}",
        email=f"ada{number}@example.com",
        phone=f"+4420{number:08d}",
        organisation=f"Analytical Engines {number % 5000}",
        source="website",
        status="new",
        status_since=NOW,
        assigned_to=str(uuid.UUID(int=number % 20 + 1)),
        tags=("vip",) if number % 5 == 0 else (),
        created_at=NOW,
        updated_at=NOW,
        version=1,
    )
    yield LeadCreated(lead=lead)
    fields = {name: getattr(lead, name) for name in LeadSummary.__dataclass_fields__}
    if number % 2:
        yield LeadUpdated(
            lead=LeadSummary(**{**fields, "score": 50, "version": 2}), changes={"score": Change(old=None, new=50)}
        )
    else:
        moved = LeadSummary(**{**fields, "status": "contacted", "version": 2})
        yield LeadStatusChanged(lead=moved, changes={"status": Change(old="new", new="contacted")})


def fill(place: Place, facts: int, companies: int) -> None:
    """Write the log."""
    ids = [uuid.uuid4() for _ in range(companies)]
    positions = dict.fromkeys(ids, 0)
    with psycopg.connect(place.database_url(SUPERUSER)) as connection:
        for company_id in ids:
            connection.execute("INSERT INTO companies (company_id, name) VALUES (%s, 'Bench')", [company_id])
            connection.execute("INSERT INTO feeds (company_id) VALUES (%s)", [company_id])
        metadata = json.dumps({"actor": str(uuid.uuid4()), "correlation_id": "bench"})
        with connection.cursor().copy(f"COPY events ({COLUMNS}) FROM STDIN") as copy:
            for number in range(facts // 2):
                company_id, lead_id = ids[number % companies], str(uuid.uuid4())
                for fact in facts_of(lead_id, number):
                    positions[company_id] += 1
                    name, data = NAMES[type(fact)], envelope.encode_json(fact).decode()
                    place_of = (company_id, positions[company_id], uuid.uuid4(), lead_id, fact.lead.version)
                    copy.write_row((*place_of, name, data, metadata, NOW))
        for company_id, position in positions.items():
            connection.execute("UPDATE feeds SET position = %s WHERE company_id = %s", [position, company_id])
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM (ANALYZE) events")


def wait_in_outbox(place: Place) -> None:
    with psycopg.connect(place.database_url(SUPERUSER)) as connection:
        connection.execute(
            "INSERT INTO outbox (company_id, feed_position) SELECT company_id, feed_position FROM events"
        )


async def stream(place: Place, *, anew: bool) -> Any:
    client = await broker.connect(place.nats_url("operator"), "bench")
    js = client.jetstream()
    if anew:
        with contextlib.suppress(nats.js.errors.NotFoundError):
            await js.delete_stream(streams.CRM)
    await streams.ensure(js)
    state = (await js.stream_info(streams.CRM)).state
    last = (await js.get_msg(streams.CRM, state.last_seq)).time if state.messages else None
    first = (await js.get_msg(streams.CRM, state.first_seq)).time if state.messages else None
    await broker.close(client)
    # What a full stream has dropped was stored as well.
    return state.last_seq, (last - first).total_seconds() if first and last else 0.0


def relay(place: Place, facts: int) -> dict[str, float]:
    wait_in_outbox(place)
    asyncio.run(stream(place, anew=True))
    with psycopg.connect(place.database_url(SUPERUSER), autocommit=True) as connection, place.running("relay"):
        wait_for(lambda: connection.execute("SELECT NOT EXISTS (SELECT FROM outbox)").fetchone() == (True,))
    stored, seconds = asyncio.run(stream(place, anew=False))
    assert stored == facts, (stored, facts)
    bare_rate = asyncio.run(bare(place, min(facts, 30_000)))
    return {"facts_per_second": facts / seconds, "bare_nats_py_per_second": bare_rate}


async def bare(place: Place, count: int) -> float:
    """Publish the same messages with nats-py alone."""
    client = await broker.connect(place.nats_url("leads-relay"), "bench")
    async with await psycopg.AsyncConnection.connect(place.database_url("leads_relay"), autocommit=True) as connection:
        with psycopg.connect(place.database_url(SUPERUSER)) as superuser:
            superuser.execute(
                "INSERT INTO outbox (company_id, feed_position) SELECT company_id, feed_position FROM events LIMIT %s",
                [count],
            )
        rows = await Outbox(connection).read(count)
        messages = [row.message({}) for row in rows]
        await connection.execute("DELETE FROM outbox")
    fresh = [Outgoing(it.subject, it.body, {"Nats-Msg-Id": str(uuid.uuid4())}) for it in messages]
    started = time.perf_counter()
    for start in range(0, count, 256):
        await publish_window(client.jetstream(), fresh[start : start + 256])
    rate = count / (time.perf_counter() - started)
    await broker.close(client)
    return rate


def reseed(place: Place, facts: int) -> dict[str, float]:
    asyncio.run(stream(place, anew=True))
    with place.running("relay"):
        seconds = place.timed("reseed", "--all", role="leads_relay", user="leads-relay")
    stored, _ = asyncio.run(stream(place, anew=False))
    assert stored == facts, (stored, facts)
    return {"seconds": seconds, "facts_per_second": facts / seconds}


def rebuild(place: Place, facts: int) -> dict[str, float]:
    seconds = place.timed("rebuild", role="leads_owner", user="migrate")
    return {"seconds": seconds, "facts_per_second": facts / seconds}


def verify(place: Place, facts: int) -> dict[str, float]:
    seconds = place.timed("verify", role="leads_owner", user="migrate")
    return {"seconds": seconds, "facts_per_second": facts / seconds}


def poll(place: Place, facts: int) -> dict[str, float]:
    with psycopg.connect(place.database_url(SUPERUSER)) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM companies")
        wait_in_outbox(place)
        found = asyncio.run(_poll(place))
    return {**found, "dead_rows": facts}


async def _poll(place: Place) -> dict[str, float]:
    async with await psycopg.AsyncConnection.connect(place.database_url("leads_relay"), autocommit=True) as connection:
        outbox = Outbox(connection)
        while window := await outbox.read(WINDOW):
            await outbox.delete(window)
            await outbox.raise_floor()
        await outbox.raise_floor()
        await outbox.raise_floor()
        with_floor = await _looks(outbox, 300)
        without_floor = await _looks(Outbox(connection), 30)
    cuts = statistics.quantiles(with_floor, n=100)
    return {
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
        "without_floor_p50_ms": statistics.median(without_floor) * 1000,
    }


async def _looks(outbox: Outbox, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        assert not await outbox.read(WINDOW)
        taken.append(time.perf_counter() - started)
    return taken


PARTS = {"relay": relay, "poll": poll, "reseed": reseed, "rebuild": rebuild, "verify": verify}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=200_000)
    parser.add_argument("--companies", type=int, default=8)
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    result: dict[str, Any] = {
        "facts": options.facts,
        "companies": options.companies,
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
    }
    with tempfile.TemporaryDirectory(prefix="leadwire-bench-") as directory:
        Path(directory).chmod(0o711)  # PostgreSQL does not run as root
        place = Place(Path(directory))
        try:
            fill(place, options.facts, options.companies)
            for name in options.parts.split(","):
                load = os.getloadavg()[0]
                before = place.cpu()
                figures = PARTS[name](place, options.facts)
                used = {
                    f"{who}_cpu_us_per_fact": (seconds - before[who]) / options.facts * 1e6
                    for who, seconds in place.cpu().items()
                }
                result[name] = {key: round(value, 2) for key, value in {**figures, **used, "load_before": load}.items()}
                print(f"| {name} | {json.dumps(result[name])} |", flush=True)
        finally:
            place.close()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"feed-{options.facts}.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
