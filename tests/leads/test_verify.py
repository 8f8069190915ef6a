"""Whatever disagrees with the log is named, once a kind; what agrees is not."""

import asyncio
import re
import subprocess
import sys

import psycopg
import pytest

from contracts import streams
from leadwire.processes import Process
from runtime import broker
from support import hostile
from support.databases import Database
from support.servers import NatsServer
from support.waiting import until

from .conftest import Company, Connect
from .test_rebuild import work, working
from .test_relay import outbox_is_empty, running

pytestmark = pytest.mark.clock

FORGET_A_FIRST_VERSION = """
DELETE FROM events WHERE company_id = %(globex)s AND feed_position = (
    SELECT min(feed_position) FROM events AS a WHERE company_id = %(globex)s AND stream_version = 1
        AND EXISTS (SELECT FROM events AS b WHERE b.stream_id = a.stream_id AND b.stream_version = 2)
)
"""


class Verify:
    """The command, as an operator runs it."""

    def __init__(self, database: Database, nats: NatsServer) -> None:
        self._environment = {
            "LEADS_DATABASE_URL": database.url("leads_owner"),
            "LEADS_NATS_URL": nats.url("migrate"),
        }

    def run(self, *options: str) -> tuple[int, dict[str, str], str]:
        """Return its exit code, what it says by kind, and what it tells meanwhile."""
        done, lines = self.lines(*options)
        return done.returncode, {kind: what for kind, _company, what in lines}, done.stderr

    def lines(self, *options: str) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
        """Return how it ended, and each thing that it names: kind, company, and what is wrong."""
        command = (sys.executable, "-P", "-m", "leads", "verify", *options)
        options_ = Process(name="verify", command=command, environment=self._environment).options()
        done = subprocess.run(command, **options_, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 1}, done.stderr
        return done, [line.split(": ", 2) for line in done.stdout.splitlines() if ": " in line]


@pytest.fixture
def verify(leads_database: Database, nats: NatsServer) -> Verify:
    return Verify(leads_database, nats)


async def test_while_people_work_all_agrees(
    leads_database: Database, connect: Connect, nats: NatsServer, verify: Verify, acme: Company, globex: Company
) -> None:
    client = await broker.connect(nats.url("leads-relay"), "test relay")
    async with running(leads_database, client), working(connect, acme, globex):
        await work(connect("manager", acme), acme, 1, lambda done: done >= 50)
        code, found, _ = await asyncio.to_thread(verify.run)
    await broker.close(client)

    assert (code, found) == (0, {})


async def test_whatever_is_wrong_is_named(
    connect: Connect, verify: Verify, superuser: psycopg.Connection, acme: Company, globex: Company
) -> None:
    await work(connect("manager", acme), acme, 1, lambda done: done >= 60)
    await work(connect("manager", globex), globex, 2, lambda done: done >= 10)
    superuser.execute("SET session_replication_role = replica")  # no trigger protects the log
    for statement in (
        "UPDATE leads SET name = 'Wrong' WHERE company_id = %(acme)s",
        "DELETE FROM deleted_leads WHERE company_id = %(acme)s",
        "UPDATE lead_messages SET body = 'Wrong' WHERE company_id = %(acme)s",
        "INSERT INTO merged_leads VALUES (%(acme)s, gen_random_uuid(), gen_random_uuid())",
        "UPDATE counters SET count = count + 1 WHERE company_id = %(acme)s AND dimension = 'total'",
        "DELETE FROM outbox WHERE company_id = %(acme)s AND feed_position = 5",
        FORGET_A_FIRST_VERSION,
    ):
        superuser.execute(statement.encode(), {"acme": acme.id, "globex": globex.id})

    code, found, _ = await asyncio.to_thread(verify.run, "--no-stream")

    assert code == 1
    assert found.keys() == {
        "leads", "deleted_leads", "lead_messages", "merged_leads", "counters", "outbox", "positions", "versions",
    }  # fmt: skip
    assert found["leads"].endswith("differs in name")
    assert found["counters"].startswith("total  differs in count")
    assert found["merged_leads"].endswith("should not be there")
    assert found["deleted_leads"].endswith("is missing")
    assert re.fullmatch("version 2 of .* follows 0", found["versions"])


async def test_what_the_stream_lacks_or_never_should_have_had_is_named(
    leads_database: Database,
    connect: Connect,
    nats: NatsServer,
    verify: Verify,
    superuser: psycopg.Connection,
    acme: Company,
) -> None:
    client = await broker.connect(nats.url("leads-relay"), "test relay")
    async with running(leads_database, client):
        await work(connect("manager", acme), acme, 1, lambda done: done >= 20)
        await until(lambda: outbox_is_empty(superuser))
    await client.jetstream().publish(
        f"crm.{acme.id}.lead.x.created",
        hostile.fact(str(acme.id), 3, id=str(acme.id)),
    )
    await broker.close(client)

    async with nats.client() as operator:
        await operator.jetstream().delete_msg(streams.CRM, 7)
    code, found, _ = await asyncio.to_thread(verify.run)

    assert code == 1
    assert found["stranger"].startswith(f"the stream has {acme.id} at 3, the log has ")
    assert found["stream"].startswith("should hold 1 to ")
