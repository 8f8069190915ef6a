"""Short ways to say what was there before."""

from typing import Any
from uuid import UUID, uuid4

import psycopg

from leads import domain
from leads.command import Answer, Command
from leads.domain import NewLead
from leads.handle import EventStore, create, handle

from .conftest import Company


def command_of(company: Company, *, lead_id: UUID | None = None, **details: Any) -> Command:
    values = {"id": uuid4(), "lead_id": lead_id or uuid4(), "company_id": company.id, "actor": company.users["agent"]}
    return Command(**{**values, **details})


async def create_lead(store: EventStore, company: Company, **values: Any) -> Answer:
    command = command_of(company)
    new = NewLead(**{"name": "Ada", **values})
    return await create(store, command, lambda company, at: domain.create(str(command.lead_id), new, company, at))


async def rename(store: EventStore, company: Company, lead_id: UUID, name: str, **details: Any) -> Answer:
    command = command_of(company, lead_id=lead_id, **details)
    return await handle(store, command, lambda lead, company, at: domain.change(lead, {"name": name}, company, at))


def end_sessions(superuser: psycopg.Connection, role: str) -> None:
    superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND datname = current_database()",
        [role],
    )
