"""Sixteen writers over eight companies, while NATS is killed again and again: nothing is lost, nothing out of order.

The short version runs with the suite, the minute with `./leadwire test tests/leads/test_many_writers.py -m stress`.
"""

import asyncio
from itertools import pairwise
from time import monotonic
from uuid import UUID

import psycopg
import pytest

from leads.store.log import PostgresEventStore
from runtime import broker
from support.databases import Database
from support.servers import NatsServer
from support.waiting import until

from .conftest import provisioned
from .given import create_lead, rename
from .test_relay import outbox_is_empty, running
from .test_reseed import on_the_stream, without_repeats

WRITERS = 16
COMPANIES = 8
BETWEEN_KILLS = 300
"""Facts."""


@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.stress)])
async def test_positions_are_dense_and_the_stream_is_in_order(
    leads_database: Database, store: PostgresEventStore, nats: NatsServer, superuser: psycopg.Connection, seconds: float
) -> None:
    companies = [provisioned(leads_database, f"Company{number}") for number in range(COMPANIES)]
    client = await broker.connect(nats.url("leads-relay"), "test relay")
    deadline = monotonic() + seconds
    written = 0

    async def write(writer: int) -> None:
        nonlocal written
        company = companies[writer % COMPANIES]
        while monotonic() < deadline:
            lead = (await create_lead(store, company)).lead
            await rename(store, company, UUID(lead.id), "Grace")
            written += 2

    async def kill_again_and_again() -> int:
        kills = 0
        while monotonic() < deadline:
            at = written + BETWEEN_KILLS
            await until(lambda at=at: written >= at or monotonic() >= deadline)  # type: ignore[misc]
            nats.kill()
            kills += 1
            await asyncio.to_thread(nats.start)
        return kills

    async with running(leads_database, client):
        killing = asyncio.create_task(kill_again_and_again())
        await asyncio.gather(*map(write, range(WRITERS)))
        assert await killing >= 1
        await until(lambda: outbox_is_empty(superuser), within=120)
    await broker.close(client)

    held = await on_the_stream(nats)
    for company in companies:
        log = superuser.execute(
            "SELECT feed_position, event_id::text FROM events WHERE company_id = %s ORDER BY feed_position",
            [company.id],
        ).fetchall()
        assert [position for position, _ in log] == list(range(1, len(log) + 1))
        positions = [position for position, _ in held[company.id]]
        assert without_repeats(positions) == list(range(1, len(log) + 1))
        # What is lost with a killed server is not acknowledged, so that it is published again from there on: in order.
        assert all(after <= before + 1 for before, after in pairwise(positions))
