"""Questions over NATS."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from nats.aio.client import Client

from contracts import envelope, subjects
from leads.rpc import Responder
from leads.store.directory import Directory
from leads.store.log import PostgresEventStore
from leads.views import Views
from runtime import broker
from support.servers import NatsServer

from .conftest import NOBODY, Company
from .given import create_lead, rename


@pytest.fixture
async def notifier(nats: NatsServer, views: Views, directory: Directory) -> AsyncIterator[Client]:
    """The notifier's connection, with our answers at the other end."""
    answering = await broker.connect(nats.url("leads-api"), "test leads")
    await Responder(views, directory).listen(answering)
    await answering.flush()
    async with nats.client("notifier") as asking:
        yield asking
    await answering.close()


async def test_missed_facts_come_as_the_stream_carries_them(
    notifier: Client, store: PostgresEventStore, acme: Company
) -> None:
    lead = (await create_lead(store, acme)).lead
    await rename(store, acme, UUID(lead.id), "Bob")
    await rename(store, acme, UUID(lead.id), "Carol")

    reply = await notifier.request(subjects.changes_request(str(acme.id)), b'{"after":1,"limit":1}', timeout=5)

    answer = json.loads(reply.data)
    assert answer["position"] == 3
    (fact,) = (envelope.parse(json.dumps(item).encode()) for item in answer["data"])
    assert (fact.feedposition, fact.fact().lead.name) == (2, "Bob")


async def test_a_reply_stays_below_what_nats_carries(
    notifier: Client, store: PostgresEventStore, acme: Company
) -> None:
    for _ in range(300):
        await create_lead(
            store, acme, name="x" * 200, organisation="y" * 200, tags=[f"{n:02}" + "t" * 48 for n in range(40)]
        )

    reply = await notifier.request(subjects.changes_request(str(acme.id)), b'{"after":0,"limit":500}', timeout=5)

    answer = json.loads(reply.data)
    assert len(reply.data) < 600_000
    assert [fact["feedposition"] for fact in answer["data"]] == list(range(1, len(answer["data"]) + 1))
    assert 0 < len(answer["data"]) < answer["position"] == 300


async def test_figures(notifier: Client, store: PostgresEventStore, acme: Company) -> None:
    await create_lead(store, acme, source="web")

    reply = await notifier.request(subjects.stats_request(str(acme.id)), timeout=5)

    answer = json.loads(reply.data)
    assert answer["position"] == 1
    assert (answer["data"]["total"], answer["data"]["by_source"]) == (1, {"web": 1})


@pytest.mark.parametrize(
    ("subject", "body", "code"),
    [
        ("rpc.leads.stats.nobody", b"", "malformed_request"),
        (subjects.stats_request(NOBODY), b"", "unknown_company"),
        (subjects.changes_request(NOBODY), b"not json", "malformed_request"),
        (subjects.changes_request(NOBODY), b'{"after":-1}', "malformed_request"),
        (subjects.changes_request(NOBODY), b'{"limit":100000}', "malformed_request"),
        (subjects.changes_request(NOBODY), b'{"after":0}', "unknown_company"),
    ],
)
async def test_what_cannot_be_answered_is_said(notifier: Client, subject: str, body: bytes, code: str) -> None:
    reply = await notifier.request(subject, body, timeout=5)

    assert json.loads(reply.data) == {"error": code}
