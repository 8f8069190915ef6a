"""The event store: read leads as their facts left them, append facts about any of them.

An append is one READ COMMITTED transaction. It begins with the feed's lock (see `feed`), which tells whether the
settings that decided are the current ones; then come the answer of a repeated command, duplicates, the read models, and
last the facts with their outbox rows.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, cast
from uuid import UUID

from prometheus_client import Histogram
from psycopg.errors import UniqueViolation

from contracts import envelope
from contracts.events import Duplicate, LeadCreated, LeadEvent
from leads.command import Answer, Command, Dated, Moment, SettingsChanged, VersionConflict
from leads.domain.company import Company
from leads.domain.duplicates import new_contacts
from leads.domain.lead import Lead, replay, with_messages
from leads.domain.refusals import Candidate, DuplicateLead
from leads.store import answers, duplicates, feed, projections
from leads.store.database import Database
from leads.store.directory import Directory
from leads.store.facts import OF_LEADS

HISTORY: Final = f"""
SELECT e.stream_id, e.type, e.data FROM events AS e
WHERE e.company_id = %(company_id)s AND e.stream_id = ANY(%(ids)s) AND {OF_LEADS}
ORDER BY e.stream_id, e.stream_version
"""  # noqa: S608 - a constant
CHATS: Final = """
SELECT m.survivor_id, e.type, e.data FROM merged_leads AS m
JOIN events AS e ON e.company_id = m.company_id AND e.stream_id = m.merged_id
WHERE m.company_id = %(company_id)s AND m.survivor_id = ANY(%(ids)s)
    AND e.type IN ('crm.lead.message_posted.v1', 'crm.lead.message_edited.v1')
ORDER BY e.feed_position
"""
# One statement: the row's lock makes turns follow each other, whoever draws them.
DRAW: Final = """
WITH people AS (
    SELECT id FROM users WHERE company_id = %(company_id)s AND active AND role IN ('agent', 'manager')
)
INSERT INTO rotations AS r (company_id, last_user)
SELECT %(company_id)s, id FROM people ORDER BY id LIMIT 1
ON CONFLICT (company_id) DO UPDATE SET last_user = coalesce(
    (SELECT id FROM people WHERE id > r.last_user ORDER BY id LIMIT 1), excluded.last_user
)
RETURNING last_user
"""


_append_seconds = Histogram(
    "leads_append_duration_seconds",
    "Time to append a command's facts, with the wait for the company's turn",
)


class PostgresEventStore:
    """`leads.handle.EventStore` on PostgreSQL."""

    def __init__(self, database: Database, directory: Directory) -> None:
        self._database = database
        self._directory = directory

    async def company(self, company_id: UUID, *, at_least: int = 0) -> Company:
        return await self._directory.company(company_id, at_least=at_least)

    async def read(self, command: Command, lead_ids: Sequence[UUID]) -> Moment:
        async with self._database.writing(command.company_id) as connection:
            # Each statement sees what the one before it saw, or more: no history is newer than its position, and who
            # sees the facts of the same command from elsewhere sees its answer as well.
            look = await feed.look(connection, command)
            asked = {"company_id": command.company_id, "ids": list(lead_ids)}
            history = await connection.execute(HISTORY, asked) if lead_ids else None
            chats = await connection.execute(CHATS, asked) if command.message_id and lead_ids else None
            known = await answers.ask(connection, command)
            now = await feed.feed_of(look)
            facts = _by_stream(await history.fetchall() if history else ())
            merged = _by_stream(await chats.fetchall() if chats else ())
            return Moment(
                now,
                {key: with_messages(replay(facts[key]), merged[key]) for key in lead_ids},
                await answers.answer_of(known, command),
            )

    async def append(
        self,
        command: Command,
        facts: Sequence[LeadEvent],
        *,
        dated: Dated,
        before: Mapping[UUID, Lead | None],
        settings: int,
    ) -> Answer:
        with _append_seconds.time():
            return await self._append(command, facts, dated, before, settings)

    async def _append(
        self,
        command: Command,
        undated: Sequence[LeadEvent],
        dated: Dated,
        before: Mapping[UUID, Lead | None],
        settings: int,
    ) -> Answer:
        contacts = new_contacts(undated)
        try:
            async with self._database.writing(command.company_id) as connection:
                advanced = await feed.advance(connection, command, facts=len(undated))
                asked = await answers.ask(connection, command)
                looked = await duplicates.ask(connection, command, contacts)
                now = await feed.feed_of(advanced)
                if now.settings_version != settings:
                    raise SettingsChanged(now.settings_version)  # its author may not even repeat the command any more
                known = await answers.answer_of(asked, command)
                if known is not None:
                    await connection.rollback()  # the feed did not advance
                    return known
                facts = dated(now.at)
                assert len(facts) == len(undated)  # the time says when, never what
                facts = _with_duplicates(facts, await duplicates.found(looked, contacts), command)
                first = now.position - len(facts) + 1
                there = {lead.summary.id: lead for lead in before.values() if lead is not None}
                leads = await projections.project(connection, command, list(enumerate(facts, first)), there, at=now.at)
                answer = Answer.of(command, leads[str(command.lead_id)], now)
                await answers.remember(connection, command, answer, at=now.at)
                await feed.append(connection, command, facts, position=now.position, at=now.at)
                return answer
        except UniqueViolation as error:
            if error.diag.constraint_name != feed.STREAM_VERSION:
                raise
            raise VersionConflict from None

    async def remember(self, command: Command, answer: Answer) -> Answer:
        if command.idempotency is None:
            return answer
        async with self._database.writing(command.company_id) as connection:
            advanced = await feed.advance(connection, command, facts=0)  # for its lock
            known = await answers.answer_of(await answers.ask(connection, command), command)
            if known is None:
                await answers.remember(connection, command, answer, at=(await feed.feed_of(advanced)).at)
            return known or answer

    async def draw_turn(self, company_id: UUID) -> UUID | None:
        async with self._database.writing(company_id) as connection:
            row = await (await connection.execute(DRAW, {"company_id": company_id})).fetchone()
            return row[0] if row else None


def _by_stream(rows: Sequence[tuple[UUID, str, dict[str, object]]]) -> dict[UUID, list[LeadEvent]]:
    facts: dict[UUID, list[LeadEvent]] = defaultdict(list)
    for stream_id, name, data in rows:
        facts[stream_id].append(cast("LeadEvent", envelope.decode(name, data)))
    return facts


def _with_duplicates(
    facts: Sequence[LeadEvent], found: Mapping[str, Sequence[Candidate]], command: Command
) -> Sequence[LeadEvent]:
    """Return the facts, and let new leads say knowingly whom they duplicate.

    Raises:
        DuplicateLead: it was not allowed.
    """
    if not found:
        return facts
    if not command.allow_duplicate:
        raise DuplicateLead([candidate for candidates in found.values() for candidate in candidates])
    return [
        replace(
            fact,
            duplicates=tuple(Duplicate(id=other.id, assigned_to=other.assigned_to) for other in found[fact.lead.id]),
        )
        if isinstance(fact, LeadCreated) and fact.lead.id in found
        else fact
        for fact in facts
    ]
