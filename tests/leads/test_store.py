"""The event store on a real PostgreSQL: order, races, repeated commands."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from contracts.events import LeadCreated, LeadEvent
from leads import domain
from leads.command import Answer, Command, Expected, IdempotencyKey, IdempotencyKeyReused, Moment, VersionConflict
from leads.domain import LeadNotFound, StaleVersion
from leads.domain.lead import Lead
from leads.handle import create, handle
from leads.store.database import Database as LeadsDatabase
from leads.store.database import DatabaseAway
from leads.store.directory import Directory
from leads.store.feed import UnknownCompany
from leads.store.log import PostgresEventStore
from leads.views import Views
from support.databases import Database
from support.waiting import until

from .conftest import NOW, Company, provisioned
from .given import command_of, create_lead, end_sessions, rename

WRITERS = 16


async def test_a_lead_is_read_back_as_it_was_decided(store: PostgresEventStore, acme: Company) -> None:
    answer = await create_lead(store, acme, email="ADA@example.com", assigned_to=str(acme.users["agent"]))

    lead_id = UUID(answer.lead.id)
    moment = await store.read(command_of(acme, lead_id=lead_id), [lead_id])
    assert moment.leads == {lead_id: domain.replay([LeadCreated(lead=answer.lead)])}
    assert moment.feed.position == answer.position == 1


async def test_positions_are_dense_and_in_commit_order_under_many_writers(
    store: PostgresEventStore, views: Views, leads_database: Database
) -> None:
    companies = [provisioned(leads_database, name) for name in ("Acme", "Globex", "Initech", "Umbrella")]
    each = 12
    seen: dict[UUID, list[int]] = {company.id: [] for company in companies}
    done = asyncio.Event()

    async def write(writer: int) -> None:
        company = companies[writer % len(companies)]
        for _ in range(each):
            await create_lead(store, company)

    async def follow(company: Company) -> None:
        """Read as a consumer does: what comes after the last position seen."""
        positions = seen[company.id]
        while not done.is_set() or len(positions) < each * WRITERS // len(companies):
            page = await views.changes(company.id, after=len(positions), limit=50)
            positions += [fact.feedposition for fact in page.data]
            await asyncio.sleep(0)

    followers = [asyncio.create_task(follow(company)) for company in companies]
    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    done.set()
    await asyncio.gather(*followers)

    for positions in seen.values():
        assert positions == list(range(1, each * WRITERS // len(companies) + 1))


async def test_only_the_loser_of_a_race_learns_of_a_conflict(store: PostgresEventStore, acme: Company) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)
    company = await store.company(acme.id)
    before = (await store.read(command_of(acme, lead_id=lead_id), [lead_id])).leads

    async def append(number: int) -> Answer:
        command = command_of(acme, lead_id=lead_id)
        facts = domain.change(before[lead_id], {"name": f"Name {number}"}, company, NOW)
        return await store.append(
            command, facts, dated=lambda _at: facts, before=before, settings=company.settings_version
        )

    outcomes = await asyncio.gather(*(append(number) for number in range(WRITERS)), return_exceptions=True)

    assert Counter(type(outcome) for outcome in outcomes) == {Answer: 1, VersionConflict: WRITERS - 1}
    after = await store.read(command_of(acme, lead_id=lead_id), [lead_id])
    lead = after.leads[lead_id]
    assert lead is not None
    assert (lead.summary.version, after.feed.position) == (2, 2)


async def test_who_insists_on_no_version_is_decided_anew(store: PostgresEventStore, acme: Company) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)

    answers = await asyncio.gather(*(rename(store, acme, lead_id, f"Name {number}") for number in range(3)))

    assert sorted(answer.lead.version for answer in answers) == [2, 3, 4]


async def test_who_insists_on_a_version_is_refused(store: PostgresEventStore, acme: Company) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)

    outcomes = await asyncio.gather(
        *(rename(store, acme, lead_id, f"Name {number}", expected=Expected(1)) for number in range(3)),
        return_exceptions=True,
    )

    assert Counter(type(outcome) for outcome in outcomes) == {Answer: 1, StaleVersion: 2}


async def test_a_patch_becomes_several_facts_under_one_command(
    store: PostgresEventStore, views: Views, acme: Company
) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)
    command = command_of(acme, lead_id=lead_id, correlation_id="c", socket_id="1.2", traceparent="t")

    def renamed_and_won(lead: Lead | None, company: domain.Company, at: datetime) -> Sequence[LeadEvent]:
        return domain.change(lead, {"name": "Bob", "status": "won"}, company, at)

    await handle(store, command, renamed_and_won)

    facts = (await views.changes(acme.id, after=1, limit=10)).data
    assert [(fact.feedposition, fact.streamversion) for fact in facts] == [(2, 2), (3, 3)]
    assert [fact.id for fact in facts] == [str(command.event_id(0)), str(command.event_id(1))]
    assert {(fact.causationid, fact.correlationid, fact.socketid, fact.traceparent) for fact in facts} == {
        (str(command.id), "c", "1.2", "t")
    }
    assert (await views.lead(acme.id, lead_id)).data == facts[-1].fact().lead


async def test_a_deleted_lead_leaves_the_list_and_stays_in_the_log(
    store: PostgresEventStore, views: Views, acme: Company
) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)

    await handle(store, command_of(acme, lead_id=lead_id), lambda lead, _, at: domain.delete(lead, at))

    assert (await views.lead(acme.id, lead_id)).data is None
    known = (await store.read(command_of(acme, lead_id=lead_id), [lead_id])).leads[lead_id]
    assert known is not None
    assert (known.deleted, known.summary.version) == (True, 2)
    with pytest.raises(LeadNotFound):
        await rename(store, acme, lead_id, "Bob")


def keyed(command: Command, fingerprint: str = "same") -> Command:
    return replace(command, idempotency=IdempotencyKey("key", fingerprint))


async def test_a_repeated_command_is_answered_as_the_first_time(
    store: PostgresEventStore, views: Views, acme: Company
) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)
    command = keyed(command_of(acme, lead_id=lead_id, expected=Expected(1)))

    def decide(lead: Lead | None, company: domain.Company, at: datetime) -> Any:
        return domain.change(lead, {"name": "Bob"}, company, at)

    first = await handle(store, command, decide)
    await rename(store, acme, lead_id, "Carol")
    again = await handle(store, command, decide)

    assert again == first
    assert (await views.changes(acme.id, after=0, limit=10)).position == 3


async def test_a_repeated_command_that_changed_nothing_still_changes_nothing(
    store: PostgresEventStore, views: Views, acme: Company
) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)
    command = keyed(command_of(acme, lead_id=lead_id))

    first = await handle(store, command, lambda lead, company, at: domain.change(lead, {"name": "Ada"}, company, at))
    await rename(store, acme, lead_id, "Bob")
    again = await handle(store, command, lambda lead, company, at: domain.change(lead, {"name": "Ada"}, company, at))

    assert again == first
    renamed = (await views.lead(acme.id, lead_id)).data
    assert renamed is not None
    assert renamed.name == "Bob"


class Overtaken:
    """A store in which somebody else is always faster: between each read and what follows."""

    def __init__(self, store: PostgresEventStore, company: Company) -> None:
        self._company = company
        self.store = store
        self.company = store.company
        self.append = store.append
        self.remember = store.remember
        self.draw_turn = store.draw_turn

    async def read(self, command: Command, lead_ids: Sequence[UUID]) -> Moment:
        moment = await self.store.read(command, lead_ids)
        await rename(self.store, self._company, command.lead_id, f"Name {moment.feed.position}")
        return moment


async def test_who_is_overtaken_again_and_again_gives_up(store: PostgresEventStore, acme: Company) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)

    with pytest.raises(VersionConflict):
        await rename(Overtaken(store, acme), acme, lead_id, "Bob")


@pytest.mark.parametrize("idempotency", [None, IdempotencyKey("key", "same")])
async def test_an_answer_claims_no_position_that_it_does_not_reflect(
    store: PostgresEventStore, acme: Company, idempotency: IdempotencyKey | None
) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)
    command = command_of(acme, lead_id=lead_id, idempotency=idempotency)

    answer = await handle(
        Overtaken(store, acme), command, lambda lead, company, at: domain.change(lead, {"name": "Ada"}, company, at)
    )

    assert (answer.lead.name, answer.position) == ("Ada", 1)


async def test_the_same_command_at_the_same_time_makes_one_event(
    store: PostgresEventStore, views: Views, acme: Company
) -> None:
    command = keyed(command_of(acme))

    answers = await asyncio.gather(
        *(
            create(
                store, command, lambda company, at: domain.create(str(command.lead_id), {"name": "Ada"}, company, at)
            )
            for _ in range(WRITERS)
        )
    )

    assert all(answer == answers[0] for answer in answers)
    assert (await views.changes(acme.id, after=0, limit=10)).position == 1


async def test_a_key_belongs_to_one_request(store: PostgresEventStore, views: Views, acme: Company) -> None:
    command = keyed(command_of(acme))
    await create(store, command, lambda company, at: domain.create(str(command.lead_id), {"name": "Ada"}, company, at))

    with pytest.raises(IdempotencyKeyReused):
        await store.read(keyed(command, "other"), [command.lead_id])
    with pytest.raises(IdempotencyKeyReused):
        await create(
            store,
            keyed(command, "other"),
            lambda company, at: domain.create(str(command.lead_id), {"name": "Bob"}, company, at),
        )

    assert (await views.changes(acme.id, after=0, limit=10)).position == 1


async def test_the_same_deletion_at_the_same_time_is_answered_alike(store: PostgresEventStore, acme: Company) -> None:
    lead_id = UUID((await create_lead(store, acme)).lead.id)
    command = keyed(command_of(acme, lead_id=lead_id, expected=Expected(1)))

    answers = await asyncio.gather(
        *(handle(store, command, lambda lead, _, at: domain.delete(lead, at)) for _ in range(WRITERS))
    )

    assert all(answer == answers[0] for answer in answers)


async def test_two_users_may_use_the_same_key(store: PostgresEventStore, acme: Company) -> None:
    commands = [keyed(replace(command_of(acme), actor=acme.users[role])) for role in ("agent", "admin")]

    answers = [
        await create(
            store, command, lambda company, at, c=command: domain.create(str(c.lead_id), {"name": "Ada"}, company, at)
        )
        for command in commands
    ]

    assert [answer.position for answer in answers] == [1, 2]


async def test_an_unknown_company_has_no_log(store: PostgresEventStore, acme: Company) -> None:
    stranger = replace(acme, id=uuid4())

    with pytest.raises(UnknownCompany):
        await create_lead(store, stranger)
    with pytest.raises(UnknownCompany):
        await store.read(command_of(stranger), [])


async def test_one_company_never_takes_every_connection(
    leads_database: Database, acme: Company, globex: Company
) -> None:
    database = LeadsDatabase.connect(leads_database.url("leads_app"), pool_size=3)
    store = PostgresEventStore(database, Directory(database))
    with psycopg.connect(leads_database.url()) as blocker:
        blocker.execute("SELECT FROM feeds WHERE company_id = %s FOR UPDATE", [acme.id])
        waiting = [asyncio.create_task(create_lead(store, acme)) for _ in range(5)]
        await until(lambda: is_blocked(leads_database), why="one of them waits for the feed row")

        answer = await create_lead(store, globex)

        assert answer.position == 1
        assert not any(task.done() for task in waiting)
    assert sorted(answer.position for answer in await asyncio.gather(*waiting)) == [1, 2, 3, 4, 5]
    await database.close()


async def test_a_company_waits_for_its_turn_only_so_long(
    leads_database: Database, acme: Company, globex: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = LeadsDatabase.connect(leads_database.url("leads_app"), pool_size=3)
    store = PostgresEventStore(database, Directory(database))
    monkeypatch.setattr("leads.store.database.POOL_TIMEOUT", 0.01)
    async with database.writing(acme.id):
        with pytest.raises(DatabaseAway):
            await create_lead(store, acme)
        assert (await create_lead(store, globex)).position == 1
    monkeypatch.undo()
    assert (await create_lead(store, acme)).position == 1
    await database.close()


def is_blocked(database: Database) -> bool:
    with psycopg.connect(database.url()) as connection:
        return bool(
            connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ).fetchone()
            != (0,)
        )


async def test_connections_that_died_cost_one_request(
    store: PostgresEventStore, database: LeadsDatabase, acme: Company, superuser: psycopg.Connection
) -> None:
    await asyncio.gather(*(create_lead(store, acme) for _ in range(3)), database.ping())
    end_sessions(superuser, "leads_app")

    with pytest.raises(DatabaseAway):
        await create_lead(store, acme)

    assert (await create_lead(store, acme)).position == 4
    await asyncio.gather(*(database.ping() for _ in range(5)))


def test_history_cannot_be_rewritten(leads_database: Database, superuser: psycopg.Connection, acme: Company) -> None:
    superuser.execute(
        "INSERT INTO events VALUES (%s, 1, gen_random_uuid(), gen_random_uuid(), 1, 't', '{}', '{}', now())", [acme.id]
    )
    for statement in ("UPDATE events SET type = 'x'", "DELETE FROM events", "TRUNCATE events"):
        with psycopg.connect(leads_database.url("leads_app")) as app, pytest.raises(InsufficientPrivilege):
            app.execute(statement)
        with pytest.raises(RestrictViolation):
            superuser.execute(statement)
