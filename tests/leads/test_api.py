"""The REST API: what clients rely on."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from contracts import signing, tokens
from leads import access
from leads.api.context import Services
from leads.passwords import QUEUE
from support.waiting import until

from .conftest import NOW, PASSWORD, SIGNING_KEY, Company, Connect, etag

EXPIRES_AT = int(NOW.timestamp()) + 300

LEAD = {"name": "Ada", "email": "ada@example.com", "source": "web"}


async def post(api: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    created = await api.post("/leads", json={"name": "Ada", **values})
    assert created.status_code == 201, created.text
    data: dict[str, Any] = created.json()["data"]
    return data


async def test_a_lead_is_created(api: httpx.AsyncClient, acme: Company) -> None:
    values = {
        **LEAD,
        "phone": "+5511987654321",
        "organisation": "Acme",
        "title": "Boss",
        "status": "qualified",
        "assigned_to": str(acme.users["agent"]),
        "value": "1500.00",
        "currency": "BRL",
        "score": 70,
        "tags": ["vip"],
    }

    created = await api.post("/leads", json=values)

    body = created.json()
    assert created.status_code == 201
    assert created.headers["Location"] == f"/leads/{body['data']['id']}"
    assert created.headers["ETag"] == etag(created, 1)
    assert body["meta"]["position"] == 1
    assert {field: body["data"][field] for field in values} == values
    made = {"id", "status_since", "created_at", "updated_at", "version", "messages", "custom"}
    assert set(body["data"]) - set(values) - made == {"lost_reason", "contact_id", "deal_id", "converted_at"}
    assert (await api.get(created.headers["Location"])).json() == body


async def test_a_lead_is_changed_field_by_field(api: httpx.AsyncClient) -> None:
    lead = await post(api, **LEAD)

    changed = await api.patch(f"/leads/{lead['id']}", json={"email": None, "status": "won"})

    assert changed.status_code == 200
    assert changed.headers["ETag"] == etag(changed, 3)
    assert changed.json()["meta"]["position"] == 3
    after = changed.json()["data"]
    moved = {"status": "won", "status_since": after["updated_at"], "updated_at": after["updated_at"]}
    assert after == {**lead, **moved, "email": None, "version": 3}


async def test_a_change_of_nothing_is_none(api: httpx.AsyncClient) -> None:
    lead = await post(api)

    changed = await api.patch(f"/leads/{lead['id']}", json={"name": " Ada "})

    assert (changed.status_code, changed.json()["data"], changed.json()["meta"]["position"]) == (200, lead, 1)


async def test_a_deleted_lead_is_gone_but_not_forgotten(api: httpx.AsyncClient) -> None:
    lead = await post(api)
    url = f"/leads/{lead['id']}"

    deleted = await api.delete(url)

    assert deleted.status_code == 200
    assert deleted.json()["data"]["name"] == "Ada"
    assert [(await api.request(method, url, **body)).status_code for method, body in WAYS_TO_A_LEAD] == [404, 404, 404]
    history = (await api.get(f"{url}/history")).json()["data"]
    assert [fact["type"] for fact in history] == ["lead.created", "lead.deleted"]


WAYS_TO_A_LEAD: list[tuple[str, dict[str, Any]]] = [("GET", {}), ("PATCH", {"json": {"name": "Bob"}}), ("DELETE", {})]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_stale_if_match_is_refused(api: httpx.AsyncClient, method: str) -> None:
    lead = await post(api)
    url = f"/leads/{lead['id']}"
    body = {"json": {"name": "Bob"}} if method == "PATCH" else {}
    await api.patch(url, json={"name": "Carol"})

    stale = await api.request(method, url, headers={"If-Match": '"1"'}, **body)
    fresh = await api.request(method, url, headers={"If-Match": '"2"'}, **body)

    assert (stale.status_code, stale.json()["code"], fresh.status_code) == (412, "stale_version", 200)


async def test_pages_of_leads_follow_each_other_newest_first(api: httpx.AsyncClient) -> None:
    names = [f"Lead {number}" for number in range(7)]
    for name in names:
        await post(api, name=name, status="won" if name.endswith(("2", "5")) else "new")

    seen = []
    url = "/leads?limit=3"
    pages = 0
    while url:
        page = (await api.get(url)).json()
        seen += [lead["name"] for lead in page["data"]]
        url = page["links"]["next"]
        pages += 1
    won = (await api.get("/leads?status=won&limit=1")).json()
    rest = (await api.get(won["links"]["next"])).json()

    assert (seen, pages) == (names[::-1], 3)
    assert [lead["name"] for lead in won["data"] + rest["data"]] == ["Lead 5", "Lead 2"]
    assert rest["links"]["next"] is None
    assert page["meta"]["position"] == 7


async def test_a_page_does_not_shift_when_leads_are_added(api: httpx.AsyncClient) -> None:
    for number in range(4):
        await post(api, name=f"Lead {number}")
    first = (await api.get("/leads?limit=2")).json()
    await post(api, name="Lead 4")

    second = (await api.get(first["links"]["next"])).json()

    assert [lead["name"] for lead in second["data"]] == ["Lead 1", "Lead 0"]


async def test_history_tells_who_changed_what(connect: Connect, acme: Company) -> None:
    lead = await post(connect())
    await connect("manager").patch(f"/leads/{lead['id']}", json={"name": "Bob", "status": "lost"})

    history = (await connect("viewer").get(f"/leads/{lead['id']}/history")).json()

    assert history["meta"]["position"] == 3
    assert [(entry["position"], entry["version"], entry["type"], entry["changes"]) for entry in history["data"]] == [
        (1, 1, "lead.created", {}),
        (2, 2, "lead.updated", {"name": {"old": "Ada", "new": "Bob"}}),
        (3, 3, "lead.status_changed", {"status": {"old": "new", "new": "lost"}}),
    ]
    assert [entry["actor"] for entry in history["data"]] == [
        {"id": str(acme.users["agent"]), "name": "Acme agent"},
        *[{"id": str(acme.users["manager"]), "name": "Acme manager"}] * 2,
    ]


async def test_changes_are_dense_and_reach_back_to_the_first(api: httpx.AsyncClient, acme: Company) -> None:
    lead = await post(api)
    for name in ("Bob", "Carol", "Dora"):
        await api.patch(f"/leads/{lead['id']}", json={"name": name})

    first = (await api.get("/changes?limit=3")).json()
    rest = (await api.get(first["links"]["next"])).json()
    nothing = (await api.get("/changes?after=4")).json()

    assert [entry["position"] for entry in first["data"] + rest["data"]] == [1, 2, 3, 4]
    assert first["meta"] == rest["meta"]
    assert first["meta"]["position"] == 4
    assert rest["links"]["next"] is None
    assert (nothing["data"], nothing["links"]) == ([], {"next": None})
    last = rest["data"][0]
    assert (last["type"], last["actor"]) == ("lead.updated", str(acme.users["agent"]))
    assert (last["lead"]["name"], last["changes"]) == ("Dora", {"name": {"old": "Carol", "new": "Dora"}})


async def test_a_repeated_request_is_answered_as_the_first_time(api: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}

    answers = await asyncio.gather(*(api.post("/leads", json=LEAD, headers=key) for _ in range(8)))
    reordered = await api.post("/leads", json=dict(reversed(LEAD.items())), headers=key)
    other = await api.post("/leads", json={**LEAD, "name": "Bob"}, headers=key)

    assert {answer.status_code for answer in answers} == {201}
    assert {(answer.text, answer.headers["ETag"], answer.headers["Location"]) for answer in (*answers, reordered)} == {
        (reordered.text, etag(reordered, 1), reordered.headers["Location"])
    }
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await api.get("/changes")).json()["meta"]["position"] == 1


async def test_a_repeated_change_gets_its_answer_though_its_if_match_is_stale_by_now(api: httpx.AsyncClient) -> None:
    url = f"/leads/{(await post(api))['id']}"
    headers = {"Idempotency-Key": "one", "If-Match": '"1"'}

    first = await api.patch(url, json={"name": "Bob"}, headers=headers)
    again = await api.patch(url, json={"name": "Bob"}, headers=headers)
    elsewhere = await api.delete(url, headers={"Idempotency-Key": "one"})

    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert elsewhere.status_code == 422


async def test_logging_in(connect: Connect, acme: Company) -> None:
    api = connect()
    login = await api.post("/auth/login", json={"email": " Agent@ACME.example ", "password": PASSWORD})

    body = login.json()
    claims = tokens.Verifier(SIGNING_KEY.public).read(body["access_token"], now=NOW + timedelta(hours=11))
    assert login.status_code == 200
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 43_200)
    assert body["user"] == {
        "id": str(acme.users["agent"]),
        "name": "Acme agent",
        "email": "agent@acme.example",
        "role": "agent",
        "company_id": str(acme.id),
        "company_name": "Acme",
    }
    assert (claims.user_id, claims.company_id, claims.role) == (str(acme.users["agent"]), str(acme.id), "agent")
    assert (await api.get("/auth/me")).json()["data"] == body["user"]


async def test_colleagues_are_listed(api: httpx.AsyncClient, acme: Company) -> None:
    users = (await api.get("/users")).json()["data"]

    assert [{name: user[name] for name in ("id", "name", "role")} for user in users] == [
        {"id": str(acme.users[role]), "name": f"Acme {role}", "role": role}
        for role in ("admin", "agent", "manager", "viewer")
    ]


async def test_guessing_passwords_is_slowed_down(api: httpx.AsyncClient) -> None:
    wrong = {"email": "agent@acme.example", "password": "guess"}

    answers = [await api.post("/auth/login", json=wrong) for _ in range(6)]
    other = await api.post("/auth/login", json={"email": "admin@acme.example", "password": PASSWORD})

    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert other.status_code == 200


async def test_more_log_ins_than_can_be_verified_soon_are_told_to_come_back(
    api: httpx.AsyncClient, services: Services
) -> None:
    async def log_in(number: int) -> httpx.Response:
        return await api.post("/auth/login", json={"email": f"{number}@acme.example", "password": "guess"})

    turns = services.passwords._turns
    async with turns, turns:  # nobody is verified meanwhile
        tasks = [asyncio.create_task(log_in(number)) for number in range(QUEUE + 5)]
        await until(lambda: sum(task.done() for task in tasks) == 5, why="those beyond the queue are refused")
        refused = [task.result() for task in tasks if task.done()]
    answers = await asyncio.gather(*tasks)

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in refused] == [(503, "1")] * 5
    assert [answer.status_code for answer in answers].count(401) == QUEUE
    assert (await log_in(0)).status_code == 401


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "json"])
async def test_a_private_channel_is_signed(api: httpx.AsyncClient, acme: Company, form: str) -> None:
    channel = f"private-company.{acme.id}"
    values = {"socket_id": "123.456", "channel_name": channel}
    sent: dict[str, dict[str, Any]] = {
        "urlencoded": {"data": values},
        "multipart": {"files": {name: (None, value) for name, value in values.items()}},
        "json": {"json": values},
    }

    answer = await api.post("/broadcasting/auth", **sent[form])

    data = answer.json()["channel_data"]
    member = {"user_id": str(acme.users["agent"])}  # it ends when the user is sent away
    assert json.loads(data) == {**member, "signature_expires_at": EXPIRES_AT}
    assert answer.json()["auth"] == signing.channel_auth("app-key", "app-secret", "123.456", channel, data)


FIELD = b'--x\r\nContent-Disposition: form-data; name="socket_id"\r\n\r\n%s\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n1\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 422, id="nothing"),
        pytest.param(b"socket_id=1.2", 400, id="not multipart"),
        pytest.param(FIELD % b"1.2" + b"--x--\r\n", 422, id="a field is missing"),
        pytest.param(FILE, 400, id="a file"),
        pytest.param(FIELD % b"1.2" * 21 + b"--x--\r\n", 400, id="too many fields"),
        pytest.param(FIELD % (b"x" * (2 << 20)) + b"--x--\r\n", 413, id="too large"),
        pytest.param(b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 500, 400, id="nested"),
    ],
)
async def test_a_multipart_body_is_bounded(api: httpx.AsyncClient, content: bytes, status: int) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    answer = await api.post("/broadcasting/auth", content=content, headers=headers)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_presence_channel_is_signed_with_the_member(api: httpx.AsyncClient, acme: Company) -> None:
    channel = f"presence-lead.{(await post(api))['id']}"

    answer = (await api.post("/broadcasting/auth", data={"socket_id": "1.2", "channel_name": channel})).json()

    assert json.loads(answer["channel_data"]) == _member(acme)
    assert answer["auth"] == signing.channel_auth("app-key", "app-secret", "1.2", channel, answer["channel_data"])


@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
async def test_what_a_client_heard_of_a_channel_is_signed_for_that_channel_only(
    api: httpx.AsyncClient, acme: Company, form: bool
) -> None:
    channel, other = f"private-company.{acme.id}", f"private-user.{acme.users['agent']}"
    position = {"epoch": "6f1c-0", "offset": 41}
    for positions, entry in (
        ({}, {}),
        ({other: position}, {}),
        ({channel: position, other: {"epoch": "6f1c-0", "offset": 7}}, position),
    ):
        heard = {"positions": positions, "except": ["9.9"]}
        values = {"socket_id": "1.2", "channel_name": channel, "leadwire": json.dumps(heard) if form else heard}
        answer = await (
            api.post("/broadcasting/auth", data=values) if form else api.post("/broadcasting/auth", json=values)
        )

        data = answer.json()["channel_data"]
        user_id = str(acme.users["agent"])
        assert json.loads(data) == {
            "user_id": user_id,
            "signature_expires_at": EXPIRES_AT,
            "leadwire": {**entry, "except": ["9.9"]},
        }
        assert answer.json()["auth"] == signing.channel_auth("app-key", "app-secret", "1.2", channel, data)


async def test_a_member_who_resumes_is_still_a_member(api: httpx.AsyncClient, acme: Company) -> None:
    values = {"socket_id": "1.2", "channel_name": f"presence-lead.{(await post(api))['id']}", "leadwire": "{}"}

    answer = (await api.post("/broadcasting/auth", data=values)).json()

    assert json.loads(answer["channel_data"]) == {**_member(acme), "leadwire": {}}


def _member(company: Company) -> dict[str, Any]:
    info = {"name": "Acme agent", "role": "agent"}
    return {"user_id": str(company.users["agent"]), "user_info": info, "terminable": True} | {
        "signature_expires_at": EXPIRES_AT
    }


@pytest.mark.parametrize(
    "heard",
    [
        "not JSON",
        "[" * 10_000,
        "[]",
        '{"other":1}',
        '{"positions":[]}',
        '{"positions":{"c":{"epoch":"e"}}}',
        '{"positions":{"c":{"epoch":"e","offset":"1"}}}',
        '{"positions":{"c":{"epoch":"e","offset":true}}}',
        '{"positions":{"c":{"epoch":"e","offset":-1}}}',
        '{"positions":{"c":{"epoch":"e","offset":9223372036854775808}}}',
        '{"positions":{"c":{"epoch":"","offset":1}}}',
        json.dumps({"positions": {"c": {"epoch": "e" * 65, "offset": 1}}}),
        json.dumps({"positions": {"c" * 201: {"epoch": "e", "offset": 1}}}),
        json.dumps({"positions": {f"c{number}": {"epoch": "e", "offset": 1} for number in range(101)}}),
        '{"except":["nobody"]}',
        json.dumps({"except": ["1.2\n"]}),
        json.dumps({"except": ["1.2"] * 11}),
    ],
)
async def test_nothing_malformed_or_too_much_is_signed(api: httpx.AsyncClient, acme: Company, heard: str) -> None:
    values = {"socket_id": "1.2", "channel_name": f"private-company.{acme.id}", "leadwire": heard}

    answer = await api.post("/broadcasting/auth", data=values)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"].startswith("/leadwire")


async def test_only_ones_own_channels_are_signed(connect: Connect, acme: Company, globex: Company) -> None:
    lead = await post(connect("agent", acme))
    outcomes = {}
    for company in (acme, globex):
        for channel in (
            f"private-company.{acme.id}",
            f"private-cache-company.{acme.id}.stats",
            f"private-user.{acme.users['agent']}",
            f"presence-lead.{lead['id']}",
            f"private-user.{acme.users['admin']}",
            f"presence-lead.{uuid4()}",
            f"private-company.{str(acme.id).upper()}",
            f"privateers-company.{acme.id}",
            "company.leads",
        ):
            values = {"socket_id": "1.2", "channel_name": channel}
            answer = await connect("agent", company).post("/broadcasting/auth", data=values)
            outcomes[company.name, channel] = answer.status_code

    assert [status for (name, _), status in outcomes.items() if name == "Acme"] == [200] * 4 + [403] * 5
    assert {status for (name, _), status in outcomes.items() if name == "Globex"} == {403}


async def test_another_company_reaches_nothing(connect: Connect, acme: Company, globex: Company) -> None:
    ours, theirs = connect("agent", acme), connect("admin", globex)
    lead = await post(ours, **LEAD)
    before = (await ours.get("/changes")).json()
    url = f"/leads/{lead['id']}"

    attempts = [
        await theirs.get(url),
        await theirs.get(f"{url}/history"),
        await theirs.patch(url, json={"name": "Mallory"}),
        await theirs.delete(url),
        await theirs.delete(url, headers={"If-Match": '"1"'}),
    ]
    stolen_assignee = await theirs.post("/leads", json={"name": "Bob", "assigned_to": str(acme.users["agent"])})
    lists = [(await theirs.get(path)).json() for path in ("/leads", "/changes", "/stats", "/users", "/auth/me")]

    assert [attempt.status_code for attempt in attempts] == [404] * 5
    assert stolen_assignee.json()["code"] == "unknown_user"
    assert lists[0]["data"] == lists[1]["data"] == []
    assert lists[2]["data"]["total"] == 0
    assert "acme" not in json.dumps(lists).lower()
    assert (await ours.get("/changes")).json() == before


async def test_keys_of_another_company_are_its_own(connect: Connect, acme: Company, globex: Company) -> None:
    key = {"Idempotency-Key": "one"}

    ours = await connect("agent", acme).post("/leads", json=LEAD, headers=key)
    theirs = await connect("agent", globex).post("/leads", json={"name": "Bob"}, headers=key)

    assert (ours.status_code, theirs.status_code) == (201, 201)
    assert ours.json()["data"]["id"] != theirs.json()["data"]["id"]


async def test_the_header_names_of_the_fact_reach_the_log(api: httpx.AsyncClient, app: FastAPI, acme: Company) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Correlation-ID": "one-request", "X-Socket-ID": "12.34", "traceparent": traceparent}

    created = await api.post("/leads", json=LEAD, headers=headers)

    (fact,) = (await app.state.services.views.changes(acme.id, after=0, limit=1)).data
    assert created.headers["X-Correlation-ID"] == "one-request"
    assert (fact.correlationid, fact.socketid, fact.traceparent) == ("one-request", "12.34", traceparent)
    assert UUID(fact.actor or "") == acme.users["agent"]


async def test_browsers_of_the_configured_origins_may_call(api: httpx.AsyncClient) -> None:
    asked = "authorization,content-type,idempotency-key,if-match,x-socket-id,x-correlation-id"
    headers = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": asked}

    ours = await api.options("/leads/x", headers={"Origin": "https://crm.example", **headers})
    theirs = await api.options("/leads/x", headers={"Origin": "https://evil.example", **headers})
    answer = await api.get("/leads", headers={"Origin": "https://crm.example"})

    assert ours.status_code == 200
    assert ours.headers["Access-Control-Allow-Origin"] == "https://crm.example"
    assert "Access-Control-Allow-Origin" not in theirs.headers
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert {"ETag", "Location", "X-Correlation-ID"} <= set(exposed.split(", "))


async def test_every_operation_is_described(api: httpx.AsyncClient) -> None:
    openapi = (await api.get("/openapi.json")).json()

    operations = [operation for path in openapi["paths"].values() for operation in path.values()]
    assert {operation["operationId"] for operation in operations} == set(
        access.OPERATIONS
    ) - access.FINER | access.PUBLIC
    for operation in operations:
        assert operation["summary"]
        assert operation["tags"]
        assert any(status.startswith("2") for status in operation["responses"])
        for status, response in operation["responses"].items():
            if status in {"204", "304"}:
                assert "content" not in response
                continue
            (media_type,) = response["content"]
            assert media_type in (("application/json", "text/csv") if status < "300" else ("application/problem+json",))
    assert "examples" in openapi["components"]["schemas"]["NewLeadBody"]


async def test_everybody_may_read_the_keys_that_verify_access_tokens(api: httpx.AsyncClient) -> None:
    answer = await api.get("/.well-known/jwks.json", headers={"Authorization": ""})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/jwk-set+json"
    assert answer.json() == {"keys": [SIGNING_KEY.public.jwk]}
