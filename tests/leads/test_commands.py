"""Every operation on a lead over REST: what it answers, what it refuses, and what is read afterwards."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from contracts import envelope
from leads.domain import counters

from .conftest import Company, Connect, etag
from .test_api import post

PHONE = "+5511987654321"


def facts_of(superuser: psycopg.Connection, company: Company) -> list[Any]:
    """Return the company's log."""
    rows = superuser.execute(
        "SELECT type, data FROM events WHERE company_id = %s ORDER BY feed_position", [company.id]
    ).fetchall()
    return [envelope.decode(name, data) for name, data in rows]


def counted(superuser: psycopg.Connection, company: Company) -> dict[tuple[str, str], int]:
    rows = superuser.execute(
        "SELECT dimension, key, count FROM counters WHERE company_id = %s", [company.id]
    ).fetchall()
    return {(dimension, key): count for dimension, key, count in rows if count}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_lead_is_assigned_and_taken_away(api: httpx.AsyncClient, acme: Company) -> None:
    url = f"/leads/{(await post(api))['id']}/assign"
    agent = str(acme.users["agent"])

    given = await api.post(url, json={"assigned_to": agent})
    taken = await api.post(url, json={"assigned_to": None})

    assert (given.status_code, given.json()["data"]["assigned_to"], given.headers["ETag"]) == (
        200,
        agent,
        etag(given, 2),
    )
    assert taken.json()["data"]["assigned_to"] is None
    for nobody in (str(acme.users["viewer"]), str(uuid4())):
        assert code_of(await api.post(url, json={"assigned_to": nobody})) == (422, "unknown_user")
    assert code_of(await api.post(url, json={})) == (422, "invalid_request")


async def test_turns_are_fair_however_many_ask_at_once(api: httpx.AsyncClient, acme: Company) -> None:
    leads = [await post(api) for _ in range(12)]

    answers = await asyncio.gather(
        *(api.post(f"/leads/{lead['id']}/assign", json={"assigned_to": "round_robin"}) for lead in leads)
    )

    turns = Counter(answer.json()["data"]["assigned_to"] for answer in answers)
    assert turns == {str(acme.users["agent"]): 6, str(acme.users["manager"]): 6}


async def test_a_turn_is_taken_once_per_key(api: httpx.AsyncClient) -> None:
    url = f"/leads/{(await post(api))['id']}/assign"
    key = {"Idempotency-Key": "one"}

    answers = [await api.post(url, json={"assigned_to": "round_robin"}, headers=key) for _ in range(3)]

    assert len({answer.text for answer in answers}) == 1


async def test_a_lead_moves_with_a_reason(api: httpx.AsyncClient) -> None:
    lead = await post(api)
    url = f"/leads/{lead['id']}/status"

    lost = await api.post(url, json={"status": "lost", "lost_reason": "Too dear"})
    won = await api.post(url, json={"status": "won"})

    assert (lost.json()["data"]["status"], lost.json()["data"]["lost_reason"]) == ("lost", "Too dear")
    assert (won.json()["data"]["status"], won.json()["data"]["lost_reason"]) == ("won", None)
    assert code_of(await api.post(url, json={"status": "won", "lost_reason": "x"})) == (422, "reason_without_loss")
    unknown = await api.post(url, json={"status": "nowhere"})
    assert code_of(unknown) == (422, "unknown_stage")
    assert unknown.json()["errors"][0]["pointer"] == "/status"


async def test_tags_come_and_go(api: httpx.AsyncClient) -> None:
    url = f"/leads/{(await post(api, tags=['Cold']))['id']}/tags"

    changed = await api.post(url, json={"add": ["VIP"], "remove": ["cold"]})

    assert changed.json()["data"]["tags"] == ["vip"]
    assert code_of(await api.post(url, json={"add": [" "]})) == (422, "invalid_request")


