"""An id names a thing of one kind: used for another kind, it is that of nothing, wherever it stands."""

from typing import Any

import httpx
import psycopg
import pytest

from leads.api.app import openapi
from leads.domain import jobs as rules
from leads.store.database import Database
from support.servers import NatsServer
from support.waiting import until

from .attempts import EVERY_LEAD, made, new_user
from .conftest import NOBODY, Company, Connect, Processes
from .working import Hand

BODIES: dict[str, Any] = {
    "change_lead": {"name": "Bob"},
    "assign_lead": {"assigned_to": None},
    "change_status": {"status": "contacted"},
    "tag_lead": {"add": ["vip"]},
    "convert_lead": {},
    "post_message": {"body": "Call her"},
    "edit_message": {"body": "Call her"},
    "merge_leads": {"other": NOBODY},
    "change_user": {"name": "Bob"},
    "map_import": {"mapping": ["name", None]},
    "change_view": {"name": "Other"},
}


@pytest.fixture
def hand(database: Database) -> Hand:
    return Hand(database)


@pytest.fixture
async def ids(connect: Connect, hand: Hand) -> dict[str, str]:
    """One thing of each kind that has an id; all but views have facts."""
    admin = connect("admin")
    lead = (await made(admin, "/leads", {"name": "Ada"}))["id"]
    user = (await made(admin, "/users", new_user()))["id"]
    view = (await made(admin, "/views", {"name": "All", "query": {}}))["id"]
    file = b"name,email\nGrace,grace@example.com\n"
    imported = (await admin.post("/imports?name=x.csv", content=file)).json()["data"]["id"]
    await admin.post(f"/imports/{imported}/start")
    order = {"leads": {"ids": [lead]}, "change": {"action": "tag", "add": ["vip"]}}
    job = (await admin.post("/leads/bulk", json=order)).json()["data"]["id"]
    undo = (await admin.post("/leads/bulk", json=order)).json()["data"]["id"]
    await hand.work()
    return {"lead": lead, "user": user, "view": view, "import": imported, "job": job, "other_job": undo}


def operations(parameter: str) -> list[tuple[str, str, str]]:
    """Return method, path and name of the operations that take an id of this kind."""
    return [
        (method.upper(), path, details["operationId"])
        for path, methods in openapi()["paths"].items()
        for method, details in methods.items()
        if f"{{{parameter}}}" in path
    ]


async def asked(client: httpx.AsyncClient, method: str, path: str, name: str) -> tuple[int, str]:
    query = "?from=1&to=1" if name == "read_diff" else ""
    answer = await client.request(method, path + query, json=BODIES.get(name), headers={"If-Match": "*"})
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("parameter", "own"),
    [
        ("lead_id", {"lead"}),
        ("user_id", {"user"}),
        ("view_id", {"view"}),
        ("job_id", {"job", "other_job", "import"}),  # an import's job has its id
        ("import_id", {"import"}),
    ],
)
async def test_the_id_of_another_kind_is_that_of_nothing(
    connect: Connect, ids: dict[str, str], parameter: str, own: set[str]
) -> None:
    admin = connect("admin")

    answers, expected = {}, {}
    for method, path, name in operations(parameter):
        if parameter == "lead_id":
            BODIES["merge_leads"] = {"other": ids["lead"]}
        url = path.replace("{message_id}", NOBODY)
        expected[name] = await asked(admin, method, url.replace(f"{{{parameter}}}", NOBODY), name)
        for kind, foreign in ids.items():
            if kind not in own:
                answers[name, kind] = await asked(admin, method, url.replace(f"{{{parameter}}}", foreign), name)

    assert {status for status, _code in expected.values()} == {404}
    assert answers == {(name, kind): expected[name] for name, kind in answers}


