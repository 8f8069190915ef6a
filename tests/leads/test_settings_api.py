"""Users, company, pipeline, sources, custom fields and saved views over REST."""

from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher

from leads.api.context import Services
from leads.passwords import ACCOUNTS, Passwords
from leads.provision import CompanySpec, Spec, UserSpec, provision
from leads.store.database import Database
from support.databases import Database as Databases

from .attempts import made, new_user
from .conftest import FAST_HASHER, PASSWORD, Clock, Company, Connect, etag

OTHER_PASSWORD = "another battery staple"


@pytest.fixture
def admin(connect: Connect) -> httpx.AsyncClient:
    return connect("admin")


async def changes(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await client.get("/changes")).json()["data"]
    return entries


async def log_in(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/auth/login", json={"email": email, "password": password})


async def test_a_user_is_added_and_logs_in(admin: httpx.AsyncClient) -> None:
    added = await admin.post("/users", json={**new_user(), "email": "Grace@Acme.example", "role": "manager"})

    assert (added.status_code, added.headers["ETag"], added.json()["meta"]["position"]) == (201, etag(added, 1), 1)
    user = added.json()["data"]
    assert user == {**user, "name": "Grace", "email": "grace@acme.example", "role": "manager", "active": True}
    login = await log_in(admin, "grace@acme.example")
    assert login.json()["user"]["id"] == user["id"]
    assert [fact["type"] for fact in await changes(admin)] == ["user.added"]


async def test_a_repeated_key_adds_a_user_once(admin: httpx.AsyncClient) -> None:
    body = new_user()
    key = {"Idempotency-Key": "add-grace"}

    first, again = [await admin.post("/users", json=body, headers=key) for _ in range(2)]
    other = await admin.post("/users", json=new_user(), headers=key)
    higher = await admin.post("/users", json={**body, "role": "admin"}, headers=key)

    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    for answer in (other, higher):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_no_answer_depends_on_another_companys_addresses(
    connect: Connect, admin: httpx.AsyncClient, globex: Company
) -> None:
    grace = {**new_user(), "email": "agent@GLOBEX.example"}

    added = await admin.post("/users", json=grace)
    taken = await admin.post("/users", json={**new_user(), "email": "AGENT@acme.example"})
    moved = await admin.patch(f"/users/{added.json()['data']['id']}", json={"email": "admin@globex.example"})
    theirs = await connect("admin", globex).post("/users", json={**new_user(), "email": "agent@acme.example"})

    assert [answer.status_code for answer in (added, taken, moved, theirs)] == [201, 409, 200, 201]
    assert taken.json()["code"] == "email_taken"


async def test_somebody_logs_in_to_the_company_whose_password_they_have(
    connect: Connect, admin: httpx.AsyncClient, acme: Company, globex: Company
) -> None:
    shared = {"name": "Ann", "email": "ann@agency.example", "role": "agent"}
    for client, password in ((admin, "password of acme"), (connect("admin", globex), "password of globex")):
        assert (await client.post("/users", json={**shared, "password": password})).status_code == 201

    async def tried(password: str, **more: str) -> httpx.Response:
        return await admin.post("/auth/login", json={"email": shared["email"], "password": password, **more})

    ours, theirs = await tried("password of acme"), await tried("password of globex")
    wrong = await tried("password of acme", company=str(globex.id))
    token = {"Authorization": f"Bearer {ours.json()['access_token']}"}
    change = {"current_password": "password of globex", "new_password": "password of globex"}
    not_theirs = await admin.post("/auth/password", json=change, headers=token)
    await admin.post("/auth/password", json={**change, "current_password": "password of acme"}, headers=token)
    either = await tried("password of globex")
    chosen = await tried("password of globex", company=str(acme.id))
    nobody = await tried("password of nobody")

    assert [answer.json()["user"]["company_name"] for answer in (ours, theirs)] == ["Acme", "Globex"]
    assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_credentials")
    assert (not_theirs.status_code, not_theirs.json()["code"]) == (422, "wrong_password")
    assert (either.status_code, either.json()["code"]) == (409, "company_needed")
    names = {company["id"]: company["name"] for company in either.json()["companies"]}
    assert names == {str(acme.id): "Acme", str(globex.id): "Globex"}
    assert chosen.json()["user"]["company_id"] == str(acme.id)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "wrong_credentials")


