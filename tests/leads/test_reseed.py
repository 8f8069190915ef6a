"""A stream that was purged or lost is filled again: each company's facts in order, while the relay goes on."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from contracts import envelope, streams
from leads import reseed
from leads.relay import WINDOW
from leads.store.log import PostgresEventStore
from leadwire.processes import Process
from runtime import broker
from runtime.live import LiveClient
from support.databases import Database, run
from support.servers import NatsServer
from support.waiting import until

from .conftest import NOW, Company, Processes
from .given import create_lead, rename
from .test_relay import outbox_is_empty, running

pytestmark = pytest.mark.clock

LONG = 4 * WINDOW


@pytest.fixture
async def nats_client(nats: NatsServer) -> AsyncIterator[LiveClient]:
    client = await broker.connect(nats.url("leads-relay"), "test relay")
    yield client
    await broker.close(client)


def fill_log(superuser: psycopg.Connection, company: Company, count: int) -> None:
    """Append facts that nobody looks into, published long ago: a minute lies between two."""
    superuser.execute(
        "INSERT INTO events SELECT %s, n, gen_random_uuid(), gen_random_uuid(), 1, 'crm.lead.created.v1', '{}', '{}',"
        " %s - (%s - n) * interval '1 minute' FROM generate_series(1, %s) AS n",
        [company.id, NOW, count, count],
    )
    superuser.execute("UPDATE feeds SET position = %s WHERE company_id = %s", [count, company.id])


async def on_the_stream(nats: NatsServer) -> dict[UUID, list[tuple[int, str]]]:
    """Return position and message id of what the stream holds, by company, in its order."""
    found: dict[UUID, list[tuple[int, str]]] = defaultdict(list)
    async with nats.client() as operator:
        js = operator.jetstream()
        subscription = await js.subscribe(">", stream=streams.CRM, ordered_consumer=True)
        for _ in range((await js.stream_info(streams.CRM)).state.messages):
            message = await subscription.next_msg(timeout=10)
            fact = envelope.parse(message.data)
            found[UUID(fact.companyid)].append((fact.feedposition, (message.headers or {})["Nats-Msg-Id"]))
        await subscription.unsubscribe()
    return found


async def purge(nats: NatsServer) -> None:
    async with nats.client() as operator:
        await operator.jetstream().purge_stream(streams.CRM)


def ask(superuser: psycopg.Connection, company: Company | None = None, *, anew: bool = False, **options: object) -> int:
    return reseed.request(superuser, since=options.get("since"), company_id=company.id if company else None, anew=anew)


def has_ended(superuser: psycopg.Connection, generation: int) -> bool:
    return reseed.look(superuser, generation).ended


def without_repeats(positions: Sequence[int]) -> list[int]:
    """Return positions as a consumer counts them that forgets what is at or below its own."""
    kept: list[int] = []
    for position in positions:
        if position > (kept[-1] if kept else 0):
            kept.append(position)
    return kept


async def test_a_purged_stream_is_filled_in_order_while_facts_keep_coming(
    leads_database: Database,
    store: PostgresEventStore,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    acme: Company,
    globex: Company,
) -> None:
    fill_log(superuser, acme, LONG)
    fill_log(superuser, globex, 3)
    done = asyncio.Event()

    async def write(company: Company) -> None:
        while not done.is_set():
            lead = (await create_lead(store, company)).lead
            await rename(store, company, UUID(lead.id), "Grace")

    async with running(leads_database, nats_client):
        writing = [asyncio.create_task(write(company)) for company in (acme, globex, acme, globex)]
        await until(lambda: superuser.execute("SELECT sum(position) FROM feeds").fetchone() > (LONG + 50,))
        await purge(nats)
        generation = ask(superuser)
        await until(lambda: has_ended(superuser, generation), within=60)
        heads = dict(superuser.execute("SELECT company_id, position FROM feeds").fetchall())
        await until(
            lambda: superuser.execute("SELECT sum(position) FROM feeds").fetchone() > (sum(heads.values()) + 20,)
        )
        done.set()
        await asyncio.gather(*writing)
        await until(lambda: outbox_is_empty(superuser))

    for company, held in (await on_the_stream(nats)).items():
        (head,) = superuser.execute("SELECT position FROM feeds WHERE company_id = %s", [company]).fetchone() or (0,)
        begins = next(index for index, (_, message_id) in enumerate(held) if message_id.endswith(f":r{generation}"))
        assert [position for position, _ in held[begins:]] == list(range(1, head + 1))


async def test_a_relay_that_is_killed_in_the_middle_is_followed_by_one_that_goes_on(
    nats: NatsServer, superuser: psycopg.Connection, acme: Company, globex: Company, processes: Processes
) -> None:
    fill_log(superuser, acme, LONG)
    fill_log(superuser, globex, LONG)
    generation = ask(superuser)
    relay = await processes.start("relay", role="leads_relay", user="leads-relay")
    await until(lambda: reseed.look(superuser, generation).published > WINDOW)
    processes.kill(relay)
    assert not has_ended(superuser, generation)

    await processes.start("relay", role="leads_relay", user="leads-relay")
    await until(lambda: has_ended(superuser, generation), within=60)

    for held in (await on_the_stream(nats)).values():
        assert without_repeats([position for position, _ in held]) == list(range(1, LONG + 1))
        assert len(held) <= LONG + WINDOW


async def test_only_what_is_asked_for_is_published(
    leads_database: Database,
    nats: NatsServer,
    nats_client: LiveClient,
    superuser: psycopg.Connection,
    acme: Company,
    globex: Company,
) -> None:
    fill_log(superuser, acme, 10)
    fill_log(superuser, globex, 10)

    async with running(leads_database, nats_client):
        for since, company in ((NOW - timedelta(minutes=2), None), (None, acme), (NOW + timedelta(days=1), None)):
            generation = ask(superuser, company, since=since)
            await until(lambda generation=generation: has_ended(superuser, generation))  # type: ignore[misc]

    held = await on_the_stream(nats)
    assert [position for position, _ in held[acme.id]] == [8, 9, 10, *range(1, 11)]
    assert [position for position, _ in held[globex.id]] == [8, 9, 10]
    assert {message_id.rpartition(":")[2] for _, message_id in held[acme.id]} == {"r1", "r2"}


async def test_what_never_was_published_is_however_old_it_is(
    leads_database: Database, nats: NatsServer, nats_client: LiveClient, superuser: psycopg.Connection, acme: Company
) -> None:
    fill_log(superuser, acme, 10)
    superuser.execute("INSERT INTO outbox (company_id, feed_position) SELECT company_id, feed_position FROM events")
    superuser.execute("DELETE FROM outbox WHERE feed_position < 4")

    generation = ask(superuser, since=NOW - timedelta(minutes=2))
    async with running(leads_database, nats_client):
        await until(lambda: has_ended(superuser, generation))

    assert [position for position, _ in (await on_the_stream(nats))[acme.id]] == list(range(4, 11))
    assert outbox_is_empty(superuser)


async def test_one_reseed_at_a_time_is_joined_or_begun_anew(superuser: psycopg.Connection, acme: Company) -> None:
    fill_log(superuser, acme, 10)
    first = ask(superuser)

    assert ask(superuser) == first
    second = ask(superuser, anew=True)

    assert second != first
    assert reseed.look(superuser, first).superseded
    assert not reseed.look(superuser, second).ended


def test_a_company_that_is_not_there_is_said(superuser: psycopg.Connection) -> None:
    with pytest.raises(reseed.UnknownCompany):
        reseed.request(superuser, since=None, company_id=uuid4(), anew=False)

    assert superuser.execute("SELECT count(*) FROM reseeds").fetchone() == (0,)


async def test_the_command_ends_when_the_relay_is_done(
    leads_database: Database, nats: NatsServer, nats_client: LiveClient, superuser: psycopg.Connection, acme: Company
) -> None:
    fill_log(superuser, acme, 10)
    environment = {"LEADS_DATABASE_URL": leads_database.url("leads_relay")}
    command = (sys.executable, "-P", "-m", "leads", "reseed", "--all", "--company", str(acme.id))

    async with running(leads_database, nats_client):
        await asyncio.to_thread(run, Process(name="reseed", command=command, environment=environment))

    assert [position for position, _ in (await on_the_stream(nats))[acme.id]] == list(range(1, 11))
