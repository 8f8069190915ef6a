"""Row-level security, seen from another company: for every table there is."""

from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from leads.store.log import PostgresEventStore
from support.databases import Database

from .conftest import Company
from .given import create_lead

CHANGING_TABLES = ("leads", "sources", "saved_views", "deleted_leads", "counters", "jobs")
USER_COLUMNS = {"email", "name", "role", "active", "version", "tokens_since"}
NOT_OF_TENANTS = {"alembic_version", "epochs", "relay_marks", "reseeds"}


@pytest.fixture
def tables(leads_database: Database) -> list[str]:
    with psycopg.connect(leads_database.url()) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return sorted({name for (name,) in rows} - NOT_OF_TENANTS)


@pytest.fixture
def reader(leads_database: Database) -> Iterator[psycopg.Connection]:
    """A role that may read everything, but is under row-level security."""
    with psycopg.connect(leads_database.url(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS curious")
        connection.execute("CREATE ROLE curious")
        connection.execute("GRANT USAGE ON SCHEMA public TO curious")
        connection.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO curious")
        connection.execute("SET ROLE curious")
        yield connection
        connection.execute("RESET ROLE")
        connection.execute("DROP OWNED BY curious")
        connection.execute("DROP ROLE curious")


def enter(connection: psycopg.Connection, company_id: UUID | str) -> None:
    connection.execute("SELECT set_config('app.company', %s, false)", [str(company_id)])


def count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


async def test_another_company_sees_nothing(
    store: PostgresEventStore, reader: psycopg.Connection, tables: list[str], acme: Company, globex: Company
) -> None:
    await create_lead(store, acme)
    of_every_company = {"companies": 1, "feeds": 1, "pipelines": 1, "users": 4}
    expected_of_globex = dict.fromkeys(tables, 0) | of_every_company

    enter(reader, acme.id)
    assert {table for table in tables if count(reader, table)} == {
        *of_every_company,
        "counters",
        "events",
        "leads",
        "outbox",
    }
    enter(reader, globex.id)
    assert {table: count(reader, table) for table in tables} == expected_of_globex
    enter(reader, "")
    assert {table: count(reader, table) for table in tables} == dict.fromkeys(tables, 0)
    reader.execute("RESET app.company")
    assert {table: count(reader, table) for table in tables} == dict.fromkeys(tables, 0)


def test_every_table_is_forced_under_row_level_security(leads_database: Database, tables: list[str]) -> None:
    with psycopg.connect(leads_database.url()) as connection:
        forced = connection.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY relname"
        ).fetchall()

    assert [name for (name,) in forced] == tables


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO companies VALUES (%s, 'x')",
        "INSERT INTO users VALUES (%s, gen_random_uuid(), 'x@y', 'x', 'admin', 'x')",
        "INSERT INTO feeds VALUES (%s, 7)",
        "INSERT INTO events VALUES (%s, 1, gen_random_uuid(), gen_random_uuid(), 1, 't', '{}', '{}', now())",
        "INSERT INTO outbox (company_id, feed_position) VALUES (%s, 1)",
        "INSERT INTO idempotency VALUES (%s, gen_random_uuid(), 'k', 'f', '{}', now())",
        "INSERT INTO pipelines VALUES (%s, '[]', 1)",
        "INSERT INTO sources VALUES (%s, 'k', 'x', true)",
        "INSERT INTO custom_fields VALUES (%s, 'k', 'x', 'text')",
        "INSERT INTO saved_views VALUES (%s, gen_random_uuid(), gen_random_uuid(), 'x', '{}', true, now(), now())",
        "INSERT INTO rotations VALUES (%s, gen_random_uuid())",
        "INSERT INTO lead_messages SELECT %s, id, id, id, 'x', '{}', now(), NULL, 1 FROM gen_random_uuid() AS id",
        "INSERT INTO deleted_leads VALUES (%s, gen_random_uuid(), '{}', now())",
        "INSERT INTO merged_leads VALUES (%s, gen_random_uuid(), gen_random_uuid())",
        "INSERT INTO counters VALUES (%s, 'status', 'new', 1)",
        "INSERT INTO leads VALUES (%s, gen_random_uuid(), 'x', '', '', '', '', 'new', NULL, now(), now(), 1)",
    ],
)
def test_nothing_is_written_for_another_company(
    reader: psycopg.Connection, acme: Company, globex: Company, statement: str
) -> None:
    enter(reader, globex.id)

    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        reader.execute(statement.encode(), [acme.id])


