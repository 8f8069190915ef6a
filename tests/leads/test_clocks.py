"""Whatever the clock of a service's host says, what is recorded bears PostgreSQL's time, and never goes back."""

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from contracts import signing
from leads.api.broadcasting import SIGNATURE_SECONDS
from leadwire import moved_clock
from support.waiting import until

from .conftest import PASSWORD, Company, Connect, Processes

pytestmark = pytest.mark.clock

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
OTHER_PASSWORD = "another battery staple"
TIMES = ("created_at", "updated_at", "status_since", "converted_at", "posted_at", "edited_at", "told_at", "finished_at")


@asynccontextmanager
async def logged_in(url: str, role: str = "admin", password: str = PASSWORD) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        answer = await client.post("/auth/login", json={"email": f"{role}@acme.example", "password": password})
        client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
        yield client


async def started(processes: Processes, ahead: timedelta, command: str = "api") -> str:
    environment = moved_clock.environment(int(ahead.total_seconds()))
    return await processes.start(command, role="leads_app", user="leads-api", more=environment)


async def do(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    answer = await client.request(method, path, json=body, headers={"If-Match": "*"})
    assert answer.is_success, answer.text
    return answer.json()["data"] if answer.content else None


def times_in(value: Any) -> list[tuple[str, datetime]]:
    """Return all times in something that was read as JSON."""
    if isinstance(value, list):
        return [found for part in value for found in times_in(part)]
    if not isinstance(value, dict):
        return []
    own = [(name, datetime.fromisoformat(value[name])) for name in TIMES if isinstance(value.get(name), str)]
    return own + [found for part in value.values() for found in times_in(part)]


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_an_hour_off_everything_bears_the_databases_time(
    processes: Processes, superuser: psycopg.Connection, acme: Company, ahead: timedelta
) -> None:
    begun = datetime.now(UTC) - SECOND
    url = await started(processes, ahead)
    await started(processes, ahead, "worker")
    async with logged_in(url) as admin:
        lead = await do(admin, "POST", "/leads", {"name": "Ada", "email": "ada@example.com"})
        path = f"/leads/{lead['id']}"
        other = await do(admin, "POST", "/leads", {"name": "Ada L"})
        answers = [
            lead,
            await do(admin, "PATCH", path, {"name": "Ada Lovelace", "tags": ["vip"]}),
            message := await do(admin, "POST", f"{path}/messages", {"body": "Call her"}),
            await do(admin, "PATCH", f"{path}/messages/{message['id']}", {"body": "Call her today"}),
            await do(admin, "POST", f"{path}/merge", {"other": other["id"]}),
            await do(admin, "POST", f"{path}/convert", {}),
            await do(admin, "DELETE", path),
            await do(admin, "POST", f"{path}/restore"),
            await do(admin, "POST", "/views", {"name": "Mine", "query": {}}),
            await do(admin, "PATCH", f"/users/{acme.users['agent']}", {"name": "Bob"}),
        ]
        upload = await admin.post("/imports?name=leads.csv", content=b"name\nGrace\nHopper\n")
        imported = upload.raise_for_status().json()["data"]
        job = await do(admin, "POST", f"/imports/{imported['id']}/start")
        ended = await until(lambda: _ended(admin, job["id"]), why="the worker has imported the file")
        listed = await do(admin, "GET", "/leads?limit=100")
        stats = await do(admin, "GET", "/stats")
        export = await admin.get("/leads/export")
        channel = {"socket_id": "1.2", "channel_name": f"private-company.{acme.id}"}
        signed = (await admin.post("/broadcasting/auth", json=channel)).raise_for_status().json()
    until_ = datetime.now(UTC) + SECOND

    facts = superuser.execute("SELECT recorded_at, data FROM events ORDER BY feed_position").fetchall()
    told = [("recorded_at", at) for at, _ in facts] + times_in([data for _, data in facts])
    told += times_in([answers, imported, ended, listed])
    for table, column in (("jobs", "created_at"), ("jobs", "finished_at"), ("idempotency", "recorded_at")):
        told += [(f"{table}.{column}", at) for (at,) in superuser.execute(f"SELECT {column} FROM {table}").fetchall()]
    assert {"created_at", "posted_at", "edited_at", "converted_at", "finished_at"} <= {name for name, _ in told}
    assert [(name, at) for name, at in told if not begun < at < until_] == []
    for at, data in facts:
        if "lead" in data and "merged" not in data:
            assert datetime.fromisoformat(data["lead"]["updated_at"]) == at
    assert max(stats["new_per_day"]) in {f"{begun:%Y-%m-%d}", f"{until_:%Y-%m-%d}"}
    expires_at = datetime.fromtimestamp(json.loads(signed["channel_data"])[signing.EXPIRES_AT], UTC)
    assert begun < expires_at - timedelta(seconds=SIGNATURE_SECONDS) < until_
    days = {f'attachment; filename="leads-{day:%Y-%m-%d}.csv"' for day in (begun, until_)}
    assert export.headers["Content-Disposition"] in days


async def _ended(client: httpx.AsyncClient, job_id: str) -> Any:
    job = await do(client, "GET", f"/jobs/{job_id}")
    assert job["state"] != "failed", job
    return job if job["state"] == "done" else None


async def test_whoever_writes_the_times_follow_the_positions(
    processes: Processes, superuser: psycopg.Connection, acme: Company
) -> None:
    urls = [await started(processes, ahead) for ahead in (HOUR, -HOUR)]
    async with logged_in(urls[0]) as ahead, logged_in(urls[1]) as behind:
        lead = await do(ahead, "POST", "/leads", {"name": "Ada"})
        for number, client in zip(range(20), itertools.cycle((behind, ahead)), strict=False):
            await do(client, "PATCH", f"/leads/{lead['id']}", {"name": f"Ada {number}"})
        history = (await behind.get(f"/leads/{lead['id']}/history")).json()["data"]

    recorded = superuser.execute("SELECT recorded_at, data FROM events ORDER BY feed_position").fetchall()
    times = [at for at, _ in recorded]
    assert len(times) == 21
    assert times == sorted(times)
    assert [datetime.fromisoformat(data["lead"]["updated_at"]) for _, data in recorded] == times
    assert [datetime.fromisoformat(each["occurred_at"]) for each in history] in (times, times[::-1])


async def test_a_server_that_takes_over_with_a_clock_behind_does_not_turn_back_time(
    connect: Connect, superuser: psycopg.Connection, acme: Company
) -> None:
    agent = connect()
    lead = await do(agent, "POST", "/leads", {"name": "Ada"})
    superuser.execute("UPDATE feeds SET clock = clock + interval '1 hour'")  # as that of the server before

    await do(agent, "PATCH", f"/leads/{lead['id']}", {"name": "Bob"})
    await do(agent, "PATCH", f"/leads/{lead['id']}", {"name": "Carol"})

    first, second, third = [at for (at,) in superuser.execute("SELECT recorded_at FROM events ORDER BY 1").fetchall()]
    assert HOUR <= second - first < HOUR + timedelta(minutes=1)
    assert second <= third < second + timedelta(minutes=1)


async def test_a_token_of_a_host_that_is_ahead_does_not_outlive_its_end(processes: Processes, acme: Company) -> None:
    urls = [await started(processes, ahead) for ahead in (HOUR, timedelta())]
    async with logged_in(urls[0], "agent") as ahead, logged_in(urls[1], "agent") as right:
        assert (await ahead.get("/auth/me")).status_code == 200
        assert (await right.post("/auth/logout")).status_code == 204

        assert [(await client.get(f"{url}/auth/me")).status_code for url in urls for client in (ahead, right)] == [
            401
        ] * 4
    async with logged_in(urls[1], "agent") as again:
        assert [(await again.get(f"{url}/auth/me")).status_code for url in urls] == [200, 200]


async def test_a_token_of_a_host_that_is_behind_is_not_over_at_once(processes: Processes, acme: Company) -> None:
    url = await started(processes, -HOUR)
    async with logged_in(url, "agent") as agent:
        assert (await agent.post("/auth/logout")).status_code == 204
    async with logged_in(url, "agent") as again:
        changed = await do_password(again)

    assert changed.status_code == 200
    async with logged_in(url, "agent", OTHER_PASSWORD) as agent:
        assert (await agent.get("/auth/me")).status_code == 200


async def do_password(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/auth/password", json={"current_password": PASSWORD, "new_password": OTHER_PASSWORD})
