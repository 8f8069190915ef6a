"""The api, the relay and PostgreSQL are killed with -9 under a mixed load of every operation on leads.

What was answered with 2xx is in the log, once; what was not is there whole or not at all; the read models and the
counters are what the log says; and the stream has the log.
"""

import asyncio
import itertools
import os
import random
import shutil
import signal
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from contracts import envelope, streams
from contracts.events import LeadEvent, LeadMessageEdited, LeadMessagePosted, LeadSummary
from leads.domain import counters
from leads.domain.lead import Lead, evolve
from leadwire import postgres
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.ports import LOOPBACK, reserve
from leadwire.topology import Endpoint
from support.databases import run
from support.log_and_stream import messages
from support.servers import NatsServer, OwnProcess, PostgresServer
from support.stack import SERVICES, Company, Stack, plan, provision
from support.traffic import command
from support.waiting import until

pytestmark = pytest.mark.faults

WRITERS = 8
COMMANDS = 30  # of each writer
KILL_AT = 80  # commands that were answered with 2xx …
START_AT = 20  # … and requests that failed since
AMBIGUOUS = {httpx.codes.SERVICE_UNAVAILABLE}


class OwnPostgres:
    """A durable server of this test alone, which it may kill."""

    def __init__(self, directory: Path, credentials: Credentials, port: int) -> None:
        cluster = postgres.Cluster(place=postgres.place(directory / "data"), port=port, settings={})
        cluster.initialise(credentials.postgres[SUPERUSER], sync=False)
        self._process = OwnProcess(cluster.process(), directory / "postgres.log")
        self.server = PostgresServer(LOOPBACK, port, credentials)

    def start(self) -> None:
        self._process.start()

    def kill(self) -> None:
        """Kill it and all its children at once: none of them has time for anything."""
        if self._process.pid is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def forget(self) -> None:
        self.kill()
        self._process.forget()


@pytest.fixture
def own_postgres(credentials: Credentials) -> Iterator[OwnPostgres]:
    reservation = reserve()
    directory = Path(tempfile.mkdtemp(prefix="leadwire-postgres-"))
    directory.chmod(0o711)  # PostgreSQL does not run as root
    own = OwnPostgres(directory, credentials, reservation.port)
    try:
        own.start()
        own.server.wait_until_ready()
        passwords = {role: word for role, word in credentials.postgres.items() if role != SUPERUSER}
        postgres.apply_roles(own.server.url(), passwords)
        yield own
    finally:
        own.forget()
        shutil.rmtree(directory)
        reservation.release()


@pytest.fixture
def stack(own_postgres: OwnPostgres, nats: NatsServer, tmp_path: Path) -> Iterator[Stack]:
    """The api and the relay, on that server."""
    ports = [reserve() for _ in range(2 * SERVICES)]
    endpoints = [Endpoint(LOOPBACK, port.port, admin.port) for port, admin in zip(*[iter(ports)] * 2, strict=True)]
    topology = plan(own_postgres.server, nats, endpoints, tmp_path / "apps.json", ("leads", "notifier"))
    run(topology.migrate_leads())
    acme, globex = (provision(topology, name, str(uuid.uuid4())) for name in ("Acme", "Globex"))
    stack = Stack([topology], nats, (acme, globex), tmp_path)
    try:
        stack.start("api", "relay")
        yield stack
    finally:
        stack.close()
        for port in ports:
            port.release()


@dataclass
class Sent:
    """A request by its correlation id, and what came of it."""

    answered: bool = False
    data: dict[str, Any] = field(default_factory=dict)
    position: int = 0


