"""A database of revision 0001 with data becomes one of this release, as if it always had been."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from pydantic import TypeAdapter

from contracts.events import LeadSummary
from leads.domain.search import lexemes
from leads.migrate import migrate_database
from support.databases import Database as Databases

from .conftest import NOW
from .test_migrations import upgrade

COMPANIES = (UUID(int=1), UUID(int=2))


def test_companies_of_the_first_release_get_all_that_came_later(empty_database: Databases) -> None:
    upgrade(empty_database, "0001")
    with psycopg.connect(empty_database.url(), autocommit=True) as superuser:
        for company_id in COMPANIES:
            leads = history(superuser, company_id)

        migrate_database(empty_database.url("leads_owner"))
        once = everything(superuser)
        migrate_database(empty_database.url("leads_owner"))

        assert everything(superuser) == once
    for company_id in COMPANIES:
        counted = {(d, key): count for company, d, key, count in once["counters"] if company == company_id}
        assert {key: count for key, count in counted.items() if key[0] in {"total", "status", "source", "month"}} == {
            ("total", ""): 1,
            ("status", "won"): 1,
            ("source", "web"): 1,
            ("month", "2026-11"): 1,
        }
        assert counted["transition", "new>won"] == 1
    (row, _other) = once["leads"]
    _company, name_key, search, status_since = row
    assert (name_key, status_since) == ("lukasz pena", NOW + timedelta(hours=1))
    assert search.count("'") == 2 * len(set(expected_lexemes(leads["kept"])))
    assert [name for _company, name in once["deleted_leads"]] == ["Gone", "Gone"]
    assert once["pipelines"] == [(company_id, 5) for company_id in COMPANIES]


def expected_lexemes(lead: dict[str, Any]) -> list[str]:
    return lexemes(COMPANIES[0], TypeAdapter(LeadSummary).validate_python(lead))


def history(superuser: psycopg.Connection, company_id: UUID) -> dict[str, Any]:
    """Write two leads as the first release did: one that is won an hour later, one that is deleted."""
    superuser.execute("INSERT INTO companies VALUES (%s, 'Old')", [company_id])
    superuser.execute("INSERT INTO feeds VALUES (%s, 4)", [company_id])
    base = {"email": None, "phone": "+5511987654321", "organisation": None, "source": "web", "assigned_to": None}
    times = {"created_at": NOW.isoformat(), "updated_at": NOW.isoformat()}
    kept = {**base, **times, "id": str(uuid4()), "name": "Łukasz Peña", "status": "new", "version": 1}
    won = {**kept, "status": "won", "version": 2, "updated_at": (NOW + timedelta(hours=1)).isoformat()}
    gone = {**base, **times, "id": str(uuid4()), "name": "Gone", "status": "new", "version": 1}
    facts = [
        ("crm.lead.created.v1", {"lead": kept}),
        ("crm.lead.created.v1", {"lead": gone}),
        ("crm.lead.status_changed.v1", {"lead": won, "changes": {"status": {"old": "new", "new": "won"}}}),
        ("crm.lead.deleted.v1", {"lead": {**gone, "version": 2}}),
    ]
    for position, (name, data) in enumerate(facts, 1):
        lead = data["lead"]
        superuser.execute(
            "INSERT INTO events VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [company_id, position, uuid4(), lead["id"], lead["version"], name, json.dumps(data), "{}", NOW],
        )
    superuser.execute(
        "INSERT INTO leads (company_id, id, name, phone, source, status, created_at, updated_at, version)"
        " VALUES (%s, %s, %s, %s, 'web', 'won', %s, %s, 2)",
        [company_id, kept["id"], kept["name"], kept["phone"], NOW, NOW],
    )
    return {"kept": won}


def everything(superuser: psycopg.Connection) -> dict[str, list[Any]]:
    statements = {
        "counters": "SELECT company_id, dimension, key, count FROM counters ORDER BY 1, 2, 3",
        "leads": "SELECT company_id, name_key, search::text, status_since FROM leads ORDER BY 1",
        "deleted_leads": "SELECT company_id, lead ->> 'name' FROM deleted_leads ORDER BY 1",
        "pipelines": "SELECT company_id, jsonb_array_length(stages) FROM pipelines ORDER BY 1",
    }
    return {table: superuser.execute(statement.encode()).fetchall() for table, statement in statements.items()}
