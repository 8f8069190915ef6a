"""The authorisation matrix from the attacker's side: each operation, each role, own and other company, each bad token.

What belongs to one user, such as a view of one's own, is tried by that user.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from contracts import tokens
from contracts.events import Role
from leads import access

from .attempts import ATTEMPTS, OWN_ATTEMPTS, Attempt, made
from .conftest import NOW, SIGNING_KEY, Company, Connect

TRIED = sorted({*ATTEMPTS, *OWN_ATTEMPTS})
ENDING_TOKENS = {"change_password", "log_out"}
FINER = {"manage_jobs": "cancel_job"}
"""A part of what a route does → the operation that lets somebody through to the route at all."""


def state_of(superuser: psycopg.Connection, company: Company) -> dict[str, Any]:
    """Return a digest of all that the database has of a company, table by table."""
    tables = superuser.execute(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'company_id'"
    ).fetchall()
    digest = "SELECT md5(string_agg(row::text, '|' ORDER BY row::text)) FROM {} AS row WHERE company_id = %s"
    return {
        table: superuser.execute(sql.SQL(digest).format(sql.Identifier(table)), [company.id]).fetchone()
        for (table,) in tables
    }


def let_all_tokens_count(superuser: psycopg.Connection) -> None:
    superuser.execute("UPDATE users SET tokens_since = NULL WHERE active")
    superuser.execute("UPDATE feeds SET settings_version = settings_version + 1")


async def prepared(operation: str, admin: httpx.AsyncClient, author: httpx.AsyncClient) -> Attempt:
    own = OWN_ATTEMPTS.get(operation)
    return await (own(author) if own else ATTEMPTS[operation](admin))


def test_every_operation_is_tried() -> None:
    assert {*TRIED, "see_emails"} == set(access.OPERATIONS)


@pytest.mark.parametrize("role", access.ROLES)
async def test_a_role_may_do_what_the_table_says(
    connect: Connect, acme: Company, superuser: psycopg.Connection, role: Role
) -> None:
    outcomes, expected = {}, {}
    for operation in TRIED:
        may = access.may(role, operation)
        attempt = await prepared(operation, connect("admin"), connect(role if may else "agent"))
        before = state_of(superuser, acme)

        answer = await attempt.send(connect(role))

        outcomes[operation] = answer.status_code, may or state_of(superuser, acme) == before
        expected[operation] = attempt.success if may else 403, True
        if operation in ENDING_TOKENS:
            assert (await connect(role).get("/auth/me")).status_code == 401
            let_all_tokens_count(superuser)
    assert outcomes == expected


@pytest.mark.parametrize("role", access.ROLES)
async def test_another_company_has_no_way_in(
    connect: Connect, acme: Company, globex: Company, superuser: psycopg.Connection, role: Role
) -> None:
    outcomes, expected = {}, {}
    for operation in TRIED:
        attempt = await prepared(operation, connect("admin"), connect("agent"))
        before = state_of(superuser, acme)

        answer = await attempt.send(connect(role, globex))

        outcomes[operation] = answer.status_code, state_of(superuser, acme) == before
        if not access.may(role, FINER.get(operation, operation)) or operation == "authorize_channel":
            expected[operation] = 403, True  # for a channel, Pusher's clients know no other refusal
        else:
            expected[operation] = 404 if attempt.names_a_thing else attempt.success, True
        assert not any(str(ours) in answer.text for ours in (acme.id, *acme.users.values())), operation
        if operation in ENDING_TOKENS:
            let_all_tokens_count(superuser)
    assert outcomes == expected


Forge = Callable[[Company, Company], str | None]
BAD_TOKENS: dict[str, Forge] = {
    "none": lambda acme, globex: None,
    "garbage": lambda acme, globex: "a.b.c",
    "expired": lambda acme, globex: token_of(acme, acme.users["admin"], now=NOW - timedelta(hours=2)),
    "forged": lambda acme, globex: token_of(acme, acme.users["admin"], key=tokens.PrivateKey.generate()),
    "of another company's user": lambda acme, globex: token_of(acme, globex.users["admin"]),
    "for another company": lambda acme, globex: token_of(globex, acme.users["admin"]),
    "of nobody": lambda acme, globex: token_of(acme, uuid4()),
    "of no company": lambda acme, globex: token_of(Company(uuid4(), "None", {}), acme.users["admin"]),
    "of somebody who left": lambda acme, globex: acme.token("manager"),
}


@pytest.mark.parametrize("forge", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_a_token_that_does_not_count_opens_nothing(
    connect: Connect, acme: Company, globex: Company, superuser: psycopg.Connection, forge: Forge
) -> None:
    assert (await connect("admin").post(f"/users/{acme.users['manager']}/deactivate")).status_code == 200
    attempts = {operation: await prepared(operation, connect("admin"), connect("agent")) for operation in TRIED}
    before = state_of(superuser, acme)
    token = forge(acme, globex)
    client = connect("admin", Authorization=f"Bearer {token}")
    if token is None:
        del client.headers["Authorization"]

    answers = {operation: await attempt.send(client) for operation, attempt in attempts.items()}

    assert {operation: (answer.status_code, answer.json()["code"]) for operation, answer in answers.items()} == (
        dict.fromkeys(TRIED, (401, "unauthenticated"))
    )
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in answers.values())
    assert state_of(superuser, acme) == before


async def test_only_admins_see_addresses(connect: Connect, acme: Company) -> None:
    shown = {}
    for role in access.ROLES:
        users = (await connect(role).get("/users")).json()["data"]
        one = (await connect(role).get(f"/users/{acme.users['agent']}")).json()["data"]
        shown[role] = {user["email"] for user in [*users, one]} != {None}

    assert shown == {role: access.may(role, "see_emails") for role in access.ROLES}


async def test_a_view_of_ones_own_does_not_exist_for_colleagues(connect: Connect) -> None:
    view = await made(connect("agent"), "/views", {"name": "Mine", "query": {}})
    url = f"/views/{view['id']}"

    for role in ("viewer", "manager", "admin"):
        client = connect(role)
        assert view["id"] not in (await client.get("/views")).text
        assert (await client.get(url)).status_code == 404
        expected = 404 if access.may(role, "change_view") else 403
        assert (await client.patch(url, json={"name": "Theirs"})).status_code == expected
        assert (await client.delete(url)).status_code == expected
    assert (await connect("agent").get(url)).json()["data"] == view


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_shared_view_is_changed_by_managers(connect: Connect, method: str) -> None:
    view = await made(connect("admin"), "/views", {"name": "Ours", "query": {}, "shared": True})
    body = {"json": {"name": "Theirs"}} if method == "PATCH" else {}

    refused = await connect("agent").request(method, f"/views/{view['id']}", **body)
    done = await connect("manager").request(method, f"/views/{view['id']}", **body)

    assert (refused.status_code, done.status_code) == (403, 200)


async def test_an_agent_cannot_share_a_view_later(connect: Connect) -> None:
    view = await made(connect("agent"), "/views", {"name": "Mine", "query": {}})

    refused = await connect("agent").patch(f"/views/{view['id']}", json={"shared": True})

    assert refused.status_code == 403


def token_of(company: Company, user_id: UUID, *, key: tokens.PrivateKey = SIGNING_KEY, now: datetime = NOW) -> str:
    claims = tokens.Claims(user_id=str(user_id), company_id=str(company.id), role="admin")
    return tokens.issue(claims, key, now=now, lifetime=timedelta(hours=1))