class Load:
    """Writers of all kinds, some of them careful: the same Idempotency-Key until there is an answer."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.sent: dict[str, Sent] = {}
        self.done = 0
        self.failed = 0

    async def write(self, company: Company, seed: int) -> None:
        chance = random.Random(seed)
        known: list[str] = []
        users = [user.id for role, user in company.users.items() if role != "viewer"]
        async with self._stack.client("manager", company) as api:
            for number in itertools.count():
                if number >= COMMANDS and self.done >= KILL_AT:
                    return
                method, path, body = command(chance, known, users, f"{seed}-{number}")
                answer = await self._send(api, method, path, body, careful=chance.random() < 0.5)
                if answer is not None and path == "/leads":
                    known.append(answer["id"])

    async def _send(
        self, api: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None, *, careful: bool
    ) -> dict[str, Any] | None:
        key = {"Idempotency-Key": str(uuid.uuid4())} if careful else {}
        while True:
            correlation_id = str(uuid.uuid4())
            sent = self.sent[correlation_id] = Sent()
            headers = {"X-Correlation-ID": correlation_id, "If-Match": "*", **key}
            try:
                answer = await api.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is None or answer.status_code in AMBIGUOUS:
                self.failed += 1
                await asyncio.sleep(0)
                if careful:
                    continue
                return None
            assert answer.status_code < 500, answer.text
            if answer.is_success:
                sent.answered, sent.data = True, answer.json()["data"]
                sent.position = answer.json()["meta"]["position"]
                self.done += 1
                return sent.data
            return None


@pytest.mark.parametrize("victim", ["api", "relay", "postgres"])
async def test_every_command_is_whole_or_not_at_all(stack: Stack, own_postgres: OwnPostgres, victim: str) -> None:
    await stack.ready("api", "relay")
    load = Load(stack)
    writers = [
        asyncio.create_task(load.write(company, seed))
        for seed, company in zip(range(WRITERS), itertools.cycle([stack.acme, stack.globex]), strict=False)
    ]
    await until(lambda: load.done >= KILL_AT or failed(writers), within=120, why="there is some load")
    own_postgres.kill() if victim == "postgres" else stack.kill(victim)
    if victim != "relay":
        await until(lambda: load.failed >= START_AT or failed(writers), within=120, why="requests fail")
    if victim == "postgres":
        own_postgres.start()
        await asyncio.to_thread(own_postgres.server.wait_until_ready)
    else:
        stack.start(victim)
    await asyncio.gather(*writers)
    await stack.ready("api", "relay")

    kept: set[tuple[str, int | None]] = set()
    for company in (stack.acme, stack.globex):
        log = rows(stack, "SELECT * FROM events WHERE company_id = %s ORDER BY feed_position", company)
        facts: list[LeadEvent] = [envelope.decode(row["type"], row["data"]) for row in log]  # type: ignore[misc]
        assert [row["feed_position"] for row in log] == list(range(1, len(log) + 1))
        assert_commands_are_whole(log)
        assert_answers_are_in_the_log(log, facts, load)
        assert_views_are_what_the_log_says(stack, company, facts)
        kept |= {(str(row["stream_id"]), row["stream_version"]) for row in log}
        kept |= {(fact.message.id, None) for fact in facts if isinstance(fact, LeadMessagePosted)}

        async def on_the_stream(company: Company = company, log: list[dict[str, Any]] = log) -> bool:
            found = [envelope.parse(body) for body in await messages(stack, streams.CRM, f"crm.{company.id}.>")]
            return [fact.id for fact in found] == [str(row["event_id"]) for row in log]

        await until(on_the_stream, within=60, why="the stream has the log")
    answers = [sent.data for sent in load.sent.values() if sent.answered]
    assert {(data["id"], data.get("version")) for data in answers} <= kept


def failed(tasks: list[asyncio.Task[None]]) -> bool:
    return any(task.done() and task.exception() for task in tasks)


def rows(stack: Stack, statement: str, company: Company) -> list[dict[str, Any]]:
    with psycopg.connect(stack.topology.superuser_url, row_factory=dict_row) as connection:
        return connection.execute(statement.encode(), [company.id]).fetchall()


def assert_commands_are_whole(log: list[dict[str, Any]]) -> None:
    """Check that whatever a command did, it did at consecutive positions, and all of it."""
    commands: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in log:
        commands[row["metadata"]["causation_id"]].append(row)
    for parts in commands.values():
        first = parts[0]["feed_position"]
        assert [row["feed_position"] for row in parts] == list(range(first, first + len(parts)))
        kinds = [row["type"].split(".")[2] for row in parts]
        if "merged" in kinds:
            assert kinds == ["merged", "deleted"]
        if "converted" in kinds:
            assert kinds[-2:] in (["status_changed", "converted"], ["converted"])


def assert_answers_are_in_the_log(log: list[dict[str, Any]], facts: list[LeadEvent], load: Load) -> None:
    """Check that each 2xx is the last fact of its command, which is there once."""
    last: dict[str, tuple[dict[str, Any], LeadEvent]] = {}
    causes: dict[str, set[str]] = defaultdict(set)
    for row, fact in zip(log, facts, strict=True):
        correlation_id = row["metadata"]["correlation_id"]
        assert correlation_id in load.sent
        last[correlation_id] = row, fact
        causes[correlation_id].add(row["metadata"]["causation_id"])
    assert all(len(causation_ids) == 1 for causation_ids in causes.values())
    keys = [row["metadata"]["idempotency_key"] for row, _ in last.values() if "idempotency_key" in row["metadata"]]
    assert len(keys) == len(set(keys))
    for correlation_id, (row, fact) in last.items():
        sent = load.sent[correlation_id]
        if sent.answered:
            assert sent.position == row["feed_position"]
            if "version" in sent.data and fact.lead.id == sent.data["id"]:
                assert sent.data["version"] == row["stream_version"]


def assert_views_are_what_the_log_says(stack: Stack, company: Company, facts: list[LeadEvent]) -> None:
    leads: dict[str, Lead] = {}
    for fact in facts:
        leads[fact.lead.id] = evolve(leads.get(fact.lead.id), fact)
    listed = rows(stack, "SELECT * FROM leads WHERE company_id = %s", company)
    there = {key: lead.summary for key, lead in leads.items() if not lead.deleted}
    assert {str(row["id"]): shown(row) for row in listed} == {key: shown(vars_of(lead)) for key, lead in there.items()}
    deleted = rows(stack, "SELECT id, merged_into FROM deleted_leads WHERE company_id = %s", company)
    assert {(str(row["id"]), row["merged_into"] and str(row["merged_into"])) for row in deleted} == {
        (key, lead.merged_into) for key, lead in leads.items() if lead.deleted
    }
    chat = rows(stack, "SELECT id, body FROM lead_messages WHERE company_id = %s", company)
    said = {
        fact.message.id: fact.message.body for fact in facts if isinstance(fact, LeadMessagePosted | LeadMessageEdited)
    }
    assert {str(row["id"]): row["body"] for row in chat} == said
    counted = rows(stack, "SELECT dimension, key, count FROM counters WHERE company_id = %s AND count <> 0", company)
    assert {(row["dimension"], row["key"]): row["count"] for row in counted} == counters.recount(facts)


def vars_of(lead: LeadSummary) -> dict[str, Any]:
    return {name: getattr(lead, name) for name in LeadSummary.__dataclass_fields__}


def shown(row: dict[str, Any]) -> dict[str, str]:
    """Return a lead's fields in one form, whether from the table or from a fact."""
    plain = {name: row[name] for name in LeadSummary.__dataclass_fields__ if row[name] is not None}
    return {name: str(list(value)) if name == "tags" else str(value) for name, value in plain.items()}
