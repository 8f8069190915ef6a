"""One lead, end to end: REST → log → NATS → gateway → the official clients, every process separate."""

import asyncio
import json
import uuid
from dataclasses import replace
from typing import Any

import psycopg
import pusher
import pytest

from contracts import envelope, streams
from support.screens import screen
from support.stack import Company, Stack
from support.waiting import until

pytestmark = pytest.mark.system


def company_channel(company: Company) -> str:
    return f"private-company.{company.id}"


@pytest.mark.parametrize("library", ["echo", "pusher"])
async def test_a_lead_created_over_rest_is_heard_by_an_official_client(stack: Stack, library: str) -> None:
    async with (
        screen(library, stack, stack.acme.users["agent"], stack.acme) as client,
        stack.client("manager") as api,
    ):
        await client.hears("subscribed")
        created = (await api.post("/leads", json={"name": "Ada Lovelace", "email": "Ada@Example.com"})).json()
        lead = created["data"]
        await api.patch(f"/leads/{lead['id']}", json={"status": "contacted"})
        await api.delete(f"/leads/{lead['id']}")
        await client.hears("lead.deleted")

    heard = [line for line in client.heard if line["event"].startswith("lead.")]
    assert [line["event"] for line in heard] == ["lead.created", "lead.updated", "lead.deleted"]
    assert [line["data"]["version"] for line in heard] == [1, 2, 3]
    first = created["meta"]["position"]
    assert [line["data"]["position"] for line in heard] == [first, first + 1, first + 2]
    assert {key: heard[0]["data"][key] for key in ("id", "name", "email", "status")} == {
        "id": lead["id"],
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "status": "new",
    }
    assert heard[1]["data"]["changed"] == {"status": {"old": "new", "new": "contacted"}}


async def test_the_authors_own_socket_does_not_hear_its_change(stack: Stack) -> None:
    agent = stack.acme.users["agent"]
    async with (
        screen("echo", stack, agent, stack.acme) as author,
        screen("pusher", stack, agent, stack.acme) as colleague,
        stack.client("agent") as api,
    ):
        await author.hears("subscribed")
        await colleague.hears("subscribed")
        socket_id = (await author.hears("connected"))["socketId"]
        await api.post("/leads", json={"name": "Mine"}, headers={"X-Socket-ID": socket_id})
        await api.post("/leads", json={"name": "Everybody's"})
        await author.hears("lead.created")
        await colleague.hears("lead.created", count=2)

    assert [line["data"]["name"] for line in author.events("lead.created")] == ["Everybody's"]
    assert [line["data"]["name"] for line in colleague.events("lead.created")] == ["Mine", "Everybody's"]


async def test_another_companys_user_is_refused_and_hears_nothing(stack: Stack) -> None:
    async with (
        screen("echo", stack, stack.globex.users["admin"], stack.acme) as spy,
        screen("echo", stack, stack.globex.users["admin"], stack.globex) as own,
        screen("echo", stack, stack.acme.users["agent"], stack.acme) as colleague,
        stack.client("agent") as acme,
        stack.client("agent", stack.globex) as globex,
    ):
        refusal = await spy.hears("refused")
        await own.hears("subscribed")
        await colleague.hears("subscribed")
        await acme.post("/leads", json={"name": "Acme's"})
        await colleague.hears("lead.created")
        await globex.post("/leads", json={"name": "Globex's"})
        await own.hears("lead.created")

    assert refusal["status"] == 403
    assert spy.events("lead.created") == []
    assert [line["data"]["name"] for line in own.events("lead.created")] == ["Globex's"]
    assert [line["data"]["name"] for line in colleague.events("lead.created")] == ["Acme's"]


def python_sdk(stack: Stack) -> Any:
    credentials, gateway = stack.topology.credentials, stack.topology.gateway
    return pusher.Pusher(
        app_id=credentials.pusher_app_id,
        key=credentials.pusher_app_key,
        secret=credentials.pusher_app_secret,
        host=gateway.host,
        port=gateway.port,
        ssl=False,
    )


@pytest.mark.parametrize("library", ["echo", "pusher"])
async def test_a_user_who_is_sent_away_loses_every_screen_and_nobody_else_does(stack: Stack, library: str) -> None:
    gone, stays = stack.acme.users["agent"], stack.acme.users["manager"]
    async with (
        screen(library, stack, gone, stack.acme) as desk,
        screen(library, stack, gone, stack.acme) as phone,
        screen(library, stack, stays, stack.acme) as colleague,
        stack.client("manager") as api,
    ):
        for client in (desk, phone, colleague):
            await client.hears("subscribed")
        await asyncio.to_thread(python_sdk(stack).terminate_user_connections, gone.id)
        for client in (desk, phone):
            await client.hears("disconnected")
        await api.post("/leads", json={"name": "After"})
        await colleague.hears("lead.created")

    assert desk.events("lead.created") == phone.events("lead.created") == []
    assert colleague.events("disconnected") == []


