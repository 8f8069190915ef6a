"""`python -m leads migrate`."""

import asyncio

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from leads.main import read
from leads.migrate import ensure_streams, migrate_database
from leads.settings import MigrateSettings
from runtime import logs


def run() -> None:
    settings = read.settings(MigrateSettings)
    logs.configure("leads-migrate", settings.log_level)
    try:
        migrate_database(settings.database_url.get_secret_value())
    except (SQLAlchemyError, psycopg.Error) as error:
        read.refuse(f"the database refuses: {read.reason(error.__cause__ or error)}", code=1)
    nats_url = settings.nats_url.get_secret_value()
    asyncio.run(ensure_streams(nats_url, replicas=settings.stream_replicas, listeners=settings.listeners))
