"""Bring the database and the streams to what this release needs. Any number may run at once, any number of times."""

from collections.abc import Mapping
from typing import Final

import structlog

from contracts import streams
from leads.refill import refill
from runtime import broker
from runtime.migrations import Migrations

MIGRATIONS: Final = Migrations("leads", readers=("leads_app", "leads_relay"))
_log = structlog.stdlib.get_logger("leads.migrate")

wait_for_migration = MIGRATIONS.wait
revisions = MIGRATIONS.revisions


def migrate_database(database_url: str) -> None:
    """Run the steps that are missing, one process at a time, and derive what they leave to be derived.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, psycopg.Error: the database refuses, or is away.
    """
    MIGRATIONS.run(database_url, afterwards=lambda: refill(database_url))


async def ensure_streams(nats_url: str, *, replicas: int, listeners: Mapping[str, str]) -> None:
    """Create or reconcile the streams and consumers, also of other services, waiting for NATS as long as it takes."""
    client = await broker.connect(nats_url, "leads-migrate")
    try:
        await streams.ensure(client.jetstream(), replicas=replicas, listeners=listeners)
    finally:
        await broker.close(client)
    _log.info("streams ensured")
