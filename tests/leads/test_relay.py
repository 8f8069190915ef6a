"""The relay: everything on the stream, once, each company's facts in order; and why it has no cursor."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import psycopg
import pytest

from contracts import envelope, streams
from leads.relay import Connection, Outbox, Pending, Relay, publish_next
from leads.store.facts import COLUMNS, Recorded
from leads.store.log import PostgresEventStore
from runtime import broker
from runtime.broker import Outgoing, PublishFailed
from runtime.live import LiveClient
from runtime.windows import WindowPublisher
from support.databases import Database
from support.servers import NatsServer
from support.waiting import until

from .conftest import Company, provisioned
from .given import create_lead, end_sessions, rename

WRITERS = 16


async def published(nats: NatsServer) -> dict[UUID, list[int]]:
    """Return the feed positions on the stream, by company, in stream order."""
    positions: dict[UUID, list[int]] = defaultdict(list)
    async with nats.client() as operator:
        jetstream = operator.jetstream()
        for sequence in range(1, (await jetstream.stream_info(streams.CRM)).state.last_seq + 1):
            fact = envelope.parse((await jetstream.get_msg(streams.CRM, sequence)).data or b"")
            positions[UUID(fact.companyid)].append(fact.feedposition)
    return positions


async def assert_complete_and_in_order(nats: NatsServer, superuser: psycopg.Connection) -> None:
    """The check that every relay must pass: the stream holds the log, once, each company's facts in order."""
    heads = superuser.execute("SELECT company_id, position FROM feeds WHERE position > 0").fetchall()
    assert await published(nats) == {company: list(range(1, head + 1)) for company, head in heads}


def outbox_is_empty(superuser: psycopg.Connection) -> bool:
    return superuser.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


@pytest.fixture
async def nats_client(nats: NatsServer) -> AsyncIterator[LiveClient]:
    client = await broker.connect(nats.url("leads-relay"), "test relay")
    yield client
    await client.close()


@contextlib.asynccontextmanager
async def running(database: Database, client: LiveClient) -> AsyncIterator[Relay]:
    working = Relay(database.url("leads_relay"))
    task = asyncio.create_task(working.run(client))
    try:
        yield working
    finally:
        async with working.between_windows:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_many_writers_and_every_fact_once_and_in_order(
    leads_database: Database,
    store: PostgresEventStore,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
) -> None:
    companies = [provisioned(leads_database, name) for name in ("Acme", "Globex", "Initech", "Umbrella")]

    async def write(writer: int) -> None:
        company = companies[writer % len(companies)]
        for number in range(5):
            lead = (await create_lead(store, company)).lead
            await rename(store, company, UUID(lead.id), f"Name {number}")

    async with running(leads_database, nats_client):
        await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
        await until(lambda: outbox_is_empty(superuser))

    assert sum(map(len, (await published(nats)).values())) == WRITERS * 10
    await assert_complete_and_in_order(nats, superuser)


class WithFloor(Outbox):
    """The outbox that tries to raise its floor as often as it can."""

    async def delete(self, published: Sequence[Pending]) -> None:
        await super().delete(published)
        for _ in range(3):
            await self.raise_floor()


