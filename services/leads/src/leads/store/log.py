"""The event store: append and read one lead's facts.

An append is one READ COMMITTED transaction. Its first statement updates the company's feed row: that is the lock of
the company's writers, which commit in position order, so that no reader can step over a fact that is still to appear.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from contracts import envelope
from contracts.events import NAMES, LeadDeleted, LeadEvent, LeadSummary
from leads.command import Answer, Command, IdempotencyKeyReused, Stream, VersionConflict
from leads.domain.search import fold, lexemes
from leads.store.database import Database, RawConnection

ADVANCE: Final = """
UPDATE feeds SET position = position + %(facts)s WHERE company_id = %(company_id)s RETURNING position
"""
POSITION: Final = "SELECT position FROM feeds WHERE company_id = %(company_id)s"
ANSWERED: Final = """
SELECT fingerprint, lead, position FROM idempotency
WHERE company_id = %(company_id)s AND user_id = %(actor)s AND key = %(key)s
"""
REMEMBER: Final = """
INSERT INTO idempotency (company_id, user_id, key, fingerprint, lead, position, recorded_at)
VALUES (%(company_id)s, %(actor)s, %(key)s, %(fingerprint)s, %(lead)s, %(position)s, %(at)s)
"""
HISTORY: Final = """
SELECT type, data FROM events
WHERE company_id = %(company_id)s AND stream_id = %(lead_id)s ORDER BY stream_version
"""
# One statement, not two: each costs the client some 50 µs.
APPEND: Final = """
WITH appended AS (
    INSERT INTO events
        (company_id, feed_position, event_id, stream_id, stream_version, type, data, metadata, recorded_at)
    VALUES
        (%(company_id)s, %(position)s, %(event_id)s, %(lead_id)s, %(version)s, %(type)s, %(data)s, %(metadata)s, %(at)s)
    RETURNING company_id, feed_position
)
INSERT INTO outbox (company_id, feed_position) SELECT company_id, feed_position FROM appended
"""
PROJECT: Final = """
INSERT INTO leads
    (company_id, id, name, email, phone, organisation, source, status, assigned_to, created_at, updated_at, version,
     name_key, search)
VALUES
    (%(company_id)s, %(id)s, %(name)s, %(email)s, %(phone)s, %(organisation)s, %(source)s, %(status)s, %(assigned_to)s,
     %(created_at)s, %(updated_at)s, %(version)s, %(name_key)s, array_to_tsvector(%(lexemes)s::text[]))
ON CONFLICT (company_id, id) DO UPDATE SET
    name = excluded.name, email = excluded.email, phone = excluded.phone, organisation = excluded.organisation,
    source = excluded.source, status = excluded.status, assigned_to = excluded.assigned_to,
    updated_at = excluded.updated_at, version = excluded.version,
    name_key = excluded.name_key, search = excluded.search
"""
REMOVE: Final = "DELETE FROM leads WHERE company_id = %(company_id)s AND id = %(id)s"
STREAM_VERSION: Final = "events_stream_version_key"
_SUMMARY: Final = TypeAdapter(LeadSummary)


class UnknownCompany(Exception):
    """The company has no feed: it was never provisioned, or row-level security hides it."""


class PostgresEventStore:
    """`leads.handle.EventStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, command: Command) -> Stream:
        key = {"company_id": command.company_id, "lead_id": command.lead_id}
        async with self._database.writing(command.company_id) as connection:
            # Each statement sees what the one before it saw, or more: no history is newer than its position, and who
            # sees the facts of the same command from elsewhere sees its answer as well.
            position = await connection.execute(POSITION, key)
            history = await connection.execute(HISTORY, key)
            answer = await _find_answer(connection, command)
            return Stream(
                history=[cast("LeadEvent", envelope.decode(name, data)) for name, data in await history.fetchall()],
                position=_one(await position.fetchone()),
                answer=answer,
            )

    async def append(self, command: Command, facts: Sequence[LeadEvent], *, expected: int) -> Answer:
        try:
            async with self._database.writing(command.company_id) as connection:
                advanced = await connection.execute(ADVANCE, {"company_id": command.company_id, "facts": len(facts)})
                answer = await _find_answer(connection, command)
                if answer is not None:
                    await connection.rollback()  # the feed did not advance
                    return answer
                answer = Answer(facts[-1].lead, _one(await advanced.fetchone()))
                await _project(connection, command, facts[-1])
                await _remember(connection, command, answer)
                await _append(connection, command, facts, before=answer.position - len(facts), expected=expected)
                return answer
        except UniqueViolation as error:
            if error.diag.constraint_name != STREAM_VERSION:
                raise
            raise VersionConflict from None

    async def remember(self, command: Command, answer: Answer) -> Answer:
        if command.idempotency is None:
            return answer
        async with self._database.writing(command.company_id) as connection:
            await connection.execute(ADVANCE, {"company_id": command.company_id, "facts": 0})  # for its lock
            known = await _find_answer(connection, command)
            if known is None:
                await _remember(connection, command, answer)
            return known or answer


async def _find_answer(connection: RawConnection, command: Command) -> Answer | None:
    """Return what the same command was answered before.

    Raises:
        IdempotencyKeyReused: another one was.
    """
    if command.idempotency is None:
        return None
    key = {"company_id": command.company_id, "actor": command.actor, "key": command.idempotency.key}
    row = await (await connection.execute(ANSWERED, key)).fetchone()
    if row is None:
        return None
    fingerprint, lead, position = row
    if fingerprint != command.idempotency.fingerprint:
        raise IdempotencyKeyReused
    return Answer(_SUMMARY.validate_python(lead), position)


async def _remember(connection: RawConnection, command: Command, answer: Answer) -> None:
    if command.idempotency is None:
        return
    row = {
        "company_id": command.company_id,
        "actor": command.actor,
        "key": command.idempotency.key,
        "fingerprint": command.idempotency.fingerprint,
        "lead": Jsonb(_SUMMARY.dump_python(answer.lead, mode="json")),
        "position": answer.position,
        "at": command.at,
    }
    await connection.execute(REMEMBER, row)


async def _project(connection: RawConnection, command: Command, last: LeadEvent) -> None:
    statement = REMOVE if isinstance(last, LeadDeleted) else PROJECT
    found_by = {"name_key": fold(last.lead.name), "lexemes": lexemes(command.company_id, last.lead)}
    row = {"company_id": command.company_id, **_SUMMARY.dump_python(last.lead), **found_by}
    await connection.execute(statement, row)


async def _append(
    connection: RawConnection, command: Command, facts: Sequence[LeadEvent], *, before: int, expected: int
) -> None:
    """Append facts behind feed position `before` and stream version `expected`."""
    metadata = Jsonb(_metadata(command))
    for index, fact in enumerate(facts):
        row = {
            "company_id": command.company_id,
            "position": before + 1 + index,
            "event_id": command.event_id(index),
            "lead_id": command.lead_id,
            "version": expected + 1 + index,
            "type": NAMES[type(fact)],
            "data": Jsonb(envelope.encode(fact)),
            "metadata": metadata,
            "at": command.at,
        }
        await connection.execute(APPEND, row)


def _metadata(command: Command) -> dict[str, str]:
    values = {
        "actor": str(command.actor),
        "causation_id": str(command.id),
        "correlation_id": command.correlation_id,
        "idempotency_key": command.idempotency.key if command.idempotency else None,
        "socket_id": command.socket_id,
        "traceparent": command.traceparent,
    }
    return {name: value for name, value in values.items() if value is not None}


def _one(row: tuple[Any, ...] | None) -> int:
    if row is None:
        raise UnknownCompany
    position: int = row[0]
    return position
