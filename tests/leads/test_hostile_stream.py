"""Whatever stands on the stream of facts: the operator's commands, the relay and the api go on, and say what it is."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from contracts import streams, subjects
from leads import journey, tail
from leads.tail import Wanted
from runtime import broker, direct
from runtime.live import LiveClient
from support import hostile
from support.databases import Database
from support.hostile import Hostile
from support.servers import NatsServer
from support.waiting import until

from .conftest import Company, Connect
from .test_rebuild import work
from .test_relay import nats_client, outbox_is_empty, running
from .test_verify import Verify

__all__ = ["nats_client"]

pytestmark = pytest.mark.clock

NAMED = 20


@dataclass(frozen=True)
class Attacked:
    """A stream with a company's true facts, and what somebody has stored among and behind them."""

    true: list[dict[str, Any]]
    """The facts of the stream, as they stand there."""
    messages: list[Hostile]


def forged(acme: Company, globex: Company, true: Sequence[dict[str, Any]]) -> list[Hostile]:
    """Return facts that are none of the log, by what is wrong with them."""
    third = true[2]
    place = subjects.fact(third["companyid"], third["subject"], third["type"]).encode()
    lead = f"crm.{acme.id}.lead.x.created".encode()
    of_acme = {
        "another fact at a known position": {"position": 3},
        "far position": {"position": 1 << 62},
        "position beyond any": {"position": 10**30},
        "no position": {"position": None},
        "position as text": {"position": "3"},
        "position as truth": {"position": True},
        "unknown epoch": {"position": 3, "feedepoch": "forged"},
        "upcaster": {"position": 4, "type": "crm.lead.tagged.v1", "data": {"tag": {}, "tags": 7}},
        "unknown type": {"position": 5, "type": "no name of a fact"},
        "no type": {"position": 5, "type": ""},
        "commands for a terminal": {"position": 5, "type": "\x1b[2J", "subject": "\x1b]0;x\x07"},
        "number too long": {"position": 5, "data": {"value": 10**4000}},
    }
    facts = [Hostile(why, lead, hostile.fact(str(acme.id), **said)) for why, said in of_acme.items()]
    others = {"unknown": str(uuid4()), "no id": "acme", "NUL": "\x00", "empty": "", "other": str(globex.id)}
    facts += [Hostile(f"company: {why}", lead, hostile.fact(other, 3)) for why, other in others.items()]
    changed = {
        "data": {"data": {**third["data"], "forged": True}},
        "epoch": {"feedepoch": "forged"},
        "actor": {"actor": str(uuid4())},
    }
    facts += [Hostile(f"true but for its {why}", place, _json({**third, **part})) for why, part in changed.items()]
    facts += [Hostile("true, elsewhere", lead, _json(third))]
    odd = [b"crm", b"crm.x", b"crm.\xff\xfe.lead.x.created", b"crm.=FF.=00.\x1b[2J.y", b"crm." + b"y" * 3_000]
    facts += [Hostile(f"subject {subject[:20]!r}", subject, _json(third)) for subject in odd[1:]]
    return facts


@pytest.fixture
async def attacked(
    leads_database: Database,
    connect: Connect,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    acme: Company,
    globex: Company,
) -> AsyncIterator[Attacked]:
    """The relay is at work all the time, and still is afterwards."""
    async with running(leads_database, nats_client), nats.client() as operator:
        await work(connect("manager", acme), acme, 1, lambda done: done >= 20)
        await until(lambda: outbox_is_empty(superuser))
        true = [json.loads(message.data) async for message in direct.read(nats_client, streams.CRM, subjects.FACTS)]
        true = [fact for fact in true if fact["companyid"] == str(acme.id)]
        place = subjects.fact(true[0]["companyid"], true[0]["subject"], true[0]["type"])
        messages = [*hostile.on(place, hostile.fact(str(acme.id), 7)), *forged(acme, globex, true)]
        before = (await operator.jetstream().stream_info(streams.CRM)).state.messages
        await hostile.store(operator, messages)
        await hostile.store(operator, [Hostile("a fact again", place.encode(), _json(true[0]))])
        stored = (await operator.jetstream().stream_info(streams.CRM)).state.messages - before
        assert stored == len(messages) + 1, "the server takes them all"
        await work(connect("manager", acme), acme, 2, lambda done: done >= 10)
        await until(lambda: outbox_is_empty(superuser))
        yield Attacked(true, messages)


