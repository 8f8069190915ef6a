"""A log that was set back: an older state of the database was restored in a way of which nobody told us."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from prometheus_client import REGISTRY

from contracts import envelope, streams
from contracts.envelope import Envelope
from leads.setback import Place
from leads.store.log import PostgresEventStore
from runtime.live import LiveClient
from support.databases import Database
from support.servers import NatsServer
from support.waiting import until

from .conftest import Company, provisioned
from .given import create_lead
from .test_relay import nats_client, outbox_is_empty, running

__all__ = ["nats_client"]

GARBAGE = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'"crm"',
    b"{" * 100_000,
    b"[" * 100_000,
    b'{"companyid": null, "feedposition": 1, "id": 2}',
    b'{"companyid": [], "feedposition": {}, "id": "x"}',
    json.dumps({"companyid": str(uuid4()), "feedposition": 10**30, "id": str(uuid4())}).encode(),
    json.dumps({"companyid": str(uuid4()), "feedposition": True, "id": str(uuid4())}).encode(),
    json.dumps({"companyid": str(uuid4()), "feedposition": "1", "id": str(uuid4())}).encode(),
    json.dumps({"companyid": "\x00", "feedposition": 1, "id": str(uuid4())}).encode(),
    json.dumps({"companyid": str(uuid4()), "feedposition": -1, "id": str(uuid4())}).encode(),
    b"x" * 900_000,
]


@dataclass(frozen=True)
class Epochs:
    """What the log's tables say."""

    superuser: psycopg.Connection

    def all(self) -> list[str]:
        return [epoch for (epoch,) in self.superuser.execute("SELECT id FROM epochs ORDER BY number").fetchall()]

    def forks(self) -> dict[UUID, int]:
        """Return the forks of the last epoch."""
        last = "(SELECT max(number) FROM epochs)"
        rows = self.superuser.execute(f"SELECT company_id, position FROM epoch_forks WHERE number = {last}")
        return dict(rows.fetchall())


@pytest.fixture
def epochs(superuser: psycopg.Connection) -> Epochs:
    return Epochs(superuser)


def set_back(superuser: psycopg.Connection, company: Company, position: int) -> None:
    """Bring a company's log to what it was, as somebody does who copies rows back."""
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        values = (company.id, position)
        superuser.execute("DELETE FROM outbox WHERE company_id = %s AND feed_position > %s", values)
        superuser.execute("DELETE FROM events WHERE company_id = %s AND feed_position > %s", values)
        superuser.execute("UPDATE feeds SET position = %s WHERE company_id = %s", (position, company.id))


async def on_the_stream(nats: NatsServer) -> list[Envelope]:
    async with nats.client() as operator:
        js = operator.jetstream()
        last = (await js.stream_info(streams.CRM)).state.last_seq
        return [envelope.parse((await js.get_msg(streams.CRM, number)).data or b"") for number in range(1, last + 1)]