async def test_a_message_is_posted_and_edited_by_its_author_alone(connect: Connect, acme: Company) -> None:
    agent, manager = connect(), connect("manager")
    url = f"/leads/{(await post(agent))['id']}/messages"
    mentions = [str(acme.users["manager"])]

    posted = await agent.post(url, json={"body": " Call her\nat noon ", "mentions": mentions})
    message = posted.json()["data"]
    edited = await agent.patch(f"{url}/{message['id']}", json={"body": "Call her at one"})
    again = await agent.patch(f"{url}/{message['id']}", json={"body": "Call her at one"})

    assert (posted.status_code, posted.headers["ETag"]) == (201, etag(posted, 2))
    assert (message["author"], message["body"], message["mentions"]) == (
        str(acme.users["agent"]),
        "Call her\nat noon",
        mentions,
    )
    assert edited.json()["data"] == again.json()["data"]
    assert (edited.json()["data"]["mentions"], edited.headers["ETag"], again.headers["ETag"]) == (
        mentions,
        etag(edited, 3),
        etag(edited, 3),
    )
    assert code_of(await manager.patch(f"{url}/{message['id']}", json={"body": "x"})) == (403, "not_the_author")
    assert code_of(await agent.patch(f"{url}/{uuid4()}", json={"body": "x"})) == (404, "message_not_found")
    assert code_of(await agent.post(url, json={"body": "x", "mentions": [str(uuid4())]})) == (422, "unknown_mention")
    assert code_of(await agent.post(url, json={"body": " "})) == (422, "invalid_request")


async def test_a_message_with_a_key_is_posted_once(api: httpx.AsyncClient) -> None:
    url = f"/leads/{(await post(api))['id']}/messages"
    key = {"Idempotency-Key": "one"}

    answers = await asyncio.gather(*(api.post(url, json={"body": "Hello"}, headers=key) for _ in range(4)))
    other = await api.post(url, json={"body": "Bye"}, headers=key)

    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert code_of(other) == (422, "idempotency_key_reused")
    assert (await api.get("/changes")).json()["meta"]["position"] == 2


async def test_a_lead_is_converted_once(api: httpx.AsyncClient) -> None:
    url = f"/leads/{(await post(api))['id']}/convert"
    contact = str(uuid4())

    answers = await asyncio.gather(*(api.post(url, json={"contact_id": contact}) for _ in range(4)))
    bare = await api.post(url)
    other = await api.post(url, json={"contact_id": str(uuid4())})

    (lead,) = {str(answer.json()["data"]) for answer in (*answers, bare)}
    assert contact in lead
    assert bare.json()["data"]["status"] == "won"
    assert code_of(other) == (409, "already_converted")
    assert (await api.get("/changes")).json()["meta"]["position"] == 3


async def test_leads_are_merged(connect: Connect, acme: Company, superuser: psycopg.Connection) -> None:
    api = connect("manager")
    ours, theirs = await post(api, email="ada@example.com"), await post(api, phone=PHONE, tags=["vip"])
    url = f"/leads/{ours['id']}/merge"
    message = await api.post(f"/leads/{theirs['id']}/messages", json={"body": "Hello"})
    body = {"other": theirs["id"]}

    preview = await api.post(f"{url}?dry_run=true", json=body)
    blind = await api.post(url, json=body)
    stale = await api.post(url, json={**body, "other_version": 1}, headers={"If-Match": '"1"'})
    low = await connect("agent").post(url, json=body, headers={"If-Match": '"1"'})
    before = (await api.get("/changes")).json()["meta"]
    merged = await api.post(url, json=body, headers={"If-Match": '"1"'})
    edited = await api.patch(f"/leads/{ours['id']}/messages/{message.json()['data']['id']}", json={"body": "Bye"})

    assert preview.json()["dry_run"] is True
    assert preview.json()["changes"] == {
        "phone": {"old": None, "new": PHONE},
        "tags": {"old": [], "new": ["vip"]},
    }
    assert [code_of(answer) for answer in (blind, stale, low)] == [
        (428, "precondition_required"),
        (412, "stale_version"),
        (403, "forbidden"),
    ]
    assert before["position"] == 3
    data = merged.json()["data"]
    assert {**preview.json()["data"], "updated_at": data["updated_at"]} == data
    assert (data["phone"], data["messages"], data["version"]) == (PHONE, 1, 2)
    assert edited.json()["data"]["body"] == "Bye"
    assert (await api.get(f"/leads/{theirs['id']}")).status_code == 404
    assert code_of(await api.post(f"/leads/{theirs['id']}/restore")) == (409, "lead_was_merged")
    assert code_of(await api.post(url, json=body, headers={"If-Match": "*"})) == (404, "other_lead_not_found")
    assert superuser.execute("SELECT survivor_id::text, merged_id::text FROM merged_leads").fetchall() == [
        (ours["id"], theirs["id"])
    ]


