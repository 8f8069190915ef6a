"""Bring the database and the streams to what this release needs. Any number may run at once, any number of times."""

from collections.abc import Mapping
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from contracts import streams
from leads.refill import refill
from leads.store.database import sqlalchemy_url
from runtime import broker

_LOCK: Final = text("SELECT pg_advisory_lock(hashtext('leadwire.leads.migrate'))")
_UNLOCK: Final = text("SELECT pg_advisory_unlock(hashtext('leadwire.leads.migrate'))")
_log = structlog.stdlib.get_logger("leads.migrate")


def migrate_database(database_url: str) -> None:
    """Run the steps that are missing, one process at a time.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses, or is away.
    """
    config = Config()
    config.set_main_option("script_location", "leads:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(_LOCK)  # held by the session: the steps commit on their own
        connection.commit()
        try:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
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