@pytest.mark.parametrize("library", ["echo", "pusher"])
async def test_a_deactivated_user_loses_every_screen_and_gets_none_again(stack: Stack, library: str) -> None:
    gone, stays = stack.acme.users["agent"], stack.acme.users["manager"]
    async with (
        screen(library, stack, gone, stack.acme) as client,
        screen(library, stack, stays, stack.acme) as colleague,
        stack.client("admin") as api,
    ):
        for each in (client, colleague):
            await each.hears("subscribed")
        deactivated = await api.post(f"/users/{gone.id}/deactivate")
        assert deactivated.status_code == 200
        error = await client.hears("connection-error")
        await client.hears("disconnected")
        await api.post("/leads", json={"name": "After"})
        await colleague.hears("lead.created")
    async with screen(library, stack, gone, stack.acme) as again:
        refusal = await again.hears("refused")

    assert error["error"]["data"]["code"] == 4009
    assert client.events("lead.created") == []
    assert refusal["status"] == 401
    assert again.events("subscribed") == []


async def test_a_user_who_signs_out_everywhere_is_let_in_again_with_a_new_token_alone(stack: Stack) -> None:
    left, stays = stack.acme.users["agent"], stack.acme.users["manager"]
    async with (
        screen("echo", stack, left, stack.acme) as client,
        screen("echo", stack, stays, stack.acme) as colleague,
        stack.client("agent") as api,
    ):
        for each in (client, colleague):
            await each.hears("subscribed")
        assert (await api.post("/auth/logout")).status_code == 204
        error = await client.hears("connection-error")
        refusal = await client.hears("refused")
        login = await api.post("/auth/login", json={"email": left.email, "password": left.password})
        token = login.json()["access_token"]
        async with screen("echo", stack, replace(left, token=token), stack.acme) as again:
            await again.hears("subscribed")
            await api.post("/leads", json={"name": "After"}, headers={"Authorization": f"Bearer {token}"})
            await again.hears("lead.created")
        await colleague.hears("lead.created")

    assert error["error"]["data"]["code"] == 4200
    assert refusal["status"] == 401
    assert client.events("lead.created") == []
    assert len(client.events("connected")) == 2
    assert len(colleague.events("connected")) == 1


async def test_the_official_python_sdk_triggers_to_the_same_clients(stack: Stack) -> None:
    server = python_sdk(stack)
    async with screen("echo", stack, stack.acme.users["agent"], stack.acme) as client:
        await client.hears("subscribed")
        answer = await asyncio.to_thread(
            server.trigger, company_channel(stack.acme), "lead.created", {"name": "From the SDK"}
        )
        heard = await client.hears("lead.created")

    assert answer == {}
    assert heard["data"] == {"name": "From the SDK"}


async def test_one_correlation_id_leads_from_the_request_to_the_delivered_frame(stack: Stack) -> None:
    correlation_id = f"test-{uuid.uuid4()}"
    async with (
        screen("echo", stack, stack.acme.users["agent"], stack.acme) as client,
        stack.client("agent") as api,
        stack.nats.client("operator") as nats,
    ):
        await client.hears("subscribed")
        answer = await api.post("/leads", json={"name": "Traced"}, headers={"X-Correlation-ID": correlation_id})
        await client.hears("lead.created")
        stored = await nats.jetstream().get_last_msg(streams.CRM, f"crm.{stack.acme.id}.>")

    assert answer.headers["X-Correlation-ID"] == correlation_id
    assert stored.data is not None
    assert envelope.parse(stored.data).correlationid == correlation_id
    with psycopg.connect(stack.topology.superuser_url) as connection:
        row = connection.execute("SELECT metadata FROM events ORDER BY recorded_at DESC LIMIT 1").fetchone()
    assert row is not None
    assert row[0]["correlation_id"] == correlation_id
    for name in ("api", "notifier", "gateway"):
        await until(lambda name=name: lines_of(stack, name, correlation_id), why=f"{correlation_id} in {name}'s log")


def lines_of(stack: Stack, name: str, correlation_id: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stack.log(name).read_text().splitlines()]
    return [line for line in lines if line.get("correlation_id") == correlation_id]


async def test_no_log_line_holds_personal_data(stack: Stack) -> None:
    secrets = {"name": "Grace Hopper", "email": "grace@navy.example", "phone": "+1 555 0100"}
    async with (
        screen("echo", stack, stack.acme.users["agent"], stack.acme) as client,
        stack.client("agent") as api,
    ):
        await client.hears("subscribed")
        await api.post("/leads", json=secrets)
        await api.post("/leads", json={**secrets, "shoe_size": 42})
        await api.post("/leads", content=json.dumps(secrets)[:-2])
        await client.hears("lead.created")

    for name in ("api", "relay", "notifier", "gateway"):
        text = stack.log(name).read_text()
        for line in text.splitlines():
            json.loads(line)
        for value in secrets.values():
            assert value not in text, name


@pytest.mark.parametrize("name", ["api", "relay", "notifier", "gateway"])
async def test_every_process_tells_how_it_is(stack: Stack, name: str) -> None:
    addresses = {process.name: process.health for process in stack.topology.services()}
    address = addresses[name]
    assert address is not None
    async with stack.client() as api:
        alive = await api.get(address.replace("readyz", "livez"))
        ready = await api.get(address)
        metrics = await api.get(address.replace("readyz", "metrics"))

    assert (alive.status_code, ready.status_code, metrics.status_code) == (200, 200, 200)
    assert ready.json()["status"] == "ready"
    assert "# TYPE" in metrics.text
