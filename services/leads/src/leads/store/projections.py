"""The read models, brought up to date in the transaction of the facts: who writes reads what they wrote.

A batch of facts about many leads is as many statements as one fact is: only what each lead came to is written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from contracts.events import (
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

TABLES: Final = ("leads", "lead_messages", "deleted_leads", "merged_leads", "counters")
"""All read models of leads."""

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
    SELECT * FROM jsonb_to_recordset(%(deletions)s::jsonb)
        AS d (id uuid, lead jsonb, deleted_at timestamptz, deleted_by uuid, merged_into uuid)
), unlisted AS (
    DELETE FROM leads USING gone WHERE leads.company_id = %(company_id)s AND leads.id = gone.id
)
INSERT INTO deleted_leads (company_id, id, lead, deleted_at, deleted_by, merged_into)
SELECT %(company_id)s, id, lead, deleted_at, deleted_by, merged_into FROM gone
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
_SUMMARIES: Final = TypeAdapter(list[LeadSummary])
_ROWS: Final = TypeAdapter(list[dict[str, object]])
_MESSAGE: Final = TypeAdapter(Message)


@dataclass(frozen=True, slots=True)
class Placed:
    """A fact with what the log says of it."""

    position: int
    fact: LeadEvent
    at: datetime
    actor: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What facts come to: the rows to write."""

    leads: Mapping[str, Lead]
    """All that were touched, and those from before."""
    listed: Sequence[LeadSummary]
    deletions: Sequence[Mapping[str, object]]
    restored: Sequence[str]
    messages: Sequence[Mapping[str, object]]
    merges: Sequence[tuple[int, str, str]]
    """Position, survivor, the other."""
    counted: Mapping[counters.Key, int]


async def project(
    connection: RawConnection,
    origin: Origin,
    facts: Sequence[tuple[int, LeadEvent]],
    before: Mapping[str, Lead],
    *,
    at: datetime,
) -> Mapping[str, Lead]:
    """Bring everything up to date after facts at their positions, and return what became of each lead."""
    placed = [Placed(position, fact, at, str(origin.actor)) for position, fact in facts]
    outcome = follow(placed, before)
    await write(connection, origin.company_id, outcome)
    await merge(connection, origin.company_id, outcome.merges)
    await count(connection, origin.company_id, outcome.counted)
    return outcome.leads


def follow(facts: Sequence[Placed], before: Mapping[str, Lead]) -> Outcome:
    """Return what facts come to, given the leads before them; each lead's facts are in order."""
    leads = dict(before)
    counted: Counter[counters.Key] = Counter()
    last: dict[str, Placed] = {}
    messages: dict[str, dict[str, object]] = {}
    restored: list[str] = []
    merges: list[tuple[int, str, str]] = []
    for placed in facts:
        fact = placed.fact
        known = leads.get(fact.lead.id)
        lead = leads[fact.lead.id] = evolve(known, fact)
        for key, delta in counters.difference(known, lead).items():
            counted[key] += delta
        last[fact.lead.id] = placed
        match fact:
            case LeadMessagePosted() | LeadMessageEdited():
                row = {**_MESSAGE.dump_python(fact.message, mode="json"), "lead_id": fact.lead.id}
                position = (
                    messages[fact.message.id]["feed_position"] if fact.message.id in messages else placed.position
                )
                messages[fact.message.id] = {**row, "feed_position": position}
            case LeadRestored():
                restored.append(fact.lead.id)
            case LeadMerged():
                merges.append((placed.position, fact.lead.id, fact.merged.id))
    return Outcome(
        leads=leads,
        listed=[lead.summary for key in last if not (lead := leads[key]).deleted],
        deletions=_deletions([(leads[key], placed) for key, placed in last.items() if leads[key].deleted]),
        restored=restored,
        messages=list(messages.values()),
        merges=merges,
        counted={key: delta for key, delta in counted.items() if delta},
    )


def _deletions(gone: Sequence[tuple[Lead, Placed]]) -> list[Mapping[str, object]]:
    summaries = _SUMMARIES.dump_python([lead.summary for lead, _ in gone], mode="json")
    return [
        {
            "id": lead.summary.id,
            "lead": summary,
            "deleted_at": placed.at,
            "deleted_by": placed.actor,
            "merged_into": lead.merged_into,
        }
        for (lead, placed), summary in zip(gone, summaries, strict=True)
    ]


async def write(connection: RawConnection, company_id: UUID, outcome: Outcome) -> None:
    """Write all rows but those of merges and counters."""
    company = {"company_id": company_id}
    if outcome.listed:
        rows = _SUMMARIES.dump_python(list(outcome.listed), mode="json")
        for row, lead in zip(rows, outcome.listed, strict=True):
            row |= {"name_key": fold(lead.name), "lexemes": lexemes(company_id, lead)}
        await connection.execute(LIST, {**company, "leads": _json(rows)})
    if outcome.deletions:
        await connection.execute(UNLIST, {**company, "deletions": _json(outcome.deletions)})
    if outcome.restored:
        there = [key for key in outcome.restored if not outcome.leads[key].deleted]
        await connection.execute(RESTORE, {**company, "ids": there})
    if outcome.messages:
        await connection.execute(TALK, {**company, "messages": _json(outcome.messages)})


async def merge(connection: RawConnection, company_id: UUID, merges: Sequence[tuple[int, str, str]]) -> None:
    """Write which leads were merged, in the order of the feed: what was merged into the other goes along."""
    for _position, survivor, merged in sorted(merges):
        await connection.execute(MERGE, {"company_id": company_id, "survivor": survivor, "merged": merged})


async def count(connection: RawConnection, company_id: UUID, counted: Mapping[counters.Key, int]) -> None:
    """Add to the counters."""
    if not counted:
        return
    row = {
        "company_id": company_id,
        "dimensions": [dimension for dimension, _ in counted],
        "keys": [key for _, key in counted],
        "deltas": list(counted.values()),
    }
    await connection.execute(COUNT, row)


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    return _ROWS.dump_json(rows).decode()  # type: ignore[arg-type]  # of any mappings
