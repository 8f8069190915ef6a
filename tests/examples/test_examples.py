"""The examples, each with the NATS account that it has in deploy/nats/nats.conf, against real servers."""

import asyncio
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from nats.js import JetStreamContext
from psycopg import sql

from contracts import envelope, streams, subjects
from contracts.events import LeadCreated, LeadSummary
from support.servers import NatsServer
from support.stack import Stack
from support.waiting import until

Run = Callable[..., AbstractAsyncContextManager[Any]]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMPANY, OTHER, LEAD = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
FIRST = LeadCreated(
    lead=LeadSummary(id=LEAD, name="Ada Lovelace", status="new", created_at=NOW, updated_at=NOW, version=1)
)


async def publish(
    js: JetStreamContext,
    positions: Iterable[int],
    *,
    company: str = COMPANY,
    suffix: str = "",
    epoch: str | None = None,
) -> None:
    """Publish facts as the relay does; with a suffix, as `leads reseed` does."""
    for position in positions:
        fact = replace(FIRST, lead=replace(FIRST.lead, version=position))
        event_id = str(uuid.uuid5(uuid.UUID(company), str(position)))
        sent = envelope.wrap(
            fact,
            time=NOW,
            companyid=company,
            id=event_id,
            feedposition=position,
            feedepoch=epoch,
            streamversion=position,
        )
        subject = subjects.fact(company, LEAD, sent.type)
        await js.publish(subject, sent.to_json(), headers={"Nats-Msg-Id": f"{event_id}{suffix}"})


async def has_nothing_left(js: JetStreamContext, name: str) -> bool:
    info = await js.consumer_info(streams.CRM, name)
    return (info.num_pending, info.num_ack_pending) == (0, 0)


@pytest.mark.parametrize("name", ["faststream", "node"])
async def test_a_consumer_hears_each_fact_once_and_gives_up_what_nobody_can_read(
    nats: NatsServer, run: Run, name: str
) -> None:
    user = f"example-{name}"
    async with nats.client() as operator, run(name, nats.url(user)) as example:
        js = operator.jetstream()
        await publish(js, [1, 2])
        for body in (b"no JSON", b"{}", b"[]", b'{"feedposition": "x", "companyid": 1}', b"\xff", b""):
            await js.publish("crm.c.lead.l.created", body)
        await publish(js, [1, 2, 3], suffix=":r1")
        await publish(js, [1], company=OTHER)
        await publish(js, [4])
        await example.hears(4)

        await until(lambda: has_nothing_left(js, user))

    assert example.positions == [1, 2, 3, 1, 4]
    assert {told["type"] for told in example.heard} == {"crm.lead.created.v1"}
    assert {told["subject"] for told in example.heard} == {LEAD}


@pytest.mark.parametrize("name", ["faststream", "node"])
async def test_a_consumer_goes_on_where_it_stood(nats: NatsServer, run: Run, name: str) -> None:
    user = f"example-{name}"
    async with nats.client() as operator, run(name, nats.url(user)) as example:
        await publish(operator.jetstream(), [1, 2])
        await example.hears(2)
        await until(lambda: has_nothing_left(operator.jetstream(), user))
    async with nats.client() as operator, run(name, nats.url(user)) as example:
        await publish(operator.jetstream(), [3])
        await example.hears(3)
        nats.kill()
        nats.start()
        async with nats.client() as again:
            await publish(again.jetstream(), [4])
        await example.hears(4)

    assert example.positions == [3, 4]


@pytest.mark.parametrize("name", ["faststream", "node"])
async def test_a_consumer_takes_no_position_of_another_epoch_for_a_repeat(
    nats: NatsServer, run: Run, name: str
) -> None:
    async with nats.client() as operator, run(name, nats.url(f"example-{name}")) as example:
        js = operator.jetstream()
        await publish(js, [1, 2, 3], epoch="first")
        await publish(js, [2, 3], epoch="first", suffix=":r1")
        await publish(js, [2, 3, 4], epoch="second", suffix=":restored")
        await example.hears(4)

    assert example.positions == [1, 2, 3, 2, 3, 4]