async def test_a_login_costs_the_same_work_however_many_accounts_have_the_address(
    leads_database: Databases, database: Database
) -> None:
    class Counting(PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's name
            Counting.verified += 1
            return super().verify(hash, password)

    passwords = Passwords(database, Counting(time_cost=1, memory_cost=8, parallelism=1))
    work, found = [], []
    for number in range(ACCOUNTS + 2):
        Counting.verified = 0
        found.append(len(await passwords.verify("ann@agency.example", PASSWORD)))
        work.append(Counting.verified)
        user = UserSpec(email="ann@agency.example", name="Ann", role="agent", password=PASSWORD)
        spec = Spec(company=CompanySpec(id=uuid4(), name=f"Company {number}"), users=[user])
        made = provision(leads_database.url("leads_owner"), spec, FAST_HASHER)
    Counting.verified = 0
    named = await passwords.verify("ann@agency.example", PASSWORD, made.company.id)

    assert set(work) == {ACCOUNTS}
    assert Counting.verified == ACCOUNTS
    assert found == [0, 1, 2, 3, 3]
    assert named == [(made.company.id, made.users[0].id)]


async def test_a_role_counts_from_the_next_request_on(
    connect: Connect, admin: httpx.AsyncClient, acme: Company
) -> None:
    agent = connect("agent")
    url = f"/users/{acme.users['agent']}"

    await admin.patch(url, json={"role": "viewer"}, headers={"If-Match": '"0"'})
    refused = await agent.post("/leads", json={"name": "Ada"})
    await admin.patch(url, json={"role": "admin"})
    added = await agent.post("/users", json=new_user())

    assert (refused.status_code, added.status_code) == (403, 201)


async def test_a_stale_change_of_a_user_is_refused(admin: httpx.AsyncClient, acme: Company) -> None:
    url = f"/users/{acme.users['agent']}"
    await admin.patch(url, json={"name": "Anna"})

    stale = await admin.patch(url, json={"name": "Hannah"}, headers={"If-Match": '"0"'})

    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert (await admin.get(url)).json()["data"]["name"] == "Anna"


async def test_the_last_admin_stays(admin: httpx.AsyncClient, acme: Company) -> None:
    url = f"/users/{acme.users['admin']}"

    answers = [await admin.post(f"{url}/deactivate"), await admin.patch(url, json={"role": "manager"})]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "last_admin")] * 2


async def test_who_is_deactivated_is_out_until_they_log_in_anew(
    connect: Connect, admin: httpx.AsyncClient, acme: Company, clock: Clock
) -> None:
    agent = connect("agent")
    url = f"/users/{acme.users['agent']}"
    lead = await made(agent, "/leads", {"name": "Ada", "assigned_to": str(acme.users["agent"])})

    deactivated = await admin.post(f"{url}/deactivate")
    outside = [await agent.get("/leads"), await agent.post("/leads", json={"name": "Bob"})]
    login = await log_in(admin, "agent@acme.example")
    clock.now += timedelta(seconds=1)
    await admin.post(f"{url}/reactivate")
    still_outside = await agent.get("/leads")
    again = (await log_in(admin, "agent@acme.example")).json()["access_token"]
    inside = await agent.get("/leads", headers={"Authorization": f"Bearer {again}"})

    assert deactivated.json()["data"]["active"] is False
    assert [answer.status_code for answer in (*outside, login, still_outside, inside)] == [401, 401, 401, 401, 200]
    assert inside.json()["data"][0]["assigned_to"] == lead["assigned_to"]
    assert [fact["type"] for fact in await changes(admin)] == ["lead.created", "user.deactivated", "user.reactivated"]


async def test_nobody_who_left_gets_a_lead(admin: httpx.AsyncClient, acme: Company) -> None:
    gone = str(acme.users["agent"])
    await admin.post(f"/users/{gone}/deactivate")

    refused = await admin.post("/leads", json={"name": "Ada", "assigned_to": gone})

    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_user")


async def test_a_new_password_ends_all_other_sessions(connect: Connect, admin: httpx.AsyncClient) -> None:
    agent = connect("agent")
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}

    changed = await agent.post("/auth/password", json=body)

    assert changed.status_code == 200
    fresh = {"Authorization": f"Bearer {changed.json()['access_token']}"}
    assert (await agent.get("/auth/me")).status_code == 401
    assert (await agent.get("/auth/me", headers=fresh)).status_code == 200
    assert (await log_in(admin, "agent@acme.example")).status_code == 401
    assert (await log_in(admin, "agent@acme.example", OTHER_PASSWORD)).status_code == 200