async def test_who_was_merged_twice_is_remembered_by_the_last(connect: Connect, superuser: psycopg.Connection) -> None:
    api = connect("manager")
    one, two, three = [await post(api) for _ in range(3)]
    for survivor, other in ((two, one), (three, two)):
        merged = await api.post(
            f"/leads/{survivor['id']}/merge", json={"other": other["id"]}, headers={"If-Match": "*"}
        )
        assert merged.status_code == 200

    found = superuser.execute(
        "SELECT merged_id::text FROM merged_leads WHERE survivor_id = %s", [three["id"]]
    ).fetchall()

    assert {merged_id for (merged_id,) in found} == {one["id"], two["id"]}


async def test_a_deletion_is_taken_back(api: httpx.AsyncClient, superuser: psycopg.Connection) -> None:
    lead = await post(api, email="ada@example.com")
    url = f"/leads/{lead['id']}"
    await api.delete(url)
    deleted = superuser.execute("SELECT id::text, lead->>'name', merged_into FROM deleted_leads").fetchall()

    stale = await api.post(f"{url}/restore", headers={"If-Match": '"1"'})
    restored = await api.post(f"{url}/restore", headers={"If-Match": '"2"'})
    again = await api.post(f"{url}/restore")

    assert deleted == [(lead["id"], "Ada", None)]
    assert code_of(stale) == (412, "stale_version")
    assert (restored.status_code, restored.json()["data"]["email"]) == (200, "ada@example.com")
    assert again.json()["data"] == restored.json()["data"]
    assert superuser.execute("SELECT count(*) FROM deleted_leads").fetchone() == (0,)
    assert (await api.get(url)).status_code == 200


async def test_duplicates_are_told_and_can_be_allowed(api: httpx.AsyncClient, acme: Company) -> None:
    agent = str(acme.users["agent"])
    known = await post(api, name="Ada", email="ada@example.com", phone=PHONE, assigned_to=agent)
    same = {"name": "Bea", "email": " ADA@example.com", "phone": "+55 11 98765-4321"}

    refused = await api.post("/leads", json=same)
    allowed = await api.post("/leads", json={**same, "allow_duplicate": True})

    assert code_of(refused) == (409, "duplicate_lead")
    assert refused.json()["candidates"] == [
        {"id": known["id"], "name": "Ada", "matched": ["email", "phone"], "assigned_to": agent}
    ]
    assert allowed.status_code == 201
    fact = (await api.get("/changes?after=1")).json()["data"][0]
    assert fact["type"] == "lead.created"


async def test_a_lead_that_is_a_duplicate_knowingly_says_so(
    api: httpx.AsyncClient, acme: Company, superuser: psycopg.Connection
) -> None:
    known = await post(api, email="ada@example.com")
    await post(api, email="ada@example.com", allow_duplicate=True)

    _, fact = facts_of(superuser, acme)

    assert [duplicate.id for duplicate in fact.duplicates] == [known["id"]]


async def test_only_what_is_new_can_be_a_duplicate(connect: Connect) -> None:
    api = connect("manager")
    one = await post(api, email="ada@example.com")
    two = await post(api, email="ada@example.com", allow_duplicate=True)
    three = await post(api, name="Cleo")
    url = f"/leads/{two['id']}"

    renamed = await api.patch(url, json={"name": "Bea", "email": "ada@example.com"})
    moved = await api.patch(f"/leads/{three['id']}", json={"email": "ada@example.com"})
    allowed = await api.patch(f"/leads/{three['id']}", json={"email": "ada@example.com", "allow_duplicate": True})
    await api.delete(url)
    restored = await api.post(f"{url}/restore")
    allowed_back = await api.post(f"{url}/restore", json={"allow_duplicate": True})
    four = await post(api)
    third = await api.post(f"/leads/{four['id']}/merge", json={"other": one["id"]}, headers={"If-Match": "*"})
    await api.delete(f"/leads/{three['id']}")
    await api.delete(url)
    merged = await api.post(f"/leads/{four['id']}/merge", json={"other": one["id"]}, headers={"If-Match": "*"})

    assert (renamed.status_code, allowed.status_code, allowed_back.status_code, merged.status_code) == (200,) * 4
    assert [code_of(answer) for answer in (moved, restored, third)] == [(409, "duplicate_lead")] * 3
    assert len(third.json()["candidates"]) == 2