@pytest.mark.system
async def test_a_replay_begins_again_in_another_epoch(stack: Stack, run: Run, tmp_path: Path) -> None:
    """The log went back from 5 facts to 2, and has 4 now: every position is one that the replay knows."""
    database = tmp_path / "replay.db"
    variables = {"DEMO_COMPANY_ID": stack.acme.id, "REPLAY_DATABASE": str(database)}
    async with stack.client() as api, run("replay", stack.nats.url("example-replay"), **variables) as replay:

        async def create(name: str) -> int:
            answer = (await api.post("/leads", json={"name": name})).raise_for_status().json()
            return int(answer["meta"]["position"])

        for number in range(5):
            last = await create(f"Lead {number}")
        await replay.hears(last)
        heard = len(replay.positions)
        set_back(stack, stack.acme.id, 2)
        await create("After the restore")
        await create("And another one")
        await replay.hears(4)

    with closing(sqlite3.connect(database)) as table:
        leads = table.execute("SELECT name FROM leads ORDER BY name").fetchall()
    assert replay.positions[heard:] == [1, 2, 3, 4]
    assert leads == [("After the restore",), ("And another one",), ("Lead 0",), ("Lead 1",)]


@pytest.mark.system
async def test_each_example_hears_what_happens_over_rest(stack: Stack, run: Run, tmp_path: Path) -> None:
    nats, company = stack.nats, {"DEMO_COMPANY_ID": stack.acme.id, "REPLAY_DATABASE": str(tmp_path / "replay.db")}
    async with (
        run("faststream", nats.url("example-faststream")) as faststream,
        run("node", nats.url("example-node")) as node,
        run("replay", nats.url("example-replay"), **company) as replay,
        stack.client() as api,
    ):
        created = (await api.post("/leads", json={"name": "Ada Lovelace"})).raise_for_status().json()
        position = created["meta"]["position"]
        await asyncio.gather(*(example.hears(position) for example in (faststream, node, replay)))

    assert [example.heard[-1]["type"] for example in (faststream, node, replay)] == ["crm.lead.created.v1"] * 3
    assert replay.positions == list(range(1, position + 1))


@pytest.mark.system
async def test_a_replay_is_exact_whatever_happens_to_it_and_to_the_stream(
    stack: Stack, run: Run, tmp_path: Path
) -> None:
    database = tmp_path / "replay.db"
    variables = {"DEMO_COMPANY_ID": stack.acme.id, "REPLAY_DATABASE": str(database)}
    url, told = stack.nats.url("example-replay"), []
    async with stack.client() as api, stack.nats.client() as operator:
        js = operator.jetstream()
        created = [(await api.post("/leads", json={"name": f"Lead {n}"})).raise_for_status().json() for n in range(5)]
        await until(lambda: _is_published(js, 5))
        await js.purge_stream(streams.CRM)  # what it needs first is no longer there
        last = created[-1]["meta"]["position"]

        async with run("replay", url, **variables) as replay:
            await replay.hears(last - 2)
            replay.process.kill()  # somewhere after
        told += replay.positions

        lead = created[0]["data"]["id"]
        changed = (await api.patch(f"/leads/{lead}", json={"status": "contacted"})).raise_for_status().json()
        last = changed["meta"]["position"]
        async with run("replay", url, **variables) as replay:
            await replay.hears(last)
            await publish(js, [last], company=stack.acme.id, suffix=":r1")  # it comes again, as after a reseed
            (await api.delete(f"/leads/{created[1]['data']['id']}")).raise_for_status()
            await replay.hears(last + 1)
            await until(lambda: has_nothing_left(js, "example-replay"))
        told += replay.positions

    with closing(sqlite3.connect(database)) as table:
        positions = table.execute("SELECT at FROM position").fetchall()
        leads = table.execute("SELECT name, status, facts FROM leads ORDER BY name").fetchall()
    assert positions == [(last + 1,)]
    assert sorted(set(told)) == list(range(1, last + 2))
    assert leads == [
        ("Lead 0", "contacted", 2),
        ("Lead 1", "new", 2),
        *((f"Lead {number}", "new", 1) for number in range(2, 5)),
    ]


def set_back(stack: Stack, company_id: str, position: int) -> None:
    """Bring a company's log to what it was, as somebody does who copies rows back."""
    with psycopg.connect(stack.topology.superuser_url) as superuser:
        superuser.execute("SET LOCAL session_replication_role = replica")
        for table in ("outbox", "events"):
            statement = sql.SQL("DELETE FROM {} WHERE company_id = %s AND feed_position > %s")
            superuser.execute(statement.format(sql.Identifier(table)), (company_id, position))
        superuser.execute("UPDATE feeds SET position = %s WHERE company_id = %s", (position, company_id))


async def _is_published(js: JetStreamContext, messages: int) -> bool:
    return (await js.stream_info(streams.CRM)).state.messages >= messages