def test_the_app_knows_credentials_only_by_asking(leads_database: Database, acme: Company) -> None:
    with psycopg.connect(leads_database.url("leads_app"), autocommit=True) as app:
        enter(app, acme.id)
        with pytest.raises(InsufficientPrivilege):
            app.execute("SELECT password_hash FROM users")
        enter(app, "")

        found = app.execute("SELECT user_id FROM credentials('agent@acme.example')").fetchall()

        assert found == [(acme.users["agent"],)]
        assert app.execute("SELECT count(*) FROM users").fetchone() == (0,)


@pytest.mark.parametrize("role", ["leads_app", "leads_relay"])
def test_roles_may_do_what_they_need_and_nothing_else(leads_database: Database, tables: list[str], role: str) -> None:
    needs = {
        "leads_app": {
            "alembic_version": {"SELECT"},
            "epoch_forks": {"SELECT"},
            "epochs": {"SELECT"},
            "companies": {"SELECT"},
            "feeds": {"SELECT"},
            "pipelines": {"SELECT"},
            "events": {"SELECT", "INSERT"},
            "outbox": {"INSERT"},
            "idempotency": {"SELECT", "INSERT"},
            "merged_leads": {"SELECT", "INSERT"},
            "custom_fields": {"SELECT", "INSERT", "UPDATE"},
            "rotations": {"SELECT", "INSERT", "UPDATE"},
            "lead_messages": {"SELECT", "INSERT", "UPDATE"},
            "job_batches": {"SELECT", "INSERT", "UPDATE"},
            "job_refusals": {"SELECT", "INSERT"},
            **{table: {"SELECT", "INSERT", "UPDATE", "DELETE"} for table in CHANGING_TABLES},
        },
        "leads_relay": {
            **{key: {"SELECT"} for key in ("alembic_version", "companies", "feeds", "events")},
            "outbox": {"SELECT", "DELETE"},
            "epoch_forks": {"SELECT", "INSERT"},
            "epochs": {"SELECT", "INSERT"},
            "relay_marks": {"SELECT", "UPDATE"},
            "reseeds": {"SELECT", "INSERT", "UPDATE"},
            "reseed_companies": {"SELECT", "INSERT", "UPDATE", "DELETE"},
        },
    }
    columns = {
        "leads_app": {
            ("companies", "UPDATE"): {"name", "region", "currency"},
            ("feeds", "UPDATE"): {"clock", "position", "settings_version"},
            ("pipelines", "UPDATE"): {"stages", "version"},
            ("users", "SELECT"): {"company_id", "id", *USER_COLUMNS},
            ("users", "INSERT"): {"company_id", "id", "password_hash", *USER_COLUMNS},
            ("users", "UPDATE"): {"password_hash", *USER_COLUMNS},
        },
        "leads_relay": {},
    }
    with psycopg.connect(leads_database.url()) as connection:
        tables_granted = connection.execute(
            "SELECT table_name, privilege_type FROM information_schema.table_privileges"
            " WHERE grantee = %s AND table_schema = 'public'",
            [role],
        ).fetchall()
        columns_granted = connection.execute(
            "SELECT c.table_name, c.privilege_type, c.column_name FROM information_schema.column_privileges AS c"
            " WHERE c.grantee = %s AND c.table_schema = 'public' AND NOT EXISTS ("
            "  SELECT FROM information_schema.table_privileges AS t WHERE (t.grantee, t.table_schema, t.table_name,"
            "  t.privilege_type) = (c.grantee, c.table_schema, c.table_name, c.privilege_type))",
            [role],
        ).fetchall()

    granted: dict[str, set[str]] = defaultdict(set)
    for table, privilege in tables_granted:
        granted[table].add(privilege)
    of_columns: dict[tuple[str, str], set[str]] = defaultdict(set)
    for table, privilege, column in columns_granted:
        of_columns[table, privilege].add(column)
    assert granted == needs[role]
    assert of_columns == columns[role]
