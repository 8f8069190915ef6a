"""What commands with an Idempotency-Key were answered, kept in the transaction of what they did.

The feed's lock makes the second of two equal requests wait for the first, whose answer it then finds: no request with a
key ever meets one that is still in flight.
"""

from datetime import datetime
from typing import Any, Final

from psycopg import AsyncCursor
from pydantic import TypeAdapter

from leads.command import Answer, Command, IdempotencyKeyReused
from leads.store.database import RawConnection

ANSWERED: Final = """
SELECT fingerprint, answer FROM idempotency
WHERE company_id = %(company_id)s AND user_id = %(actor)s AND key = %(key)s
"""
REMEMBER: Final = """
INSERT INTO idempotency (company_id, user_id, key, fingerprint, answer, recorded_at)
VALUES (%(company_id)s, %(actor)s, %(key)s, %(fingerprint)s, %(answer)s::jsonb, %(at)s)
"""
_ANSWER: Final = TypeAdapter(Answer)


async def ask(connection: RawConnection, command: Command) -> AsyncCursor[Any] | None:
    """Ask what the same command was answered before; `answer_of` tells. Nothing to ask of one without a key."""
    if command.idempotency is None:
        return None
    key = {"company_id": command.company_id, "actor": command.actor, "key": command.idempotency.key}
    return await connection.execute(ANSWERED, key)


async def answer_of(cursor: AsyncCursor[Any] | None, command: Command) -> Answer | None:
    """Return what the same command was answered before.

    Raises:
        IdempotencyKeyReused: another one was.
    """
    row = await cursor.fetchone() if cursor else None
    if row is None or command.idempotency is None:
        return None
    fingerprint, answer = row
    if fingerprint != command.idempotency.fingerprint:
        raise IdempotencyKeyReused
    return _ANSWER.validate_python(answer)


async def remember(connection: RawConnection, command: Command, answer: Answer, *, at: datetime) -> None:
    """Keep the answer of a command that has a key."""
    if command.idempotency is None:
        return
    row = {
        "company_id": command.company_id,
        "actor": command.actor,
        "key": command.idempotency.key,
        "fingerprint": command.idempotency.fingerprint,
        "answer": _ANSWER.dump_json(answer).decode(),
        "at": at,
    }
    await connection.execute(REMEMBER, row)
