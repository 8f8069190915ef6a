"""`python -m leads where`: beside a relay, with what the relay is told."""

import asyncio
from uuid import UUID

import psycopg
from nats.errors import Error

from leads import journey
from leads.journey import Journey
from leads.main import read
from leads.settings import RelaySettings
from runtime import broker, logs, postgres

PATIENCE = 5.0  # seconds until NATS must be there


def run(*, sought: UUID, last: int, as_json: bool) -> None:
    settings = read.settings(RelaySettings)
    logs.configure("leads-where", "ERROR")
    try:
        found = asyncio.run(_look(settings, sought, last))
    except psycopg.Error as error:
        read.refuse(f"the database does not answer: {read.reason(error)}", code=1)
    except (Error, OSError, TimeoutError) as error:
        read.refuse(f"NATS does not answer: {type(error).__name__}", code=1)
    if not found:
        read.refuse(f"{sought} is neither a fact of the log nor anything that has facts", code=1)
    print(journey.text(found, json_lines=as_json))  # noqa: T201 - this is its answer


async def _look(settings: RelaySettings, sought: UUID, last: int) -> list[Journey]:
    database_url = settings.database_url.get_secret_value()
    nats = await asyncio.wait_for(broker.connect(settings.nats_url.get_secret_value(), "leadwire where"), PATIENCE)
    try:
        connecting = postgres.connect(
            database_url,
            application_name="leadwire-where",
            options=postgres.server_options(statement_timeout="30s"),
            patience=40.0,
        )
        async with postgres.closing(await connecting) as connection:
            return await journey.journeys(connection, nats, sought, last=last)
    finally:
        await broker.close(nats)
