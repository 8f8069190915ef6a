"""The read models, brought up to date in the transaction of the facts: who writes reads what they wrote.

A batch of facts about many leads is as many statements as one fact is: only what each lead came to is written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from pydantic import TypeAdapter

from contracts.events import (
    LeadDeleted,
    LeadEvent,
    LeadMerged,
    LeadMessageEdited,
    LeadMessagePosted,
    LeadRestored,
    LeadSummary,
    Message,
)
from leads.command import Origin
from leads.domain import counters
from leads.domain.lead import Lead, evolve
from leads.domain.search import fold, lexemes
from leads.store.database import RawConnection

LIST: Final = """
INSERT INTO leads
    (company_id, id, name, email, phone, organisation, title, source, status, status_since, lost_reason, assigned_to,
     value, currency, score, tags, custom, messages, contact_id, deal_id, converted_at, created_at, updated_at, version,
     name_key, search)
SELECT
    %(company_id)s, id, name, email, phone, organisation, title, source, status, status_since, lost_reason, assigned_to,
     value, currency, score, tags, custom, messages, contact_id, deal_id, converted_at, created_at, updated_at, version,
     name_key, array_to_tsvector(lexemes)
FROM jsonb_to_recordset(%(leads)s::jsonb) AS l (
    id uuid, name text, email text, phone text, organisation text, title text, source text, status text,
    status_since timestamptz, lost_reason text, assigned_to uuid, value numeric, currency text, score smallint,
    tags text[], custom jsonb, messages integer, contact_id uuid, deal_id uuid, converted_at timestamptz,
    created_at timestamptz, updated_at timestamptz, version integer, name_key text, lexemes text[]
)
ON CONFLICT (company_id, id) DO UPDATE SET
    name = excluded.name, email = excluded.email, phone = excluded.phone, organisation = excluded.organisation,
    title = excluded.title, source = excluded.source, status = excluded.status, status_since = excluded.status_since,
    lost_reason = excluded.lost_reason, assigned_to = excluded.assigned_to, value = excluded.value,
    currency = excluded.currency, score = excluded.score, tags = excluded.tags, custom = excluded.custom,
    messages = excluded.messages, contact_id = excluded.contact_id, deal_id = excluded.deal_id,
    converted_at = excluded.converted_at, updated_at = excluded.updated_at, version = excluded.version,
    name_key = excluded.name_key, search = excluded.search
"""
UNLIST: Final = """
WITH gone AS (
    SELECT * FROM jsonb_to_recordset(%(deletions)s::jsonb) AS d (id uuid, lead jsonb, merged_into uuid)
), unlisted AS (
    DELETE FROM leads USING gone WHERE leads.company_id = %(company_id)s AND leads.id = gone.id
)
INSERT INTO deleted_leads (company_id, id, lead, deleted_at, deleted_by, merged_into)
SELECT %(company_id)s, id, lead, %(at)s, %(actor)s, merged_into FROM gone
ON CONFLICT (company_id, id) DO UPDATE SET
    lead = excluded.lead, deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by,
    merged_into = excluded.merged_into
"""
RESTORE: Final = "DELETE FROM deleted_leads WHERE company_id = %(company_id)s AND id = ANY(%(ids)s::uuid[])"
TALK: Final = """
INSERT INTO lead_messages (company_id, lead_id, id, author, body, mentions, posted_at, edited_at, feed_position)
SELECT %(company_id)s, lead_id, id, author, body, mentions, posted_at, edited_at, feed_position
FROM jsonb_to_recordset(%(messages)s::jsonb) AS m (
    lead_id uuid, id uuid, author uuid, body text, mentions uuid[], posted_at timestamptz, edited_at timestamptz,
    feed_position bigint
)
ON CONFLICT (company_id, id) DO UPDATE SET
    body = excluded.body, mentions = excluded.mentions, edited_at = excluded.edited_at
