"""`python -m leads verify`."""

import asyncio
from uuid import UUID

import psycopg
from nats.errors import Error

from leads.main import read
from leads.main.progress import Progress
from leads.settings import VerifySettings
from leads.verify import Difference, connected, verify_database, verify_stream
from runtime import broker, logs


def run(*, company_id: UUID | None, anew: bool, with_stream: bool) -> None:
    settings = read.settings(VerifySettings)
    logs.configure("leads-verify", settings.log_level)
    database_url, nats_url = settings.database_url.get_secret_value(), settings.nats_url.get_secret_value()
    try:
        found = asyncio.run(_verify(database_url, nats_url if with_stream else None, company_id=company_id, anew=anew))
    except psycopg.Error as error:
        read.refuse(f"the database refuses: {read.reason(error)}", code=2)
    except (Error, TimeoutError) as error:
        read.refuse(f"NATS refuses: {type(error).__name__}", code=2)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    for difference in found:
        company = "no company" if difference.company_id is None else f"company {difference.company_id}"
        print(f"{difference.kind}: {company}: {difference.what}")  # noqa: T201 - its answer
    if found:
        raise SystemExit(1)
    print("log, read models and stream agree" if with_stream else "log and read models agree")  # noqa: T201 - its answer


async def _verify(database_url: str, nats_url: str | None, *, company_id: UUID | None, anew: bool) -> list[Difference]:
    async with connected(database_url) as connection:
        progress = Progress("verify", "facts")
        found = await verify_database(
            connection, company_id=company_id, anew=anew, report=progress.note, show=progress.show
        )
        if nats_url is None:
            return found
        client = await broker.connect(nats_url, "leads-verify")
        try:
            show = Progress("verify", "messages").show
            return found + await verify_stream(connection, client, company_id=company_id, show=show)
        finally:
            await broker.close(client)