def metric(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


async def written(store: PostgresEventStore, company: Company, count: int, superuser: psycopg.Connection) -> None:
    for _ in range(count):
        await create_lead(store, company)
    await until(lambda: outbox_is_empty(superuser))


async def test_the_relay_notices_within_seconds_what_the_log_has_lost(
    leads_database: Database,
    store: PostgresEventStore,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    epochs: Epochs,
) -> None:
    acme, globex = (provisioned(leads_database, name) for name in ("Acme", "Globex"))
    async with running(leads_database, nats_client):
        await written(store, acme, 5, superuser)
        await written(store, globex, 2, superuser)
        [first] = epochs.all()

        set_back(superuser, acme, 2)

        await until(lambda: len(epochs.all()) == 2, within=10, why="another epoch begins while nobody writes")
        await written(store, acme, 1, superuser)

    assert epochs.forks() == {acme.id: 2}
    facts = await on_the_stream(nats)
    assert {fact.feedepoch for fact in facts[:-1]} == {first}
    assert (facts[-1].feedposition, facts[-1].feedepoch) == (3, epochs.all()[-1])


async def test_what_was_written_before_it_was_noticed_counts_as_new(
    leads_database: Database,
    store: PostgresEventStore,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    epochs: Epochs,
) -> None:
    """More than was lost, in one go: the last position that was published is in the log again, as another fact."""
    acme = provisioned(leads_database, "Acme")
    async with running(leads_database, nats_client) as relay:
        await written(store, acme, 5, superuser)
        async with relay.between_windows:
            set_back(superuser, acme, 2)
            for _ in range(10):
                await create_lead(store, acme)

        await until(lambda: len(epochs.all()) == 2, within=10, why="another epoch begins")

    assert epochs.forks() == {acme.id: 2}


async def test_a_relay_that_begins_reads_it_off_the_stream(
    leads_database: Database,
    store: PostgresEventStore,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    epochs: Epochs,
) -> None:
    """A snapshot of the whole volume is brought back while everything stands still; one company did not exist in it."""
    acme, globex = (provisioned(leads_database, name) for name in ("Acme", "Globex"))
    async with running(leads_database, nats_client):
        await written(store, acme, 3, superuser)
        await until(lambda: superuser.execute("SELECT sequence FROM relay_marks").fetchone() == (3,))
    async with running(leads_database, nats_client):
        await written(store, acme, 2, superuser)
        await written(store, globex, 2, superuser)
    superuser.execute("UPDATE relay_marks SET sequence = 3")
    set_back(superuser, acme, 3)
    set_back(superuser, globex, 0)
    superuser.execute("DELETE FROM feeds WHERE company_id = %s", [globex.id])

    async with running(leads_database, nats_client):
        await until(lambda: len(epochs.all()) == 2, within=10, why="another epoch begins")

    assert epochs.forks() == {acme.id: 3, globex.id: 0}
    async with running(leads_database, nats_client):
        await written(store, acme, 1, superuser)
        await until(lambda: superuser.execute("SELECT sequence FROM relay_marks").fetchone() == (8,))
    assert len(epochs.all()) == 2  # it is noticed once


async def test_nothing_is_noticed_where_nothing_was_set_back(
    leads_database: Database,
    store: PostgresEventStore,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    epochs: Epochs,
) -> None:
    """Also not by a relay that dies between the stream's acknowledgement and the outbox."""
    acme = provisioned(leads_database, "Acme")
    for count in (1, 2, 3):
        async with running(leads_database, nats_client):
            await written(store, acme, count, superuser)
    superuser.execute("UPDATE relay_marks SET sequence = 0")
    async with running(leads_database, nats_client):
        await until(lambda: superuser.execute("SELECT sequence FROM relay_marks").fetchone() == (6,))

    assert len(epochs.all()) == 1


async def test_whatever_somebody_else_puts_on_the_stream_is_reported_and_harms_nothing(
    leads_database: Database,
    store: PostgresEventStore,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    epochs: Epochs,
) -> None:
    acme = provisioned(leads_database, "Acme")
    before = metric("relay_foreign_messages_total")
    forged: dict[str, Any] = {"companyid": str(acme.id), "feedposition": 2, "id": str(uuid4())}
    async with running(leads_database, nats_client):
        await written(store, acme, 1, superuser)
        await until(lambda: superuser.execute("SELECT sequence FROM relay_marks").fetchone() == (1,))
        js = nats_client.jetstream()
        for body in GARBAGE:
            await js.publish("crm.x.lead.y.created", body)
        await js.publish(f"crm.{acme.id}.lead.y.created", json.dumps(forged).encode())
        await written(store, acme, 2, superuser)
        await until(lambda: metric("relay_foreign_messages_total") - before >= len(GARBAGE), why="all are reported")
        await written(store, acme, 1, superuser)

    assert len(epochs.all()) == 1


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_what_a_message_says_is_read_whatever_it_is(body: bytes) -> None:
    assert Place.read(body) is None
