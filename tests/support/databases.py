"""A fresh, migrated database for each test: a clone of one that was migrated once."""

import contextlib
import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from leadwire.credentials import SUPERUSER
from leadwire.processes import Process
from support.servers import PostgresServer

_OWNERS = {"leads": "leads_owner", "notifier": "notifier_owner"}
_USERS = {"leads": ("leads_app", "leads_relay"), "notifier": ("notifier_app", "notifier_writer")}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """One database of a running server."""

    server: PostgresServer
    name: str

    def url(self, role: str = SUPERUSER) -> str:
        return self.server.url(role, self.name)


@contextlib.contextmanager
def cloned(template: Database, name: str | None = None) -> Iterator[Database]:
    """Clone a database that nobody is connected to, and drop the clone in the end."""
    service = template.name.partition("_")[0]
    database = Database(template.server, name or f"{service}_{next(_numbers)}")
    identifier = sql.Identifier(database.name)
    _execute(
        template.server,
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            identifier, sql.Identifier(_OWNERS[service]), sql.Identifier(template.name)
        ),
        # Who may connect is not cloned: what roles.sql grants is granted again.
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(identifier),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            identifier, sql.SQL(", ").join(map(sql.Identifier, _USERS[service]))
        ),
    )
    try:
        yield database
    finally:
        _execute(template.server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def _execute(server: PostgresServer, *statements: sql.Composed) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def run(process: Process, *, stdin: str = "") -> str:
    """Run a program that ends by itself, and return its output.

    Raises:
        AssertionError: it failed; the message is what it said.
    """
    options = process.options() | {"stdin": None}
    done = subprocess.run(process.command, **options, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{process.name} failed:\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)