async def test_a_password_is_not_changed_without_the_old_one(connect: Connect) -> None:
    agent = connect("agent")
    body = {"current_password": "a guess", "new_password": OTHER_PASSWORD}

    tries = [await agent.post("/auth/password", json=body) for _ in range(16)]

    assert [answer.status_code for answer in tries[:5]] == [422] * 5
    assert {answer.status_code for answer in tries} == {422, 429}
    assert tries[0].json()["errors"][0]["pointer"] == "/current_password"
    assert (await agent.get("/auth/me")).status_code == 200


async def test_an_admin_gives_somebody_a_new_password(
    connect: Connect, admin: httpx.AsyncClient, acme: Company
) -> None:
    agent = connect("agent")

    await admin.patch(f"/users/{acme.users['agent']}", json={"password": OTHER_PASSWORD})

    assert (await agent.get("/auth/me")).status_code == 401
    assert (await log_in(admin, "agent@acme.example", OTHER_PASSWORD)).status_code == 200


async def test_somebody_logs_out_everywhere(connect: Connect, services: Services) -> None:
    agent = connect("agent")

    left = await agent.post("/auth/logout")

    assert (left.status_code, (await agent.get("/auth/me")).status_code) == (204, 401)
    assert (await connect("manager").get("/auth/me")).status_code == 200


async def test_the_company_has_a_region_and_a_currency(connect: Connect, admin: httpx.AsyncClient) -> None:
    changed = await admin.patch("/company", json={"region": "br", "currency": "BRL"})
    lead = await made(connect("agent"), "/leads", {"name": "Ada", "phone": "(11) 98765-4321", "value": "10"})
    refused = await admin.patch("/company", json={"currency": "XXX"})

    assert changed.json()["data"] == {**changed.json()["data"], "name": "Acme", "region": "BR", "currency": "BRL"}
    assert (lead["phone"], lead["currency"]) == ("+5511987654321", "BRL")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/currency")
    assert (await admin.patch("/company", json={"region": None})).json()["data"]["region"] is None


async def test_a_pipeline_is_replaced_by_who_read_it(connect: Connect, admin: httpx.AsyncClient) -> None:
    read = await connect("viewer").get("/pipeline")
    stages = [*read.json()["data"]["stages"], {"key": "parked", "name": "Parked"}]

    blind = await admin.put("/pipeline", json={"stages": stages})
    done = await admin.put("/pipeline", json={"stages": stages}, headers={"If-Match": read.headers["ETag"]})
    stale = await admin.put("/pipeline", json={"stages": stages}, headers={"If-Match": read.headers["ETag"]})
    again = await admin.put("/pipeline", json={"stages": stages}, headers={"If-Match": done.headers["ETag"]})
    lead = await made(connect("agent"), "/leads", {"name": "Ada", "status": "parked"})

    assert (blind.status_code, blind.json()["code"]) == (428, "precondition_required")
    assert (done.status_code, done.json()["data"]["version"], done.headers["ETag"]) == (200, 1, etag(done, 1))
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert (again.status_code, again.headers["ETag"]) == (200, etag(again, 1))
    assert lead["status"] == "parked"
    assert [fact["type"] for fact in await changes(admin)] == ["pipeline.changed", "lead.created"]


async def test_a_stage_goes_once_it_has_no_leads(connect: Connect, admin: httpx.AsyncClient) -> None:
    agent = connect("agent")
    lead = await made(agent, "/leads", {"name": "Ada", "status": "contacted"})
    read = (await admin.get("/pipeline")).json()["data"]["stages"]
    fewer = {"stages": [stage for stage in read if stage["key"] != "contacted"]}
    headers = {"If-Match": "*"}

    refused = await admin.put("/pipeline", json=fewer, headers=headers)
    await agent.patch(f"/leads/{lead['id']}", json={"status": "qualified"})
    done = await admin.put("/pipeline", json=fewer, headers=headers)
    gone = await agent.post("/leads", json={"name": "Bob", "status": "contacted"})

    assert (refused.status_code, refused.json()["code"]) == (409, "stage_in_use")
    assert refused.json()["errors"] == [{"pointer": "/stages", "message": "contacted has 1 lead"}]
    assert done.status_code == 200
    assert (gone.status_code, gone.json()["code"]) == (422, "unknown_stage")


async def test_what_makes_no_pipeline_is_refused_with_reasons(admin: httpx.AsyncClient) -> None:
    stages = [{"key": "won", "name": "Won", "kind": "won", "next": ["nowhere"]}]

    refused = await admin.put("/pipeline", json={"stages": stages}, headers={"If-Match": "*"})

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_pipeline")
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/stages/0/kind", "/stages/0/next"}


