"""Derive what companies from before revision 0002 lack: figures, search words, deleted leads, chats.

A company with facts but without counters is one of those. Everything of it is derived in one transaction under the
feed's lock, so that it happens once, and no fact slips in between.
"""

import asyncio
from typing import Final
from uuid import UUID

import structlog
from psycopg.sql import SQL, Identifier

from leads.store import derive
from leads.store.database import RawConnection
from leads.store.projections import TABLES
from runtime import postgres

COMPANIES: Final = "SELECT company_id FROM companies ORDER BY company_id"
LOCK: Final = """
UPDATE feeds SET position = position
WHERE position > 0 AND NOT EXISTS (SELECT FROM counters) AND company_id = %(company_id)s
RETURNING position
"""
_log = structlog.stdlib.get_logger("leads.migrate")


def refill(database_url: str) -> None:
    """Derive what is missing, company by company.

    Raises:
        psycopg.Error: the database refuses, or is away; what was done stays.
    """
    asyncio.run(_refill_all(database_url))


async def _refill_all(database_url: str) -> None:
    connecting = postgres.connect(
        database_url,
        application_name="leads-migrate",
        options=postgres.server_options(),
        patience=None,  # a company may be large
        autocommit=False,
    )
    async with await connecting as connection:
        companies = await (await connection.execute(COMPANIES)).fetchall()
        await connection.commit()
        for (company_id,) in companies:
            async with connection.transaction():
                await _refill(connection, company_id)


async def _refill(connection: RawConnection, company_id: UUID) -> None:
    company = {"company_id": company_id}
    await derive.enter(connection, company_id)
    row = await (await connection.execute(LOCK, company)).fetchone()
    if row is None:
        return
    for table in TABLES:
        await connection.execute(
            SQL("DELETE FROM {} WHERE company_id = %(company_id)s").format(Identifier(table)), company
        )
    await derive.derive(connection, company_id, row[0])
    _log.info("derived from the log", company_id=str(company_id), facts=row[0])