async def test_verify_names_each_message_that_is_not_the_logs_and_nothing_else(
    attacked: Attacked, leads_database: Database, nats: NatsServer, acme: Company
) -> None:
    done, lines = await asyncio.to_thread(Verify(leads_database, nats).lines)

    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert done.stdout.isprintable() or done.stdout.replace("\n", "").isprintable()
    kinds = Counter(kind for kind, _, _ in lines)
    assert kinds.keys() == {"unreadable", "stranger", "subject", "contents", "epoch"}, "all true facts are still found"
    assert max(kinds.values()) <= NAMED + 1
    more = sum(int(found[1]) for _, _, what in lines if (found := re.fullmatch("([0-9]+) more", what)))
    named = sum(not what.endswith(" more") for _, _, what in lines)
    assert named + more == len(attacked.messages)


async def test_verify_still_misses_what_the_stream_lacks(
    attacked: Attacked, leads_database: Database, nats: NatsServer, acme: Company
) -> None:
    async with nats.client() as operator:
        found = await operator.jetstream().get_msg(streams.CRM, 7)
        position = json.loads(found.data or b"")["feedposition"]
        await operator.jetstream().delete_msg(streams.CRM, 7)
        forgery = hostile.fact(str(acme.id), position)
        await hostile.store(operator, [Hostile("in its place", f"crm.{acme.id}.lead.x.created".encode(), forgery)])

    _, lines = await asyncio.to_thread(Verify(leads_database, nats).lines)

    assert [company for kind, company, _ in lines if kind == "stream"] == [f"company {acme.id}"]


@pytest.mark.parametrize("type_", [None, "created", "crm.lead.created.v1"])
async def test_tail_goes_on_and_a_terminal_obeys_nobody(
    attacked: Attacked, nats: NatsServer, type_: str | None
) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    client = await broker.connect(nats.url("leads-relay"), "test tail")
    sentinel = hostile.fact(str(uuid4()), 1, type="crm.lead.created.v1", id="the-last-one")
    async with nats.client() as operator:
        await hostile.store(operator, [Hostile("the last one", b"crm.x.lead.x.created", sentinel)])

    async with asyncio.timeout(20), aclosing(tail.facts(client, Wanted(type=type_), since=since)) as facts:
        async for message, fact in facts:
            assert tail.line(message, fact, with_data=True).isprintable()
            json.loads(tail.json_line(message, fact, with_data=True))
            if fact is not None and fact.id == "the-last-one":
                break
    await broker.close(client)


async def test_where_finds_a_fact_among_others_on_its_subject(
    attacked: Attacked, leads_database: Database, nats: NatsServer
) -> None:
    client = await broker.connect(nats.url("leads-relay"), "test where")
    sought = UUID(attacked.true[0]["id"])
    async with await psycopg.AsyncConnection.connect(leads_database.url("leads_owner")) as connection:
        (found,) = await journey.journeys(connection, client, sought, last=1)
    await broker.close(client)

    assert found.relayed is not None
    assert journey.text([found], json_lines=False)


async def test_a_client_hears_what_follows_a_subject_and_headers_that_are_no_text(nats: NatsServer) -> None:
    heard: list[str] = []
    client = await broker.connect(nats.url("operator"), "test listener")
    await client.listen("crm.>", lambda message: heard.append(message.subject))
    one_by_one = await client.subscribe("crm.>")
    odd = [Hostile("subject", b"crm.\xff\xfe.x.y.z", b"")]
    odd += [Hostile(why, b"crm.x.y.z", b"", headers) for why, headers in hostile.RAW_HEADERS.items()]
    async with nats.client() as other:
        await hostile.publish(other, [*odd, Hostile("the last one", b"crm.last", b"")])

    await until(lambda: "crm.last" in heard)
    got = [(await one_by_one.next_msg(5)).subject for _ in range(len(odd) + 1)]
    await broker.close(client)

    assert len(heard) == len(odd) + 1
    assert got == heard


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
