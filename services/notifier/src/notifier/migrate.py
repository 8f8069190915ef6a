"""Bring the database to what this release needs. Any number may run at once, any number of times."""

from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

_LOCK: Final = text("SELECT pg_advisory_lock(hashtext('leadwire.notifier.migrate'))")
_log = structlog.stdlib.get_logger("notifier.migrate")


def migrate(database_url: str) -> None:
    """Run the steps that are missing, one process at a time.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses, or is away.
    """
    config = Config()
    config.set_main_option("script_location", "notifier:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(_LOCK)  # held by the session until its end: the steps commit on their own
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    _log.info("database migrated")
