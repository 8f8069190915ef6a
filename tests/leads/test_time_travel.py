"""A lead as it was, what differed, and what happened to it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from .conftest import NOW, Clock, Company, Connect, etag

pytestmark = pytest.mark.clock


@pytest.fixture
async def lead(api: httpx.AsyncClient, clock: Clock) -> dict[str, Any]:
    """Ada, an hour later Bob and contacted, an hour later deleted."""
    created = (await api.post("/leads", json={"name": "Ada", "tags": ["vip"]})).json()["data"]
    clock.now = NOW + timedelta(hours=1)
    headers = {"X-Correlation-ID": "the-second"}
    await api.patch(f"/leads/{created['id']}", json={"name": "Bob", "status": "contacted"}, headers=headers)
    clock.now = NOW + timedelta(hours=2)
    await api.delete(f"/leads/{created['id']}")
    clock.now = NOW + timedelta(hours=3)
    return dict(created)


@pytest.mark.parametrize(
    ("as_of", "name", "status", "version"),
    [
        ("1", "Ada", "new", 1),
        ("2", "Bob", "new", 2),
        ("3", "Bob", "contacted", 3),
        ("2026-11-23T12:30:00Z", "Ada", "new", 1),
        ("2026-11-23T14:30:00+01:00", "Bob", "contacted", 3),
    ],
)
async def test_a_lead_is_read_as_it_was(
    api: httpx.AsyncClient, lead: dict[str, Any], as_of: str, name: str, status: str, version: int
) -> None:
    answer = await api.get(f"/leads/{lead['id']}", params={"as_of": as_of})

    data = answer.json()["data"]
    assert (data["name"], data["status"], data["version"]) == (name, status, version)
    assert answer.headers["ETag"] == etag(answer, version)
    assert answer.json()["meta"]["position"] == 4


@pytest.mark.parametrize("as_of", ["4", "9", "2026-11-23T11:59:59Z", "2026-11-24T00:00:00Z"])
async def test_a_lead_that_was_not_there_is_not_found(api: httpx.AsyncClient, lead: dict[str, Any], as_of: str) -> None:
    assert (await api.get(f"/leads/{lead['id']}", params={"as_of": as_of})).status_code == 404


async def test_a_version_that_a_lead_does_not_have_yet_is_not_found(api: httpx.AsyncClient) -> None:
    created = (await api.post("/leads", json={"name": "Ada"})).json()["data"]

    for path in ("?as_of=2", "/diff?from=1&to=2", "/diff?from=2&to=1"):
        assert (await api.get(f"/leads/{created['id']}{path}")).status_code == 404
    for path in ("?as_of=1", "?as_of=2027-01-01T00:00:00Z", "/diff?from=1&to=1"):
        assert (await api.get(f"/leads/{created['id']}{path}")).status_code == 200


@pytest.mark.parametrize("as_of", ["0", "-1", "yesterday", "2026-11-23T12:00:00", "99999999999", ""])
async def test_a_moment_that_is_none_is_refused(api: httpx.AsyncClient, lead: dict[str, Any], as_of: str) -> None:
    answer = await api.get(f"/leads/{lead['id']}", params={"as_of": as_of})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("as_of")


async def test_two_moments_are_compared_field_by_field(api: httpx.AsyncClient, lead: dict[str, Any]) -> None:
    url = f"/leads/{lead['id']}/diff"

    forwards = (await api.get(url, params={"from": "1", "to": "2026-11-23T13:30:00Z"})).json()["data"]
    same = (await api.get(url, params={"from": "2", "to": "2"})).json()["data"]

    assert (forwards["before"]["version"], forwards["after"]["version"]) == (1, 3)
    changes = forwards["changes"]
    since = changes.pop("status_since")
    assert since["old"] < "2026-11-23T12:01"
    assert {time[-1] for time in since.values()} == {"Z"}
    assert changes == {"name": {"old": "Ada", "new": "Bob"}, "status": {"old": "new", "new": "contacted"}}
    assert same["changes"] == {}
    for end in ("4", "5", "2026-11-23T11:59:59Z", "2026-11-24T00:00:00Z"):
        assert (await api.get(url, params={"from": "1", "to": end})).status_code == 404
    assert (await api.get(url, params={"from": "1"})).status_code == 422


async def test_history_names_author_and_cause_also_of_a_deleted_lead(
    api: httpx.AsyncClient, lead: dict[str, Any], acme: Company
) -> None:
    url: str | None = f"/leads/{lead['id']}/history?limit=3"
    entries = []
    pages = 0
    while url:
        page = (await api.get(url)).json()
        entries += page["data"]
        url = page["links"]["next"]
        pages += 1

    assert pages == 2
    assert [entry["type"] for entry in entries] == [
        "lead.created",
        "lead.updated",
        "lead.status_changed",
        "lead.deleted",
    ]
    assert {entry["actor"]["name"] for entry in entries} == {"Acme agent"}
    second, third = entries[1:3]
    assert second["caused_by"] == third["caused_by"]
    assert second["caused_by"]["correlation_id"] == "the-second"
    assert entries[0]["caused_by"]["command_id"] != second["caused_by"]["command_id"]


async def test_a_survivor_tells_what_happened_to_what_it_took_in(api: httpx.AsyncClient, connect: Connect) -> None:
    first, second, third = [(await api.post("/leads", json={"name": name})).json()["data"] for name in "ABC"]
    manager = connect("manager")
    for lead, body in ((third, "About C"), (first, "About A")):
        await api.post(f"/leads/{lead['id']}/messages", json={"body": body})
    for survivor, merged in ((second, third), (first, second)):
        answer = await manager.post(
            f"/leads/{survivor['id']}/merge", json={"other": merged["id"]}, headers={"If-Match": "*"}
        )
        assert answer.is_success, answer.text

    history = (await api.get(f"/leads/{first['id']}/history")).json()["data"]
    chat = (await api.get(f"/leads/{first['id']}/messages")).json()["data"]

    assert [message["body"] for message in chat] == ["About C", "About A"]
    assert {entry["lead_id"] for entry in history} == {first["id"], second["id"], third["id"]}
    assert [entry["position"] for entry in history] == sorted(entry["position"] for entry in history)
    created = [entry["lead_id"] for entry in history if entry["type"] == "lead.created"]
    assert created == [first["id"], second["id"], third["id"]]
    deleted = [entry["details"]["merged_into"] for entry in history if entry["type"] == "lead.deleted"]
    assert deleted == [second["id"], first["id"]]
    for method, path in (("GET", ""), ("GET", "/messages"), ("DELETE", ""), ("GET", "?as_of=99")):
        gone = await api.request(method, f"/leads/{third['id']}{path}")
        assert (gone.status_code, gone.json()["merged_into"]) == (404, second["id"])


async def test_deleted_leads_are_listed_the_last_one_first(api: httpx.AsyncClient, acme: Company) -> None:
    for number in range(5):
        lead = (await api.post("/leads", json={"name": f"Lead {number}"})).json()["data"]
        await api.delete(f"/leads/{lead['id']}")

    names, url = [], "/leads/deleted?limit=2"
    while url:
        page = (await api.get(url)).json()
        names += [deleted["lead"]["name"] for deleted in page["data"]]
        url = page["links"]["next"]

    assert names == [f"Lead {number}" for number in reversed(range(5))]
    assert page["data"][0]["deleted_by"] == str(acme.users["agent"])


async def test_messages_are_read_page_by_page(api: httpx.AsyncClient) -> None:
    lead = (await api.post("/leads", json={"name": "Ada"})).json()["data"]
    for number in range(5):
        answer = await api.post(f"/leads/{lead['id']}/messages", json={"body": f"Message {number}"})
        assert answer.is_success, answer.text

    bodies, url = [], f"/leads/{lead['id']}/messages?limit=2"
    while url:
        page = (await api.get(url)).json()
        bodies += [message["body"] for message in page["data"]]
        url = page["links"]["next"]

    assert bodies == [f"Message {number}" for number in range(5)]


@pytest.mark.parametrize("path", ["", "/history", "/diff?from=1&to=2", "/messages", "?as_of=1"])
async def test_leads_of_others_and_of_nobody_are_not_found(
    connect: Connect, lead: dict[str, Any], globex: Company, path: str
) -> None:
    for lead_id in (lead["id"], str(uuid4())):
        answer = await connect(company=globex).get(f"/leads/{lead_id}{path}")

        assert (answer.status_code, answer.json()["code"]) == (404, "lead_not_found")
