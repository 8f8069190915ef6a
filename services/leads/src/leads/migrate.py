"""Bring the database and the streams to what this release needs. Any number may run at once, any number of times."""

import time
from collections.abc import Mapping
from typing import Final

import psycopg
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from contracts import streams
from leads.refill import refill
from leads.store.database import sqlalchemy_url
from runtime import broker

_LOCK: Final = text("SELECT pg_advisory_lock(hashtext('leadwire.leads.migrate'))")
_UNLOCK: Final = text("SELECT pg_advisory_unlock(hashtext('leadwire.leads.migrate'))")
_SHOW: Final = text("GRANT SELECT ON alembic_version TO leads_app, leads_relay")  # for `wait`
_STATE: Final = "SELECT version_num FROM alembic_version"
_LOOK: Final = 1.0  # seconds between two looks
_log = structlog.stdlib.get_logger("leads.migrate")


def migrate_database(database_url: str) -> None:
    """Run the steps that are missing, one process at a time.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses, or is away.
    """
    config = _config()
    engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(_LOCK)  # held by the session: the steps commit on their own
        connection.commit()
        try:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.execute(_SHOW)
            connection.commit()
            refill(database_url)
        finally:
            connection.rollback()
            connection.execute(_UNLOCK)
            connection.commit()
    _log.info("database migrated")


async def ensure_streams(nats_url: str, *, replicas: int, listeners: Mapping[str, str]) -> None:
    """Create or reconcile the streams and consumers, also of other services, waiting for NATS as long as it takes."""
    client = await broker.connect(nats_url, "leads-migrate")
    try:
        await streams.ensure(client.jetstream(), replicas=replicas, listeners=listeners)
    finally:
        await broker.close(client)
    _log.info("streams ensured")


def wait_for_migration(database_url: str) -> None:
    """Return when the database is where this release needs it, or further: then it was migrated by a newer one.

    Until then a process of this release must not start; its predecessor goes on. Any role of the service may ask.
    """
    _head, earlier = revisions()
    waiting = ""
    while (reason := _missing(database_url, earlier)) is not None:
        if reason != waiting:
            _log.info("waiting for the database", reason=reason)
            waiting = reason
        time.sleep(_LOOK)
    _log.info("database is migrated")


def revisions() -> tuple[str, frozenset[str]]:
    """Return the revision that this release needs, and those before it."""
    scripts = ScriptDirectory.from_config(_config())
    (head,) = scripts.get_heads()
    return head, frozenset(script.revision for script in scripts.walk_revisions()) - {head}


def _missing(database_url: str, earlier: frozenset[str]) -> str | None:
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            row = connection.execute(_STATE).fetchone()
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as error:
        return type(error).__name__
    return "not migrated" if row is None else f"at {row[0]}" if row[0] in earlier else None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "leads:migrations")
    config.set_main_option("path_separator", "os")
    return config
