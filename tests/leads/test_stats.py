"""`GET /stats`: equal to a recount of the log that knows nothing of how they are counted."""

import random
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from .conftest import Clock, Company, Connect

pytestmark = pytest.mark.clock

STAGES = ("new", "contacted", "qualified", "won", "lost")
START = datetime(2026, 10, 20, 8, 0, tzinfo=UTC)


async def test_figures_equal_a_recount_of_the_log_after_anything(connect: Connect, acme: Company, clock: Clock) -> None:
    manager = connect("manager")
    chance = random.Random(7)
    clock.now = START
    leads: list[str] = []
    refused: Counter[int] = Counter()
    for _ in range(160):
        clock.now += timedelta(hours=chance.randint(1, 9))
        answer = await manager.request(**step(chance, leads, acme))
        if answer.status_code == 201 and answer.request.url.path == "/leads":
            leads.append(answer.json()["data"]["id"])
        if not answer.is_success:
            refused[answer.status_code] += 1
    assert set(refused) <= {404, 409, 412}, refused
    assert sum(refused.values()) < 80

    stats = (await manager.get("/stats")).json()

    log = await whole_log(manager)
    assert stats["meta"]["position"] == log[-1]["position"]
    kinds = {entry["type"] for entry in log}
    assert kinds >= {"lead.created", "lead.status_changed", "lead.deleted", "lead.restored", "lead.merged"}
    expected = recounted(log, clock.now)
    stays = expected.pop("median_seconds")
    funnel = stats["data"].pop("funnel")
    assert stats["data"] == {**expected, "conversion": pytest.approx(expected["won"] / expected["total"])}
    entered = ever_in_stage(log)
    assert [(stage["stage"], stage["entered"]) for stage in funnel] == [(key, entered[key]) for key in STAGES]
    for earlier, stage in ((0, 1), (1, 2), (2, 3)):
        assert funnel[stage]["rate"] == pytest.approx(funnel[stage]["entered"] / funnel[earlier]["entered"])
    assert funnel[0]["rate"] is funnel[4]["rate"] is None
    for stage in funnel:
        assert (stage["median_seconds"] is None) == (not stays[stage["stage"]])
        if stays[stage["stage"]]:
            middle = sorted(stays[stage["stage"]])[(len(stays[stage["stage"]]) - 1) // 2]
            assert stage["median_seconds"] == pytest.approx(middle, rel=0.06)


def step(chance: random.Random, leads: list[str], acme: Company) -> dict[str, Any]:
    """Return some request about some lead."""
    agent = chance.choice([str(acme.users["agent"]), str(acme.users["manager"]), None])
    source, status = chance.choice(["web", "fair", None]), chance.choice(STAGES)
    if len(leads) < 8 or chance.random() < 0.15:
        new = {"name": "Ada", "source": source, "assigned_to": agent, "status": status}
        return {"method": "POST", "url": "/leads", "json": new}
    url = f"/leads/{chance.choice(leads)}"
    return chance.choice(
        [
            {"method": "PATCH", "url": url, "json": {"status": status}},
            {"method": "PATCH", "url": url, "json": {"status": chance.choice(STAGES)}},
            {"method": "PATCH", "url": url, "json": {"source": source, "assigned_to": agent}},
            {"method": "POST", "url": f"{url}/messages", "json": {"body": "Hello"}},
            {"method": "DELETE", "url": url},
            {"method": "POST", "url": f"{url}/restore"},
            {
                "method": "POST",
                "url": f"{url}/merge",
                "json": {"other": chance.choice(leads)},
                "headers": {"If-Match": "*"},
            },
        ]
    )


async def whole_log(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    url: str | None = "/changes?limit=500"
    while url:
        page = (await api.get(url)).json()
        entries += page["data"]
        url = page["links"]["next"]
    return entries


def recounted(log: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """Return the figures as somebody would who has the log and a pencil."""
    there: dict[str, dict[str, Any]] = {}
    stage_of: dict[str, tuple[str, datetime]] = {}
    stays: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for entry in log:
        lead = entry["lead"]
        if entry["type"] == "lead.deleted":
            there.pop(lead["id"], None)
        else:
            there[lead["id"]] = lead
        at = datetime.fromisoformat(lead["updated_at"])
        stage, since = stage_of.get(lead["id"], (lead["status"], at))
        if stage != lead["status"]:
            stays[stage].append((at - since).total_seconds())
            since = at
        stage_of[lead["id"]] = (lead["status"], since)
    statuses = Counter(lead["status"] for lead in there.values())
    days = Counter(lead["created_at"][:10] for lead in there.values())
    return {
        "total": len(there),
        "new_this_month": sum(lead["created_at"][:7] == f"{now:%Y-%m}" for lead in there.values()),
        "new_last_month": sum(
            lead["created_at"][:7] == f"{now.replace(day=1) - timedelta(days=1):%Y-%m}" for lead in there.values()
        ),
        "new_per_day": {
            f"{now - timedelta(days=back):%Y-%m-%d}": days[f"{now - timedelta(days=back):%Y-%m-%d}"]
            for back in reversed(range(30))
        },
        "by_status": {stage: statuses[stage] for stage in STAGES},
        "by_source": present(lead["source"] for lead in there.values()),
        "by_assignee": present(lead["assigned_to"] for lead in there.values()),
        "won": statuses["won"],
        "lost": statuses["lost"],
        "median_seconds": stays,
    }


def present(values: Any) -> Mapping[str, int]:
    return dict(Counter(value for value in values if value is not None))


def ever_in_stage(log: list[dict[str, Any]]) -> Counter[str]:
    """Return how many leads that are still there were ever in each stage."""
    been: dict[str, set[str]] = {}
    gone: set[str] = set()
    for entry in log:
        lead = entry["lead"]
        been.setdefault(lead["id"], set()).add(lead["status"])
        (gone.add if entry["type"] == "lead.deleted" else gone.discard)(lead["id"])
    return Counter(stage for lead_id, stages in been.items() if lead_id not in gone for stage in stages)


async def test_figures_of_nothing_are_zero(api: httpx.AsyncClient) -> None:
    stats = (await api.get("/stats")).json()["data"]

    assert (stats["total"], stats["conversion"], stats["by_source"]) == (0, 0, {})
    assert (set(stats["new_per_day"].values()), len(stats["new_per_day"])) == ({0}, 30)
    assert stats["by_status"] == dict.fromkeys(STAGES, 0)
    assert [stage["median_seconds"] for stage in stats["funnel"]] == [None] * 5