async def test_of_many_who_enter_the_same_lead_at_once_one_does(connect: Connect) -> None:
    api = connect()

    answers = await asyncio.gather(
        *(api.post("/leads", json={"name": f"Ada {number}", "email": "ada@example.com"}) for number in range(12))
    )

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 11}


async def test_one_writer_wins_each_version(api: httpx.AsyncClient) -> None:
    url = f"/leads/{(await post(api))['id']}"
    for version in range(1, 6):
        attempts = [
            api.patch(url, json={"name": f"Name {version}"}, headers={"If-Match": f'"{version}"'}),
            api.post(f"{url}/tags", json={"add": [f"tag {version}"]}, headers={"If-Match": f'"{version}"'}),
            api.post(f"{url}/messages", json={"body": "Hello"}, headers={"If-Match": f'"{version}"'}),
            *(
                api.patch(url, json={"score": 10 * version + number}, headers={"If-Match": f'"{version}"'})
                for number in range(6)
            ),
        ]

        outcomes = Counter(answer.status_code for answer in await asyncio.gather(*attempts))

        assert outcomes.pop(412) == 8
        assert sum(outcomes.values()) == 1
    assert (await api.get("/changes")).json()["meta"]["position"] == 6


@pytest.mark.parametrize("path", ["assign", "status", "tags", "messages", "convert", "restore", "merge"])
async def test_every_operation_keeps_to_if_match(connect: Connect, path: str) -> None:
    api = connect("manager")
    url = f"/leads/{(await post(api))['id']}"
    bodies = {
        "assign": {"assigned_to": None},
        "status": {"status": "won"},
        "tags": {"add": ["vip"]},
        "messages": {"body": "Hello"},
        "merge": {"other": (await post(api))["id"]},
    }

    answer = await api.post(f"{url}/{path}", json=bodies.get(path), headers={"If-Match": '"7"'})

    assert code_of(answer) == (412, "stale_version")


async def test_the_counters_equal_a_recount_of_the_log(
    connect: Connect, acme: Company, superuser: psycopg.Connection
) -> None:
    api = connect("manager")
    one, two, three = [await post(api, source=source, status="contacted") for source in ("web", "fair", "web")]
    await api.post(f"/leads/{one['id']}/status", json={"status": "qualified"})
    await api.post(f"/leads/{one['id']}/assign", json={"assigned_to": "round_robin"})
    await api.post(f"/leads/{two['id']}/convert")
    await api.post(f"/leads/{one['id']}/merge", json={"other": two["id"]}, headers={"If-Match": "*"})
    await api.post(f"/leads/{three['id']}/messages", json={"body": "Hello"})
    await api.delete(f"/leads/{three['id']}")
    await api.post(f"/leads/{three['id']}/restore")
    await api.delete(f"/leads/{three['id']}")

    assert counted(superuser, acme) == counters.recount(facts_of(superuser, acme))
    assert counted(superuser, acme)["total", ""] == 1


async def test_settings_that_changed_meanwhile_decide(
    connect: Connect, acme: Company, superuser: psycopg.Connection
) -> None:
    """As another process would change them: this one learns of it in the append."""
    api, manager = connect(), str(acme.users["manager"])
    lead = await post(api, assigned_to=manager)

    superuser.execute("UPDATE users SET active = false WHERE id = %s", [acme.users["manager"]])
    superuser.execute("UPDATE feeds SET settings_version = settings_version + 1 WHERE company_id = %s", [acme.id])
    created = await api.post("/leads", json={"name": "Bea", "assigned_to": manager})
    superuser.execute("UPDATE users SET active = true WHERE id = %s", [acme.users["manager"]])
    superuser.execute("UPDATE users SET active = false WHERE id = %s", [acme.users["agent"]])
    superuser.execute("UPDATE feeds SET settings_version = settings_version + 1 WHERE company_id = %s", [acme.id])
    answers = [
        await api.post("/leads", json={"name": "Bea"}),
        await api.patch(f"/leads/{lead['id']}", json={"name": "Bea"}),
    ]
    back = await connect("admin").post("/leads", json={"name": "Cleo", "assigned_to": manager})

    assert code_of(created) == (422, "unknown_user")
    assert [code_of(answer) for answer in answers] == [(401, "unauthenticated")] * 2
    assert back.status_code == 201
