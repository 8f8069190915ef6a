"""Derive figures, search words and deleted leads from the log, for companies from before revision 0002 had them.

A company with facts but without counters is one of those. Everything of it is derived in one transaction under the
feed's lock, so that it happens once, and no fact slips in between.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, cast
from uuid import UUID

import psycopg
import structlog
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from contracts import envelope
from contracts.events import LeadDeleted, LeadEvent, LeadSummary
from leads.domain import counters
from leads.domain.lead import Lead, evolve
from leads.domain.search import fold, lexemes

COMPANIES: Final = "SELECT company_id FROM companies ORDER BY company_id"
ENTER: Final = "SELECT set_config('app.company', %(company_id)s, true)"
LOCK: Final = """
UPDATE feeds SET position = position
WHERE position > 0 AND NOT EXISTS (SELECT FROM counters) AND company_id = %(company_id)s
RETURNING position
"""
LOG: Final = """
SELECT type, data, metadata ->> 'actor', recorded_at FROM events
WHERE company_id = %(company_id)s AND starts_with(type, 'crm.lead.') ORDER BY feed_position
"""
FILL: Final = """
UPDATE leads SET
    name_key = %(name_key)s, search = array_to_tsvector(%(lexemes)s::text[]), status_since = %(status_since)s
WHERE company_id = %(company_id)s AND id = %(id)s
"""
DELETED: Final = """
INSERT INTO deleted_leads (company_id, id, lead, deleted_at, deleted_by, merged_into)
VALUES (%(company_id)s, %(id)s, %(lead)s, %(at)s, %(actor)s, %(merged_into)s) ON CONFLICT DO NOTHING
"""
COUNT: Final = """
INSERT INTO counters (company_id, dimension, key, count)
VALUES (%(company_id)s, %(dimension)s, %(key)s, %(count)s)
"""
_SUMMARY: Final = TypeAdapter(LeadSummary)
_log = structlog.stdlib.get_logger("leads.migrate")


def refill(database_url: str) -> None:
    """Derive what is missing, company by company.

    Raises:
        psycopg.Error: the database refuses, or is away; what was done stays.
    """
    with psycopg.connect(database_url) as connection:
        companies = [company_id for (company_id,) in connection.execute(COMPANIES)]
        connection.commit()
        for company_id in companies:
            with connection.transaction():
                _refill(connection, company_id)


def _refill(connection: psycopg.Connection, company_id: UUID) -> None:
    company = {"company_id": company_id}
    connection.execute(ENTER, {"company_id": str(company_id)})
    if connection.execute(LOCK, company).fetchone() is None:
        return
    leads: dict[str, Lead] = {}
    deletions: dict[str, dict[str, Any]] = {}
    counted: Counter[counters.Key] = Counter()
    for fact, actor, at in _facts(connection, company_id):
        before = leads.get(fact.lead.id)
        counted.update(counters.count(before, fact))
        leads[fact.lead.id] = evolve(before, fact)
        if isinstance(fact, LeadDeleted):
            deletions[fact.lead.id] = {"at": at, "actor": actor, "merged_into": fact.merged_into}
    with connection.cursor() as cursor:
        cursor.executemany(FILL, [_found_by(company_id, lead) for lead in leads.values() if not lead.deleted])
        gone = [(lead.summary, deletions[key]) for key, lead in leads.items() if lead.deleted]
        cursor.executemany(
            DELETED,
            [
                {**company, **deletion, "id": lead.id, "lead": Jsonb(_SUMMARY.dump_python(lead, mode="json"))}
                for lead, deletion in gone
            ],
        )
        rows = [
            {**company, "dimension": key[0], "key": key[1], "count": count} for key, count in counted.items() if count
        ]
        cursor.executemany(COUNT, rows)
    _log.info("derived from the log", company_id=str(company_id), leads=len(leads))


def _facts(connection: psycopg.Connection, company_id: UUID) -> Iterator[tuple[LeadEvent, str | None, Any]]:
    with connection.cursor("log") as cursor:  # of the server: a log may be longer than memory
        cursor.itersize = 1000
        for name, data, actor, at in cursor.execute(LOG, {"company_id": company_id}):
            yield cast("LeadEvent", envelope.decode(name, data)), actor, at


def _found_by(company_id: UUID, lead: Lead) -> dict[str, Any]:
    summary = lead.summary
    return {
        "company_id": company_id,
        "id": summary.id,
        "name_key": fold(summary.name),
        "lexemes": lexemes(company_id, summary),
        "status_since": summary.status_since,
    }
