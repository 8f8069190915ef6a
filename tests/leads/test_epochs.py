"""The log's epoch: positions that are used again, after an older state was restored, are not taken for the old ones."""

import asyncio
from typing import Any

import httpx
import psycopg
import pytest

from leads.api.context import Services
from leads.store.directory import Directory
from leads.watch import follow_epoch
from support.waiting import until

from .conftest import Company, Connect
from .test_polling import post

RESTORED = "SELECT begin_epoch('restored in a test')"


@pytest.fixture
async def following(services: Services) -> Any:
    """What the process of the api does beside answering."""
    task = asyncio.create_task(follow_epoch(services.directory, services.watch))
    yield task
    task.cancel()


def gone(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 410, answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == "epoch_changed"
    return problem


async def test_every_answer_says_the_epoch_of_its_position(api: httpx.AsyncClient) -> None:
    lead = await post(api)
    paths = (
        "/leads",
        f"/leads/{lead['id']}",
        "/changes",
        "/stats",
        "/users",
        "/company",
        "/pipeline",
        "/views",
        "/jobs",
    )

    answers = [await api.get(path) for path in paths]
    answers.append(await api.patch(f"/leads/{lead['id']}", json={"name": "Grace"}))
    answers.append(await api.post("/views", json={"name": "Mine", "query": {}}))

    epochs = {answer.json()["meta"]["epoch"] for answer in answers}
    assert len(epochs) == 1
    assert all(epochs)


async def test_who_knows_another_epoch_is_told_to_load_everything_again(
    api: httpx.AsyncClient, superuser: psycopg.Connection
) -> None:
    await post(api)
    before = (await api.get("/leads")).json()["meta"]
    superuser.execute(RESTORED)
    await post(api, name="Of the new epoch")

    problems = [
        gone(await api.get("/changes", params={"after": 1, "epoch": before["epoch"], "wait": wait})) for wait in (0, 60)
    ]
    gone(await api.get("/leads", params={"min_position": 2, "epoch": before["epoch"]}))
    now = (await api.get("/leads")).json()["meta"]
    page = await api.get("/changes", params={"after": 1, "epoch": now["epoch"]})

    assert now["epoch"] != before["epoch"]
    assert [(problem["epoch"], problem["position"]) for problem in problems] == [(now["epoch"], 2)] * 2
    assert [entry["position"] for entry in page.json()["data"]] == [2]


async def test_a_position_that_the_feed_has_not_come_to_is_of_another_epoch(api: httpx.AsyncClient) -> None:
    """The poller of a release before that knows no epochs is told as well, and is not left waiting for the future."""
    await post(api)

    problem = gone(await api.get("/changes?after=2&wait=60"))

    assert problem["position"] == 1


async def test_who_waits_is_told_within_seconds(
    api: httpx.AsyncClient, superuser: psycopg.Connection, services: Services, following: asyncio.Task[None]
) -> None:
    await post(api)
    services.watch.hears = lambda: True  # nothing wakes it but the epoch
    waiting = asyncio.create_task(api.get("/changes?after=1&wait=60"))
    await until(lambda: services.watch.count == 1, why="the request waits")

    superuser.execute(RESTORED)

    gone(await asyncio.wait_for(waiting, 10))


async def test_an_answer_of_another_epoch_is_not_the_same(
    api: httpx.AsyncClient, superuser: psycopg.Connection
) -> None:
    await post(api)
    tags = {path: (await api.get(path)).headers["ETag"] for path in ("/leads", "/stats")}
    superuser.execute(RESTORED)

    answers = [await api.get(path, headers={"If-None-Match": tag}) for path, tag in tags.items()]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_version_of_another_epoch_is_another_state(
    connect: Connect, superuser: psycopg.Connection, acme: Company
) -> None:
    """Leads, users and the pipeline count their versions again: by the number alone, another state looks the same."""
    admin = connect("admin")
    lead, user = f"/leads/{(await post(admin))['id']}", f"/users/{acme.users['agent']}"
    known = {path: (await admin.get(path)).headers["ETag"] for path in (lead, user, "/pipeline")}
    stages = (await admin.get("/pipeline")).json()["data"]["stages"]
    changes: dict[str, tuple[str, str, dict[str, Any]]] = {
        lead: ("PATCH", lead, {"name": "Mallory"}),
        user: ("PATCH", user, {"name": "Mallory"}),
        "/pipeline": ("PUT", "/pipeline", {"stages": stages}),
    }
    merge = f"{lead}/merge", {"other": (await post(admin, name="Twin", allow_duplicate=True))["id"]}
    superuser.execute(RESTORED)

    assert (await admin.get(lead, headers={"If-None-Match": known[lead]})).status_code == 200
    for path, (method, url, body) in changes.items():
        stale = await admin.request(method, url, json=body, headers={"If-Match": known[path]})
        fresh = (await admin.get(path)).headers["ETag"]
        done = await admin.request(method, url, json=body, headers={"If-Match": fresh})
        by_number = await admin.request(
            method, url, json=body, headers={"If-Match": f'"{done.json()["data"]["version"]}"'}
        )

        assert fresh != known[path]
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
        assert (done.status_code, by_number.status_code) == (200, 200)
    preview = await admin.post(merge[0], params={"dry_run": True}, json=merge[1], headers={"If-Match": known[lead]})
    assert (preview.status_code, preview.json()["code"]) == (412, "stale_version")


async def test_settings_of_another_epoch_are_forgotten(
    connect: Connect, superuser: psycopg.Connection, acme: Company, services: Services
) -> None:
    """Their versions go back with the database: what a process knows may be newer by number, and not be there."""
    admin = connect("admin")
    for key in ("web", "fair"):
        assert (await admin.post("/sources", json={"key": key, "name": key})).status_code == 201
    assert (await admin.get("/sources")).json()["data"]
    superuser.execute("DELETE FROM sources WHERE key = 'fair'")
    superuser.execute("UPDATE feeds SET settings_version = 1")
    superuser.execute(RESTORED)
    await services.directory.look_at_epoch()

    shown = (await admin.get("/sources")).json()["data"]
    refused = await admin.post("/leads", json={"name": "Ada", "source": "fair"})

    assert "fair" not in [source["key"] for source in shown]
    assert refused.status_code == 422


async def test_settings_that_went_back_in_the_same_epoch_do_not_block_writers(
    connect: Connect, superuser: psycopg.Connection, services: Services
) -> None:
    """Between a restore that nobody told of and its discovery."""
    admin = connect("admin")
    for key in ("fair", "web"):
        await admin.post("/sources", json={"key": key, "name": key})
    superuser.execute("UPDATE feeds SET settings_version = 1")

    created = await admin.post("/leads", json={"name": "Ada"})

    assert created.status_code == 201, created.text


async def test_directory_knows_the_epoch(services: Services, acme: Company) -> None:
    directory: Directory = services.directory

    feed = await directory.feed(acme.id)

    assert directory.epoch == feed.epoch != ""