class AboveTheLastOneRead(Outbox):
    """A cursor, as somebody might put one back: whatever commits late below it is lost."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._last = 0

    async def read(self, limit: int) -> Sequence[Pending]:
        rows = await self._connection.execute(
            f"SELECT o.id, {COLUMNS} FROM outbox AS o JOIN events AS e USING (company_id, feed_position)"
            " WHERE o.id > %(last)s ORDER BY o.id LIMIT %(limit)s",
            {"last": self._last, "limit": limit},
        )
        window = [Pending(row[0], Recorded(*row[1:])) for row in await rows.fetchall()]
        self._last = max([self._last, *(row.id for row in window)])
        return window


class AboveTheLastOneReadWithSweeps(AboveTheLastOneRead):
    """A cursor that starts over when it has nothing to do: nothing is lost, but order is."""

    async def read(self, limit: int) -> Sequence[Pending]:
        window = await super().read(limit)
        if not window:
            self._last = 0
            window = await super().read(limit)
        return window


@pytest.mark.parametrize(
    ("outbox", "is_right"),
    [(Outbox, True), (WithFloor, True), (AboveTheLastOneRead, False), (AboveTheLastOneReadWithSweeps, False)],
)
async def test_what_commits_late_is_neither_skipped_nor_overtaken(
    outbox: type[Outbox],
    is_right: bool,
    leads_database: Database,
    store: PostgresEventStore,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    acme: Company,
    globex: Company,
) -> None:
    async with await psycopg.AsyncConnection.connect(leads_database.url("leads_relay"), autocommit=True) as connection:
        reader, publisher = outbox(connection), WindowPublisher(nats_client)
        with psycopg.connect(leads_database.url("leads_app")) as late:
            append(late, acme)  # draws the first outbox id, and is not committed yet
            await create_lead(store, globex)
            assert await publish_next(reader, publisher) == 1
        await create_lead(store, acme)

        while await publish_next(reader, publisher):
            pass

    if is_right:
        await assert_complete_and_in_order(nats, superuser)
    else:
        with pytest.raises(AssertionError):
            await assert_complete_and_in_order(nats, superuser)


async def test_the_floor_follows_what_is_published(
    leads_database: Database, store: PostgresEventStore, nats_client: LiveClient, acme: Company
) -> None:
    async with await psycopg.AsyncConnection.connect(leads_database.url("leads_relay"), autocommit=True) as connection:
        outbox = Outbox(connection)
        for number in range(3):
            await create_lead(store, acme)
            if number < 2:
                await publish_next(outbox, WindowPublisher(nats_client))
        await outbox.raise_floor()

        await until(lambda: raised(outbox))

        assert outbox._floor == 2
        assert [row.id for row in await outbox.read(10)] == [3]


async def raised(outbox: Outbox) -> bool:
    await outbox.raise_floor()
    return outbox._floor > 0


def append(connection: psycopg.Connection, company: Company) -> None:
    connection.execute("SELECT set_config('app.company', %s, true)", [str(company.id)])
    connection.execute("UPDATE feeds SET position = position + 1")
    connection.execute(
        "INSERT INTO events VALUES (%s, 1, %s, %s, 1, 'crm.lead.created.v1', '{}', '{}', now())",
        [company.id, uuid4(), uuid4()],
    )
    connection.execute("INSERT INTO outbox (company_id, feed_position) VALUES (%s, 1)", [company.id])


async def test_a_broker_that_dies_in_the_middle_loses_nothing(
    leads_database: Database,
    store: PostgresEventStore,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    acme: Company,
    globex: Company,
) -> None:
    async def write(company: Company) -> None:
        for _ in range(40):
            await create_lead(store, company)

    async with running(leads_database, nats_client):
        writing = [asyncio.create_task(write(company)) for company in (acme, globex)]
        await until(lambda: superuser.execute("SELECT count(*) FROM events").fetchone() > (10,))
        nats.kill()
        await until(lambda: superuser.execute("SELECT count(*) FROM outbox").fetchone() > (20,))
        nats.start()
        await asyncio.gather(*writing)
        await until(lambda: outbox_is_empty(superuser), within=60)

    await assert_complete_and_in_order(nats, superuser)


async def test_a_lost_database_connection_is_a_lost_lock_and_work_goes_on(
    leads_database: Database,
    store: PostgresEventStore,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    acme: Company,
) -> None:
    async with running(leads_database, nats_client) as first, running(leads_database, nats_client) as second:
        await until(lambda: {first.role, second.role} == {"active", "standby"})
        end_sessions(superuser, "leads_relay")

        for _ in range(10):
            await create_lead(store, acme)

        await until(lambda: outbox_is_empty(superuser))
        await until(lambda: {first.role, second.role} == {"active", "standby"})
    await assert_complete_and_in_order(nats, superuser)


class LosesAcknowledgements(WindowPublisher):
    """A connection over which only the first acknowledgements arrive."""

    async def publish(self, messages: Sequence[Outgoing]) -> list[int]:
        await super().publish(messages)
        raise PublishFailed(2, TimeoutError())


async def test_only_what_the_stream_is_known_to_have_stored_leaves_the_outbox(
    leads_database: Database,
    store: PostgresEventStore,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    acme: Company,
) -> None:
    for _ in range(5):
        await create_lead(store, acme)

    async with await psycopg.AsyncConnection.connect(leads_database.url("leads_relay"), autocommit=True) as connection:
        with pytest.raises(PublishFailed):
            await publish_next(Outbox(connection), LosesAcknowledgements(nats_client))
        assert superuser.execute("SELECT count(*) FROM outbox").fetchone() == (3,)
        assert await publish_next(Outbox(connection), WindowPublisher(nats_client)) == 3

    await assert_complete_and_in_order(nats, superuser)


def test_a_relay_that_stands_by_has_no_lag_of_its_own() -> None:
    relay = Relay("postgresql://nowhere")
    relay.role, relay.lag = "active", 120.0

    relay._become("standby")

    assert relay.lag == 0.0
