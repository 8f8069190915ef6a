"""Bringing a service's database to what its release needs: forward only, without long waits for anybody.

A step that wants a table which is in use lets go after a second and tries again: whoever comes after it in the queue
for the table would have to wait as long as it does.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import psycopg
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from runtime import postgres

LOCK_TIMEOUT: Final = 1.0  # seconds a step waits for a table, and so others behind it
TRIES: Final = 100
PAUSE: Final = 1.0  # seconds between two tries, for those who waited

_PATIENCE: Final = text(f"SET lock_timeout = '{LOCK_TIMEOUT * 1000:.0f}ms'")
_NO_HURRY: Final = text("RESET lock_timeout")
_STATE: Final = "SELECT version_num FROM alembic_version"
_LOOK: Final = 1.0  # seconds between two looks
_log = structlog.stdlib.get_logger("runtime.migrations")


class Migrations:
    """The steps of one service."""

    def __init__(self, package: str, *, readers: Sequence[str]) -> None:
        """Take the steps of `<package>.migrations`.

        Args:
            package: of the service.
            readers: roles that `wait` may run as.
        """
        self._package = package
        # Held by the session: the steps commit on their own.
        self._lock = text(f"SELECT pg_advisory_lock(hashtext('leadwire.{package}.migrate'))")
        self._show = text(f"GRANT SELECT ON alembic_version TO {', '.join(readers)}")

    def run(self, database_url: str, *, afterwards: Callable[[], None] = lambda: None) -> None:
        """Run the steps that are missing, one process at a time.

        Args:
            database_url: as the owner.
            afterwards: done before any other process may go on.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refuses, or is away, or is never free.
        """
        engine = create_engine(
            "postgresql+psycopg://",
            poolclass=NullPool,
            creator=partial(
                postgres.connect_blocking,
                database_url,
                application_name=f"{self._package}-migrate",
                options=postgres.server_options(),
                patience=None,  # a step may take long
                autocommit=False,
            ),
        )
        with engine.connect() as connection:
            connection.execute(self._lock)
            connection.execute(_PATIENCE)
            connection.commit()
            self._upgrade(connection)
            connection.execute(self._show)
            connection.execute(_NO_HURRY)
            connection.commit()
            afterwards()
        _log.info("database migrated")

    def wait(self, database_url: str) -> None:
        """Return when the database is where this release needs it, or further: then it was migrated by a newer one.

        Until then a process of this release must not start; its predecessor goes on. Any role of the service may ask.
        """
        _head, earlier = self.revisions()
        waiting = ""
        while (reason := _missing(database_url, earlier)) is not None:
            if reason != waiting:
                _log.info("waiting for the database", reason=reason)
                waiting = reason
            time.sleep(_LOOK)
        _log.info("database is migrated")

    def revisions(self) -> tuple[str, frozenset[str]]:
        """Return the revision that this release needs, and those before it."""
        scripts = ScriptDirectory.from_config(self._config())
        (head,) = scripts.get_heads()
        return head, frozenset(script.revision for script in scripts.walk_revisions()) - {head}

    def _upgrade(self, connection: Connection) -> None:
        config = self._config()
        config.attributes["connection"] = connection
        for left in reversed(range(TRIES)):
            try:
                command.upgrade(config, "head")
            except OperationalError as error:
                connection.rollback()
                if not isinstance(error.orig, LockNotAvailable) or not left:
                    raise
                _log.info("a table is in use: trying again", tries_left=left)
                time.sleep(PAUSE)
            else:
                return

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", f"{self._package}:migrations")
        config.set_main_option("path_separator", "os")
        return config


def _missing(database_url: str, earlier: frozenset[str]) -> str | None:
    try:
        with postgres.connect_blocking(
            database_url,
            application_name="wait-for-migrations",
            options=postgres.server_options(statement_timeout="5s"),
            patience=6.0,
        ) as connection:
            row = connection.execute(_STATE).fetchone()
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as error:
        return type(error).__name__
    return "not migrated" if row is None else f"at {row[0]}" if row[0] in earlier else None
