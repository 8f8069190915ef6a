"""Workers are killed with -9 at random points until an import, a bulk change and an undo are done.

Then everything is as if nobody had killed anything: the same leads, the same report, dense positions, nothing twice.
"""

import csv
import io
import random
from typing import Any

import httpx
import psycopg

from contracts import envelope
from leads.domain.counters import recount
from leads.store.database import Database
from support.waiting import until

from .conftest import Company, Connect, Processes
from .working import Hand

ROWS = 1000
KILLS = 2  # of each job
LEASE = {"LEADS_LEASE_SECONDS": "0.5"}
MADE_UP = {"id", "created_at", "updated_at", "status_since", "version", "assigned_to"}


def file_of(rows: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["name", "email", "phone", "tags", "score"])
    for number in range(rows):
        email = f"lead{number % 950}@example.com"  # the last fifty are duplicates
        writer.writerow([f"Lead {number}", email, "", "fair;vip", "101" if number % 50 == 7 else "70"])
    return text.getvalue().encode()


async def ordered(client: httpx.AsyncClient, path: str, body: Any = None) -> str:
    answer = await client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


async def job_of(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    data: dict[str, Any] = (await client.get(path)).json()["data"]
    return data


async def uploaded(client: httpx.AsyncClient) -> str:
    answer = await client.post("/imports?name=fair.csv", content=file_of(ROWS))
    path = str(answer.headers["Location"])
    body = {"mapping": answer.json()["data"]["mapping"], "duplicates": "update"}
    assert (await client.put(f"{path}/mapping", json=body)).status_code == 200
    return path


REPORT = ("state", "total", "done", "changed", "unchanged", "refused")


async def leads_of(superuser: psycopg.Connection, company: Company) -> list[Any]:
    rows = superuser.execute(
        "SELECT to_jsonb(l) FROM leads AS l WHERE company_id = %s ORDER BY name, email", [company.id]
    ).fetchall()
    left_out = MADE_UP | {"company_id", "search"}
    return [{name: value for name, value in row.items() if name not in left_out} for (row,) in rows]


def refusals_of(superuser: psycopg.Connection, company: Company) -> list[Any]:
    return superuser.execute(
        "SELECT item, code, errors FROM job_refusals WHERE company_id = %s ORDER BY code, item", [company.id]
    ).fetchall()


class Murderer:
    """Kills the worker that has a job each time the job has come to a point that nobody foresaw."""

    def __init__(self, processes: Processes, dice: random.Random) -> None:
        self._processes = processes
        self._dice = dice
        self.kills = 0

    async def start(self) -> str:
        return await self._processes.start("worker", role="leads_app", user="leads-api", more=LEASE)

    async def work(self, client: httpx.AsyncClient, path: str) -> dict[str, Any]:
        points = sorted(self._dice.sample(range(ROWS), KILLS))
        for point in points:
            worker = await self.start()
            await until(lambda point=point: self._has_come(client, path, point), why=f"{path} at {point}")
            self._processes.kill(worker)
            self.kills += 1
        worker = await self.start()
        await until(lambda: self._has_come(client, path, ROWS * 2), within=60, why=f"{path} done")
        self._processes.kill(worker)
        return await job_of(client, path)

    @staticmethod
    async def _has_come(client: httpx.AsyncClient, path: str, point: int) -> bool:
        job = await job_of(client, path)
        return job["done"] > point or job["finished_at"] is not None


async def all_of_it(client: httpx.AsyncClient, work: Any) -> list[dict[str, Any]]:
    """Import a file, change all its leads, take that back, import it again, and return what each job reports."""
    path = await uploaded(client)
    reports = [await work(client, await ordered(client, f"{path}/start"))]
    order = {
        "leads": {"filter": {"tags": "fair"}, "expected_count": 1_000_000},
        "change": {"action": "status", "status": "contacted"},
    }
    changed = await ordered(client, "/leads/bulk", order)
    reports.append(await work(client, changed))
    reports.append(await work(client, await ordered(client, f"{changed}/undo")))
    return [{name: report[name] for name in REPORT} for report in reports]


async def test_whatever_is_killed_the_jobs_end_as_if_nothing_had_been(
    connect: Connect,
    acme: Company,
    globex: Company,
    database: Database,
    processes: Processes,
    superuser: psycopg.Connection,
) -> None:
    hand = Hand(database)
    seed = random.randrange(1 << 32)
    murderer = Murderer(processes, random.Random(seed))

    async def in_peace(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
        await hand.work()
        return await job_of(client, path)

    undisturbed = await all_of_it(connect("manager", globex), in_peace)
    disturbed = await all_of_it(connect("manager", acme), murderer.work)

    assert disturbed == undisturbed, f"seed {seed}"
    assert disturbed[0]["refused"] == {"invalid_score": 20}
    assert murderer.kills == 3 * KILLS
    assert await leads_of(superuser, acme) == await leads_of(superuser, globex)
    assert refusals_of(superuser, acme) == refusals_of(superuser, globex)
    log = superuser.execute(
        "SELECT feed_position, event_id, type, data FROM events WHERE company_id = %s ORDER BY feed_position",
        [acme.id],
    ).fetchall()
    assert [position for position, _, _, _ in log] == list(range(1, len(log) + 1))
    facts = [envelope.decode(name, data) for _, _, name, data in log if name.startswith("crm.lead.")]
    theirs = superuser.execute(
        "SELECT count(*) FROM events WHERE company_id = %s AND type LIKE 'crm.lead.%%'", [globex.id]
    ).fetchone()
    assert theirs == (len(facts),)
    names = [name for _, _, name, _ in log]
    for name in ("crm.import.started.v1", "crm.import.finished.v1"):
        assert names.count(name) == 1
    for name in ("crm.job.started.v1", "crm.job.finished.v1"):
        assert names.count(name) == 2
    counters = superuser.execute(
        "SELECT dimension, key, count FROM counters WHERE company_id = %s AND count <> 0", [acme.id]
    )
    assert {(dimension, key): count for dimension, key, count in counters.fetchall()} == recount(facts)  # type: ignore[arg-type]
