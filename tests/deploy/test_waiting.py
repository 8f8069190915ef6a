"""What holds a new release back until its database is ready for it."""

import subprocess
import sys

import psycopg
import pytest

import leads.migrate
from support.databases import Database

BEHIND = "UPDATE alembic_version SET version_num = '0001'"
AHEAD = "UPDATE alembic_version SET version_num = 'of a newer release'"


def waiting(service: str, url: str) -> subprocess.Popen[str]:
    environment = {f"{service.upper()}_DATABASE_URL": url}
    command = [sys.executable, "-P", "-m", service, "wait"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_a_process_waits_for_a_migration_that_has_not_been(empty_database: Database) -> None:
    with waiting("leads", empty_database.url("leads_app")) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        ended_before = process.poll()
        leads.migrate.migrate_database(empty_database.url("leads_owner"))

        assert "UndefinedTable" in said
        assert ended_before is None
        assert process.wait(60) == 0


@pytest.mark.parametrize("role", ["leads_app", "leads_relay"])
def test_a_database_that_a_newer_release_migrated_holds_nobody_back(leads_database: Database, role: str) -> None:
    with psycopg.connect(leads_database.url("leads_owner")) as connection:
        connection.execute(AHEAD)

    leads.migrate.wait_for_migration(leads_database.url(role))


def test_an_earlier_state_does(notifier_database: Database) -> None:
    with psycopg.connect(notifier_database.url("notifier_owner")) as connection:
        (head,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
        connection.execute(BEHIND)
    with waiting("notifier", notifier_database.url("notifier_app")) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        ended_before = process.poll()
        with psycopg.connect(notifier_database.url("notifier_owner")) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", [head])

        assert "at 0001" in said
        assert ended_before is None
        assert process.wait(60) == 0