"""
# Whatever was merged into a lead goes along with it.
MERGE: Final = """
INSERT INTO merged_leads (company_id, survivor_id, merged_id)
SELECT %(company_id)s::uuid, %(survivor)s::uuid, %(merged)s::uuid
UNION
SELECT company_id, %(survivor)s::uuid, merged_id FROM merged_leads
WHERE company_id = %(company_id)s AND survivor_id = %(merged)s
ON CONFLICT DO NOTHING
"""
COUNT: Final = """
INSERT INTO counters (company_id, dimension, key, count)
SELECT %(company_id)s, c.dimension, c.key, c.delta
FROM unnest(%(dimensions)s::text[], %(keys)s::text[], %(deltas)s::bigint[]) AS c (dimension, key, delta)
ON CONFLICT (company_id, dimension, key) DO UPDATE SET count = counters.count + excluded.count
"""
Placed: TypeAlias = Sequence[tuple[int, LeadEvent]]
"""Facts with their positions, in order."""
_SUMMARIES: Final = TypeAdapter(list[LeadSummary])
_ROWS: Final = TypeAdapter(list[dict[str, object]])
_MESSAGE: Final = TypeAdapter(Message)


async def project(
    connection: RawConnection, origin: Origin, facts: Placed, before: Mapping[str, Lead]
) -> dict[str, Lead]:
    """Bring everything up to date, and return what became of each lead."""
    leads = dict(before)
    deltas: Counter[counters.Key] = Counter()
    last: dict[str, LeadEvent] = {}
    for _position, fact in facts:
        known = leads.get(fact.lead.id)
        deltas.update(counters.count(known, fact))
        leads[fact.lead.id] = evolve(known, fact)
        last[fact.lead.id] = fact
    await _list(connection, origin, [lead.summary for key in last if not (lead := leads[key]).deleted])
    await _unlist(connection, origin, [fact for fact in last.values() if isinstance(fact, LeadDeleted)])
    await _restore(connection, origin, [fact.lead.id for _, fact in facts if isinstance(fact, LeadRestored)])
    await _talk(connection, origin, facts)
    await _merge(connection, origin, [fact for _, fact in facts if isinstance(fact, LeadMerged)])
    await _count(connection, origin, {key: delta for key, delta in deltas.items() if delta})
    return leads


async def _list(connection: RawConnection, origin: Origin, leads: Sequence[LeadSummary]) -> None:
    if not leads:
        return
    rows = _SUMMARIES.dump_python(list(leads), mode="json")
    for row, lead in zip(rows, leads, strict=True):
        row |= {"name_key": fold(lead.name), "lexemes": lexemes(origin.company_id, lead)}
    await connection.execute(LIST, {"company_id": origin.company_id, "leads": _json(rows)})


async def _unlist(connection: RawConnection, origin: Origin, deletions: Sequence[LeadDeleted]) -> None:
    if not deletions:
        return
    leads = _SUMMARIES.dump_python([fact.lead for fact in deletions], mode="json")
    rows = [
        {"id": fact.lead.id, "lead": lead, "merged_into": fact.merged_into}
        for fact, lead in zip(deletions, leads, strict=True)
    ]
    who = {"company_id": origin.company_id, "at": origin.at, "actor": origin.actor}
    await connection.execute(UNLIST, {**who, "deletions": _json(rows)})


async def _restore(connection: RawConnection, origin: Origin, lead_ids: Sequence[str]) -> None:
    if lead_ids:
        await connection.execute(RESTORE, {"company_id": origin.company_id, "ids": list(lead_ids)})


async def _talk(connection: RawConnection, origin: Origin, facts: Placed) -> None:
    messages = {
        fact.message.id: {
            **_MESSAGE.dump_python(fact.message, mode="json"),
            "lead_id": fact.lead.id,
            "feed_position": at,
        }
        for at, fact in facts
        if isinstance(fact, LeadMessagePosted | LeadMessageEdited)
    }
    if messages:
        await connection.execute(TALK, {"company_id": origin.company_id, "messages": _json(list(messages.values()))})


async def _merge(connection: RawConnection, origin: Origin, merges: Sequence[LeadMerged]) -> None:
    for fact in merges:
        row = {"company_id": origin.company_id, "survivor": fact.lead.id, "merged": fact.merged.id}
        await connection.execute(MERGE, row)


async def _count(connection: RawConnection, origin: Origin, deltas: Mapping[counters.Key, int]) -> None:
    if not deltas:
        return
    row = {
        "company_id": origin.company_id,
        "dimensions": [dimension for dimension, _ in deltas],
        "keys": [key for _, key in deltas],
        "deltas": list(deltas.values()),
    }
    await connection.execute(COUNT, row)


def _json(rows: list[dict[str, object]]) -> str:
    return _ROWS.dump_json(rows).decode()