async def test_a_source_goes_out_of_use_or_away(connect: Connect, admin: httpx.AsyncClient) -> None:
    agent = connect("agent")
    await made(admin, "/sources", {"key": "web", "name": "Web"})
    await made(admin, "/sources", {"key": "fair/2026 é", "name": "Fair"})
    lead = await made(agent, "/leads", {"name": "Ada", "source": "web"})

    in_use = await admin.delete("/sources/web")
    await admin.patch("/sources/web", json={"active": False})
    refused = await agent.post("/leads", json={"name": "Bob", "source": "web"})
    kept = await agent.patch(f"/leads/{lead['id']}", json={"name": "Adam"})
    gone = await admin.delete("/sources/fair%2F2026%20%C3%A9")
    never = await admin.delete("/sources/%00")

    assert (in_use.status_code, in_use.json()["code"]) == (409, "source_in_use")
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_source")
    assert kept.json()["data"]["source"] == "web"
    assert (gone.status_code, never.status_code) == (200, 404)
    shown = (await agent.get("/sources")).json()["data"]
    assert shown == [{"key": "web", "name": "Web", "active": False}]


async def test_a_custom_field_keeps_its_kind_and_its_values(connect: Connect, admin: httpx.AsyncClient) -> None:
    agent = connect("agent")
    plan = {"key": "plan", "label": "Plan", "kind": "choice", "choices": ["basic", "pro"]}
    await made(admin, "/custom-fields", plan)
    lead = await made(agent, "/leads", {"name": "Ada", "custom": {"plan": "pro"}})
    url = f"/leads/{lead['id']}"

    kind = await admin.patch("/custom-fields/plan", json={"kind": "text"})
    empty = await admin.patch("/custom-fields/plan", json={"choices": []})
    retired = await admin.delete("/custom-fields/plan")
    refused = await agent.patch(url, json={"custom": {"plan": "basic"}})

    assert (kind.status_code, empty.json()["code"]) == (422, "invalid_custom_field")
    assert retired.json()["data"] == {**plan, "required": False, "active": False, "position": 0}
    assert (refused.status_code, refused.json()["code"]) == (422, "inactive_custom_field")
    assert (await agent.patch(url, json={"name": "Adam"})).json()["data"]["custom"] == {"plan": "pro"}
    back = await admin.patch("/custom-fields/plan", json={"active": True})
    assert back.json()["data"]["active"] is True


async def test_keys_are_taken_once(admin: httpx.AsyncClient) -> None:
    source, field = {"key": "web", "name": "Web"}, {"key": "plan", "label": "Plan", "kind": "text"}
    await made(admin, "/sources", source)
    await made(admin, "/custom-fields", field)

    taken = [await admin.post("/sources", json=source), await admin.post("/custom-fields", json=field)]

    assert [(answer.status_code, answer.json()["code"]) for answer in taken] == [(409, "key_taken")] * 2


async def test_a_view_keeps_a_query_that_is_understood(connect: Connect) -> None:
    manager = connect("manager")
    query = {"assigned_to": "me", "status": ["new", "won"], "q": "ada"}
    key = {"Idempotency-Key": "my-view"}

    saved = await manager.post("/views", json={"name": "Mine", "query": query}, headers=key)
    again = await manager.post("/views", json={"name": "Mine", "query": query}, headers=key)
    other = await manager.post("/views", json={"name": "Mine", "query": query, "shared": True}, headers=key)
    refused = await manager.post("/views", json={"name": "Mine", "query": {"status": "nowhere", "colour": "red"}})
    shared = await manager.patch(f"/views/{saved.json()['data']['id']}", json={"shared": True})

    assert (saved.status_code, again.json()) == (201, saved.json())
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert saved.json()["data"]["query"] == query
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/query/status", "/query/colour"}
    assert shared.json()["data"]["shared"] is True
    assert [view["name"] for view in (await connect("viewer").get("/views")).json()["data"]] == ["Mine"]
    assert (await manager.delete(f"/views/{saved.json()['data']['id']}")).status_code == 200
    assert (await manager.get("/views")).json()["data"] == []


async def test_what_is_refused_changes_no_settings(
    admin: httpx.AsyncClient, acme: Company, superuser: psycopg.Connection
) -> None:
    def feed() -> Any:
        return superuser.execute("SELECT position, settings_version FROM feeds").fetchall()

    before = feed()

    await admin.post("/users", json={**new_user(), "email": "agent@acme.example"})
    await admin.post(f"/users/{acme.users['admin']}/deactivate")
    await admin.patch(f"/users/{uuid4()}", json={"name": "Nobody"})

    assert feed() == before
