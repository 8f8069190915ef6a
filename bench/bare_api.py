"""The other side of `commands.py`: a FastAPI handler without any rules that runs the SQL of `POST /leads`.

It knows the company from a header, takes any JSON, validates and decides nothing, and sends the statements of an append
with values made up beforehand, over the service's own pool.

Usage: python bench/bare_api.py <database url> <port> <pool size>
"""

import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from psycopg.types.json import Jsonb

from leads.store import duplicates, feed, projections
from leads.store.database import Database

METADATA = Jsonb({"actor": str(uuid.uuid4()), "causation_id": str(uuid.uuid4()), "correlation_id": str(uuid.uuid4())})


def lead_of(lead_id: str, email: str, phone: str, now: str) -> dict[str, Any]:
    return {
        "id": lead_id, "name": "Ada Lovelace", "email": email, "phone": phone, "organisation": None, "title": None,
        "source": "website", "status": "new", "status_since": now, "lost_reason": None, "assigned_to": None,
        "value": None, "currency": None, "score": None, "tags": [], "custom": {}, "messages": 0, "contact_id": None,
        "deal_id": None, "converted_at": None, "created_at": now, "updated_at": now, "version": 1,
        "name_key": "ada lovelace",
        "lexemes": [
            f"AAAA2611{word}" for word in (phone[1:], f"<{phone[:0:-1]}", email, "ada", "lovelace", "example", "com")
        ],
    }  # fmt: skip


def build(database: Database) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await database.close()

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        await database.ping()
        return {"status": "ok"}

    @app.post("/leads", status_code=201)
    async def create(body: dict[str, Any], request: Request) -> dict[str, Any]:
        company = uuid.UUID(request.headers["x-company"])
        lead_id = str(uuid.uuid4())
        now = datetime.now(UTC)
        lead = lead_of(lead_id, body["email"], body["phone"], now.isoformat())
        asked = {
            "company_id": company,
            "ids": [lead_id],
            "emails": [body["email"]],
            "phones": [body["phone"]],
            "most": 20,
        }
        deltas = {"total": "", "status": "new", "source": "website", "month": "2026-11", "entered": "new"}
        deltas |= {"day": "2026-11-23"}  # as many counters as a new lead has
        counts = {"dimensions": list(deltas), "keys": list(deltas.values()), "deltas": [1] * len(deltas)}
        async with database.writing(company) as connection:
            advance = {"company_id": company, "facts": 1, "settings": 0}
            advanced = await connection.execute(feed.ADVANCE, advance)
            looked = await connection.execute(duplicates.FIND, asked)
            position, _ = await advanced.fetchone()  # type: ignore[misc]
            assert await looked.fetchall() == []
            await connection.execute(projections.LIST, {"company_id": company, "leads": json.dumps([lead])})
            await connection.execute(projections.COUNT, {"company_id": company, **counts})
            fact = {
                "position": position, "id": str(uuid.uuid4()), "stream": lead_id, "version": 1,
                "type": "crm.lead.created.v1", "data": {"lead": lead, "duplicates": []},
            }  # fmt: skip
            row = {"company_id": company, "facts": json.dumps([fact]), "metadata": METADATA, "at": now}
            await connection.execute(feed.APPEND, row)
        return {"data": lead, "meta": {"position": position}}

    return app


def main() -> None:
    url, port, pool_size = sys.argv[1:]
    app = build(Database.connect(url, pool_size=int(pool_size)))
    uvicorn.run(
        app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", log_config=None, access_log=False
    )


if __name__ == "__main__":
    main()
