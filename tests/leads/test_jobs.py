"""Changes of many leads: by the rules of single ones, counted, stopped, taken back."""

import asyncio
from typing import Any

import httpx
import psycopg
import pytest

from leads.domain import jobs as rules
from leads.steps import LostJob
from leads.store.database import Database
from leads.worker import Worker
from support.waiting import until

from .attempts import EVERY_LEAD
from .conftest import Company, Connect, RealClock
from .working import Hand


@pytest.fixture
def clock() -> RealClock:
    return RealClock()  # the database forgets jobs by its own


@pytest.fixture
def hand(database: Database) -> Hand:
    return Hand(database)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few leads be several steps."""
    for module in ("leads.domain.jobs", "leads.store.jobs", "leads.steps"):
        monkeypatch.setattr(f"{module}.BATCH", 3)
    monkeypatch.setattr("leads.steps.COUNTED", 6)


async def entered(api: httpx.AsyncClient, count: int, **values: Any) -> list[str]:
    answers = [await api.post("/leads", json={"name": f"Lead {number}", **values}) for number in range(count)]
    return [answer.json()["data"]["id"] for answer in answers]


async def ordered(api: httpx.AsyncClient, change: dict[str, Any], leads: dict[str, Any], **headers: str) -> str:
    answer = await api.post("/leads/bulk", json={"leads": leads, "change": change}, headers=headers)
    assert answer.status_code == 202, answer.text
    job = answer.json()["data"]
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    return str(job["id"])


async def read(api: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    data: dict[str, Any] = (await api.get(f"/jobs/{job_id}")).json()["data"]
    return data


async def all_leads(api: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    return {lead["id"]: lead for lead in (await api.get("/leads?limit=500")).json()["data"]}


def feed(superuser: psycopg.Connection, company: Company) -> list[tuple[int, str, str | None]]:
    return superuser.execute(
        "SELECT feed_position, type, metadata ->> 'job_id' FROM events WHERE company_id = %s ORDER BY feed_position",
        [company.id],
    ).fetchall()


async def test_a_filter_s_leads_are_changed_step_by_step(
    api: httpx.AsyncClient, hand: Hand, superuser: psycopg.Connection, acme: Company
) -> None:
    there = await entered(api, 8, source="web")
    others = await entered(api, 2, source="fair")

    job_id = await ordered(
        api, {"action": "status", "status": "contacted"}, {"filter": {"source": "web"}, "expected_count": 8}
    )
    assert (await read(api, job_id))["total"] is None
    (ended,) = await hand.work()
    job = await read(api, job_id)
    leads = await all_leads(api)

    assert ended.id == job_id
    assert (job["state"], job["total"], job["done"], job["changed"], job["refused"]) == ("done", 8, 8, 8, {})
    assert {leads[lead_id]["status"] for lead_id in there} == {"contacted"}
    assert {leads[lead_id]["status"] for lead_id in others} == {"new"}
    facts = feed(superuser, acme)
    assert [position for position, _, _ in facts] == list(range(1, len(facts) + 1))
    of_job = [name for _, name, job in facts if job == job_id]
    assert of_job.count("crm.lead.status_changed.v1") == 8
    assert (of_job[0], of_job[-1]) == ("crm.lead.status_changed.v1", "crm.job.finished.v1")
    assert of_job.count("crm.job.started.v1") == 1


async def test_what_the_rules_refuse_is_counted_and_listed(api: httpx.AsyncClient, hand: Hand) -> None:
    ids = await entered(api, 3)
    await api.delete(f"/leads/{ids[1]}")

    job_id = await ordered(api, {"action": "edit", "fields": {"score": 70, "title": None}}, {"ids": ids})
    await hand.work()
    job = await read(api, job_id)
    refusals = (await api.get(f"/jobs/{job_id}/refusals")).json()["data"]

    assert (job["changed"], job["refused"]) == (2, {"lead_not_found": 1})
    assert refusals == [{"item": 2, "lead_id": ids[1], "code": "lead_not_found", "errors": []}]


@pytest.mark.parametrize(
    "change",
    [
        {"action": "edit", "fields": {"organisation": "Acme", "value": "10.00", "currency": "EUR", "score": 5}},
        {"action": "assign", "assigned_to": "round_robin"},
        {"action": "status", "status": "lost", "lost_reason": "too dear"},
        {"action": "tag", "add": ["b"], "remove": ["a"]},
        {"action": "delete"},
    ],
    ids=lambda change: change["action"],
)
async def test_each_change_is_taken_back(api: httpx.AsyncClient, hand: Hand, change: dict[str, Any]) -> None:
    ids = await entered(api, 5, tags=["a"], email=None, score=1)
    before = await all_leads(api)
    figures = (await api.get("/stats")).json()["data"]
    job_id = await ordered(api, change, {"ids": ids})
    await hand.work()
    assert (await read(api, job_id))["changed"] == 5
    touched = (await api.patch(f"/leads/{ids[0]}", json={"title": "Boss"})).is_success

    answer = await api.post(f"/jobs/{job_id}/undo")
    again = await api.post(f"/jobs/{job_id}/undo")
    await hand.work()
    undo = await read(api, answer.json()["data"]["id"])
    after = await all_leads(api)

    assert answer.status_code == again.status_code == 202
    assert answer.headers["Location"] == again.headers["Location"] == f"/jobs/{undo['id']}"
    left = {ids[0]} if touched else set()
    assert undo["refused"] == ({"changed_since": 1} if touched else {})
    assert (undo["state"], undo["changed"], undo["undoes"]) == ("done", 5 - len(left), job_id)
    assert (await read(api, job_id))["undone_by"] == undo["id"]
    kept = ("version", "updated_at", "status_since")
    for lead_id in set(ids) - left:
        assert {**after[lead_id], **{field: before[lead_id][field] for field in kept}} == before[lead_id]
    if not left:
        assert (await api.get("/stats")).json()["data"]["by_status"] == figures["by_status"]


async def test_turns_follow_each_other_over_batches_and_single_requests(
    api: httpx.AsyncClient, hand: Hand, acme: Company
) -> None:
    ids = await entered(api, 7)
    (first,) = await entered(api, 1)
    await api.post(f"/leads/{first}/assign", json={"assigned_to": "round_robin"})

    await ordered(api, {"action": "assign", "assigned_to": "round_robin"}, {"ids": ids})
    await hand.work()
    leads = await all_leads(api)
    turns = sorted(str(acme.users[role]) for role in ("agent", "manager"))

    begin = turns.index(leads[first]["assigned_to"]) + 1
    assert [leads[lead_id]["assigned_to"] for lead_id in ids] == [turns[(begin + n) % 2] for n in range(7)]


async def test_a_cancelled_job_takes_no_further_step(
    api: httpx.AsyncClient, hand: Hand, superuser: psycopg.Connection, acme: Company
) -> None:
    ids = await entered(api, 6)
    job_id = await ordered(api, {"action": "delete"}, {"ids": ids})
    claimed = await hand.claim()
    assert claimed is not None
    await hand.steps.take(*claimed)

    answer = await api.post(f"/jobs/{job_id}/cancel")
    again = await api.post(f"/jobs/{job_id}/cancel")
    with pytest.raises(LostJob):
        await hand.steps.take(claimed[0], await_job := claimed[1])
    job = answer.json()["data"]

    assert again.json()["data"] == job
    assert (job["state"], job["done"]) == ("cancelled", 3)
    assert await_job.id == job_id
    assert len(await all_leads(api)) == 3
    assert await hand.work() == []
    assert feed(superuser, acme)[-1][1] == "crm.job.finished.v1"
    assert (await api.post(f"/jobs/{job_id}/undo")).status_code == 202
    await hand.work()
    assert len(await all_leads(api)) == 6


async def test_a_worker_that_was_taken_for_dead_changes_nothing(
    api: httpx.AsyncClient, database: Database, superuser: psycopg.Connection
) -> None:
    ids = await entered(api, 6)
    job_id = await ordered(api, {"action": "delete"}, {"ids": ids})
    slow, quick = Hand(database), Hand(database)
    claimed = await slow.claim()
    assert claimed is not None
    assert await quick.claim() is None
    superuser.execute("UPDATE jobs SET lease_until = now() - interval '1 second'")

    ended = await quick.work()
    with pytest.raises(LostJob):
        await slow.steps.take(*claimed)

    assert [job.id for job in ended] == [job_id]
    assert (await read(api, job_id))["done"] == 6


async def test_companies_take_turns(api: httpx.AsyncClient, connect: Connect, globex: Company, hand: Hand) -> None:
    theirs = connect("agent", globex)
    mine = [await ordered(api, {"action": "delete"}, {"ids": await entered(api, 6)}) for _ in range(3)]
    other = await ordered(theirs, {"action": "delete"}, {"ids": await entered(theirs, 9)})

    served = []
    while (job := await hand.one_step()) is not None:
        served.append("theirs" if job.id == other else "mine")

    assert served[:6] == ["mine", "theirs"] * 3
    assert {(await read(api, job_id))["state"] for job_id in mine} == {"done"}


async def test_a_user_who_may_not_any_more_ends_their_job(
    api: httpx.AsyncClient, connect: Connect, hand: Hand, acme: Company
) -> None:
    ids = await entered(api, 6)
    job_id = await ordered(api, {"action": "delete"}, {"ids": ids})
    await hand.one_step()

    admin = connect("admin")
    await admin.patch(f"/users/{acme.users['agent']}", json={"role": "viewer"}, headers={"If-Match": "*"})
    await hand.work()
    job = await read(admin, job_id)

    assert (job["state"], job["error"], job["done"]) == ("failed", "forbidden", 3)


async def test_a_repeated_order_is_one_job_and_another_one_is_refused(api: httpx.AsyncClient, hand: Hand) -> None:
    ids = await entered(api, 2)
    key = {"Idempotency-Key": "once"}

    first = await ordered(api, {"action": "delete"}, {"ids": ids}, **key)
    await hand.work()
    again = await ordered(api, {"action": "delete"}, {"ids": ids}, **key)
    other = await api.post(
        "/leads/bulk", json={"leads": {"ids": ids}, "change": {"action": "tag", "add": ["x"]}}, headers=key
    )

    assert first == again
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_user_and_a_company_have_so_many_open_jobs(
    api: httpx.AsyncClient, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_OWN", 2)
    monkeypatch.setattr(rules, "MOST_OPEN", 3)
    order = {"leads": EVERY_LEAD, "change": {"action": "delete"}}

    mine = [await api.post("/leads/bulk", json=order) for _ in range(3)]
    theirs = [await connect("manager").post("/leads/bulk", json=order) for _ in range(2)]

    assert [answer.status_code for answer in mine] == [202, 202, 409]
    assert [answer.status_code for answer in theirs] == [202, 409]
    assert mine[-1].json()["code"] == "too_many_jobs"


async def test_only_its_author_or_a_manager_stops_a_job(
    api: httpx.AsyncClient, connect: Connect, acme: Company, globex: Company
) -> None:
    ids = await entered(api, 2)
    by_manager = await ordered(connect("manager"), {"action": "delete"}, {"ids": ids})
    by_agent = await ordered(api, {"action": "delete"}, {"ids": ids})

    assert (await api.post(f"/jobs/{by_manager}/cancel")).status_code == 403
    assert (await connect("manager", globex).post(f"/jobs/{by_manager}/cancel")).status_code == 404
    assert (await connect("manager").post(f"/jobs/{by_agent}/cancel")).status_code == 200
    assert (await api.post(f"/jobs/{by_agent}/undo")).json()["code"] == "job_not_undoable"
    assert (await connect("admin").post(f"/jobs/{by_manager}/undo")).json()["code"] == "job_not_finished"


async def test_a_filter_without_leads_is_done_at_once(api: httpx.AsyncClient, hand: Hand) -> None:
    job_id = await ordered(api, {"action": "delete"}, {"filter": {"status": "won"}, "expected_count": 0})

    await hand.work()

    job = await read(api, job_id)
    assert (job["state"], job["total"], job["done"]) == ("done", 0, 0)


async def test_what_no_list_would_understand_is_no_filter(api: httpx.AsyncClient) -> None:
    answer = await api.post("/leads/bulk", json={"leads": {"filter": {"x": "y"}}, "change": {"action": "delete"}})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/leads/filter/x", "message": "Unknown parameter"}]


async def test_jobs_are_listed_page_by_page_the_newest_first(api: httpx.AsyncClient, hand: Hand) -> None:
    made = [await ordered(api, {"action": "delete"}, EVERY_LEAD) for _ in range(3)]
    await hand.work()
    made += [await ordered(api, {"action": "delete"}, EVERY_LEAD) for _ in range(2)]

    first = (await api.get("/jobs?limit=3")).json()
    second = (await api.get(first["links"]["next"])).json()
    opened = (await api.get("/jobs?state=open")).json()

    assert [job["id"] for job in first["data"] + second["data"]] == made[::-1]
    assert second["links"]["next"] is None
    assert [job["id"] for job in opened["data"]] == made[:2:-1]


async def test_a_job_that_raises_stops_no_other_and_is_given_up(
    api: httpx.AsyncClient,
    connect: Connect,
    globex: Company,
    hand: Hand,
    database: Database,
    superuser: psycopg.Connection,
) -> None:
    poison = await ordered(api, {"action": "delete"}, {"ids": await entered(api, 2)})
    superuser.execute(
        "UPDATE jobs SET task = jsonb_set(task, '{change,action}', '\"explode\"') WHERE id = %s", [poison]
    )
    theirs = connect("agent", globex)
    healthy = await ordered(theirs, {"action": "delete"}, {"ids": await entered(theirs, 2)})
    worker = Worker(database, hand.steps, worker=hand.name, lease=60.0)
    working = asyncio.create_task(worker.run())

    def state(job_id: str) -> tuple[str, int, bool]:
        row = superuser.execute(
            "SELECT state, attempts, coalesce(lease_until > now(), false) FROM jobs WHERE id = %s", [job_id]
        ).fetchone()
        assert row is not None
        return row

    await until(lambda: state(healthy)[0] == "done", why="the other job is done")
    await until(lambda: state(poison) == ("queued", 1, True), why="the job rests until it is tried again")
    superuser.execute(
        "UPDATE jobs SET task = jsonb_set(task, '{change,action}', '\"delete\"'), lease_until = NULL, attempts = %s"
        " WHERE id = %s",
        [rules.MOST_ATTEMPTS, poison],
    )
    await until(lambda: state(poison)[0] == "failed", why="it is given up")
    worker.stop()
    await working

    assert (await read(api, poison))["error"] == "gave_up"
    assert worker.still_for < 30


async def test_what_nobody_needs_any_more_is_forgotten(
    api: httpx.AsyncClient, connect: Connect, hand: Hand, database: Database, superuser: psycopg.Connection
) -> None:
    old = await ordered(api, {"action": "tag", "add": ["a"]}, {"ids": await entered(api, 2)})
    older = await ordered(api, {"action": "tag", "add": ["b"]}, {"ids": await entered(api, 2)})
    await hand.work()
    draft = (await connect("manager").post("/imports?name=x", content="name\nAda\n")).json()["data"]["id"]
    superuser.execute("UPDATE jobs SET finished_at = now() - interval '8 days' WHERE id = %s", [old])
    superuser.execute("UPDATE jobs SET finished_at = now() - interval '91 days' WHERE id = %s", [older])
    superuser.execute("UPDATE jobs SET created_at = now() - interval '25 hours' WHERE id = %s", [draft])

    while await database.forget_jobs(1000):
        pass

    left = superuser.execute("SELECT job_id::text, items FROM job_batches").fetchall()
    assert left == [(old, None)]
    assert (await api.get(f"/jobs/{older}")).status_code == 404
    assert (await connect("manager").get(f"/imports/{draft}")).status_code == 404
    assert (await api.post(f"/jobs/{old}/undo")).status_code == 202
    (undone,) = await hand.work()
    assert undone.changed == 2
