"""`python -m leads …`, each as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from nats.aio.client import Client

from contracts import envelope, streams
from leads.store.log import PostgresEventStore
from support.databases import Database
from support.servers import NatsServer
from support.waiting import until

from .conftest import PASSWORD, Company, Processes
from .given import create_lead

pytestmark = pytest.mark.clock

COMPANY = UUID("0195b1de-0000-7000-8000-000000000001")


def leads(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leads", *arguments],
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["api", "relay", "migrate", "provision"])
def test_missing_variables_are_named_in_one_line(command: str) -> None:
    done = leads(command, LEADS_LOG_LEVEL="LOUD")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "LEADS_DATABASE_URL (missing)" in done.stderr
    assert "LEADS_LOG_LEVEL" in done.stderr


def test_migrating_and_provisioning_again_changes_nothing(
    empty_database: Database, new_nats: Callable[[], NatsServer]
) -> None:
    nats = new_nats()
    environment = {
        "LEADS_DATABASE_URL": empty_database.url("leads_owner"),
        "LEADS_NATS_URL": nats.url("migrate"),
    }
    user = {"email": "Ada@Acme.example ", "name": "Ada", "role": "admin", "password": PASSWORD}
    spec = json.dumps({"company": {"id": str(COMPANY), "name": "Acme"}, "users": [user]})

    with ThreadPoolExecutor() as both:
        migrations = list(both.map(lambda _: leads("migrate", **environment), range(2)))
    provisions = [leads("provision", stdin=spec, **environment) for _ in range(2)]

    assert [done.returncode for done in (*migrations, *provisions)] == [0, 0, 0, 0], (migrations, provisions)
    first, second = (json.loads(done.stdout) for done in provisions)
    assert first == second
    assert first["company"]["id"] == str(COMPANY)
    assert first["users"][0]["email"] == "ada@acme.example"


def test_provisioning_refuses_what_is_no_specification(leads_database: Database) -> None:
    spec = json.dumps({"company": {"id": str(COMPANY), "name": "Acme"}, "users": [{"email": "not-shown@acme"}]})

    done = leads("provision", stdin=spec, LEADS_DATABASE_URL=leads_database.url("leads_owner"))

    assert done.returncode == 2
    assert "users.0.password" in done.stderr
    assert "not-shown" not in done.stderr


async def test_a_lead_posted_to_the_api_reaches_the_stream(
    leads_database: Database, nats: NatsServer, acme: Company, processes: Processes
) -> None:
    api = await processes.start("api", role="leads_app", user="leads-api")
    await processes.start("relay", role="leads_relay", user="leads-relay")
    token = acme.token(now=datetime.now(UTC))
    headers = {"Authorization": f"Bearer {token}", "X-Correlation-ID": "from-the-test", "X-Socket-ID": "1.2"}

    async with httpx.AsyncClient(base_url=api, headers=headers) as client, nats.client() as operator:
        created = await client.post("/leads", json={"name": "Ada"})
        assert created.status_code == 201
        await until(lambda: in_stream(operator, 1))
        message = await operator.jetstream().get_msg(streams.CRM, 1)
        reply = await operator.request(f"rpc.leads.changes.{acme.id}", b'{"after":0,"limit":10}')

    assert message.data is not None
    fact = envelope.parse(message.data)
    assert fact.subject == created.json()["data"]["id"]
    assert (fact.correlationid, fact.socketid, fact.feedposition) == ("from-the-test", "1.2", 1)
    assert message.headers is not None
    assert message.headers["Nats-Msg-Id"] == fact.id
    answer = json.loads(reply.data)
    assert (answer["data"], answer["position"], answer["epoch"]) == ([json.loads(message.data)], 1, fact.feedepoch)


async def test_the_api_serves_while_nats_is_away(
    leads_database: Database, nats: NatsServer, acme: Company, processes: Processes
) -> None:
    nats.kill()
    api = await processes.start("api", role="leads_app", user="leads-api")

    async with httpx.AsyncClient(base_url=api) as client:
        client.headers["Authorization"] = f"Bearer {acme.token(now=datetime.now(UTC))}"
        created = await client.post("/leads", json={"name": "Ada"})

    assert created.status_code == 201
    assert processes.stop(api) == 0


async def test_one_relay_works_and_the_next_takes_over(
    leads_database: Database, nats: NatsServer, store: PostgresEventStore, acme: Company, processes: Processes
) -> None:
    first = await processes.start("relay", role="leads_relay", user="leads-relay")
    second = await processes.start("relay", role="leads_relay", user="leads-relay")
    assert await has_role(first, "active")
    assert await has_role(second, "standby")

    processes.kill(first)

    await until(lambda: has_role(second, "active"))
    await create_lead(store, acme)
    async with nats.client() as operator:
        await until(lambda: in_stream(operator, 1))
    assert processes.stop(second) == 0


async def has_role(url: str, role: str) -> bool:
    async with httpx.AsyncClient() as client:
        return bool((await client.get(f"{url}/readyz")).json()["role"] == role)


async def in_stream(client: Client, count: int) -> bool:
    return bool((await client.jetstream().stream_info(streams.CRM)).state.messages == count)