async def test_other_places_take_no_id_of_another_kind(
    connect: Connect, ids: dict[str, str], hand: Hand, acme: Company
) -> None:
    admin = connect("admin")
    foreign = [ids[kind] for kind in ("user", "import", "job", "view")]
    lead = f"/leads/{ids['lead']}"

    for other in foreign:
        merged = await admin.post(f"{lead}/merge", json={"other": other}, headers={"If-Match": "*"})
        tried = await admin.post(f"{lead}/merge?dry_run=true", json={"other": other})
        channel = {"socket_id": "1.2", "channel_name": f"presence-lead.{other}"}
        assert (merged.status_code, merged.json()["code"]) == (404, "other_lead_not_found")
        assert (tried.status_code, tried.json()["code"]) == (404, "other_lead_not_found")
        assert (await admin.post("/broadcasting/auth", json=channel)).status_code == 403
        assert (await admin.get("/leads", params={"view": other})).status_code == (200 if other == ids["view"] else 404)
    for channel_name in (f"private-user.{ids['lead']}", f"private-company.{ids['lead']}"):
        denied = await admin.post("/broadcasting/auth", json={"socket_id": "1.2", "channel_name": channel_name})
        assert denied.status_code == 403
    for other in (ids["lead"], ids["job"], str(acme.id)):
        assert (await admin.post(f"{lead}/assign", json={"assigned_to": other})).json()["code"] == "unknown_user"
        message = {"body": "Call her", "mentions": [other]}
        assert (await admin.post(f"{lead}/messages", json=message)).json()["code"] == "unknown_mention"

    for change in ({"action": "delete"}, {"action": "tag", "add": ["x"]}, {"action": "assign", "assigned_to": None}):
        await admin.post("/leads/bulk", json={"leads": {"ids": [*foreign, ids["lead"]]}, "change": change})
    ended = await hand.work()

    assert {(job.state, job.refused["lead_not_found"]) for job in ended} <= {("done", 4), ("done", 5)}
    assert len(ended) == 3


async def test_a_job_that_fails_each_time_ends_as_failed_and_says_why(
    connect: Connect,
    acme: Company,
    superuser: psycopg.Connection,
    processes: Processes,
    nats: NatsServer,
) -> None:
    """A batch that the database refuses, and one that it cannot take: the latter counts only when it lasts."""
    manager = connect("manager")
    await made(manager, "/leads", {"name": "Ada"})
    superuser.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = current_setting('test.code'); END $$"
    )
    superuser.execute("CREATE TRIGGER refuse BEFORE UPDATE ON leads FOR EACH ROW EXECUTE FUNCTION refuse()")

    async def failing(code: str, attempts: int, minutes: int) -> str:
        superuser.execute(f"ALTER DATABASE {superuser.info.dbname} SET test.code = '{code}'")
        order = {"leads": EVERY_LEAD, "change": {"action": "tag", "add": [f"t{code.lower()}"]}}
        job_id = str((await manager.post("/leads/bulk", json=order)).json()["data"]["id"])
        superuser.execute(
            "UPDATE jobs SET attempts = %s, reason = 'before', failing_since = now() - make_interval(mins => %s)"
            " WHERE id = %s",
            [attempts, minutes, job_id],
        )
        return job_id

    def has_failed(job_id: str) -> bool:
        superuser.execute("UPDATE jobs SET lease_until = NULL WHERE lease IS NULL")  # no waiting for the next attempt
        return row(job_id)[0] == "failed"

    def row(job_id: str) -> tuple[str, int, str | None, str | None]:
        found = superuser.execute("SELECT state, attempts, reason, error FROM jobs WHERE id = %s", [job_id]).fetchone()
        assert found is not None
        return found

    unexpected = await failing("P0001", rules.MOST_ATTEMPTS - 1, 0)
    worker = await processes.start("worker", role="leads_app", user="leads-api")
    await until(lambda: has_failed(unexpected), why="the unexpected error is given up")
    processes.stop(worker)
    passing = await failing("53100", 3, 0)
    worker = await processes.start("worker", role="leads_app", user="leads-api")
    await until(lambda: row(passing)[2] == "DiskFull (53100)", why="the database could not take it")
    processes.stop(worker)
    kept = row(passing)
    superuser.execute(
        "UPDATE jobs SET attempts = %s, failing_since = now() - interval '11 minutes' WHERE id = %s",
        [rules.MOST_ATTEMPTS - 1, passing],
    )
    worker = await processes.start("worker", role="leads_app", user="leads-api")
    await until(lambda: has_failed(passing), why="a database that cannot take it for long is given up")

    shown = (await manager.get(f"/jobs/{unexpected}")).json()["data"]
    assert (shown["state"], shown["error"], shown["reason"]) == ("failed", "gave_up", "RaiseException (P0001)")
    assert kept[0] in {"queued", "running"}
    assert kept[1] <= 3
    assert row(passing)[2:] == ("DiskFull (53100)", "gave_up")
    finished = superuser.execute("SELECT count(*) FROM events WHERE type = 'crm.job.finished.v1'").fetchone()
    assert finished == (2,)
