"""Jobs in the database: whose turn it is, what they work on, how far they are.

A worker has a job for as long as its lease runs. Whatever a step does, it does in one transaction that begins with the
feed's lock and finds the lease and the batch as they were: a worker that was taken for dead changes nothing any more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from leads.domain.jobs import BATCH, Job, Refused, State, Task
from leads.store.database import Database, RawConnection
from leads.store.facts import OF_LEADS

COLUMNS: Final = """
j.id::text, j.kind, j.state, j.author::text, j.task, j.total, j.done, j.counts, j.refused, j.error, j.batch, j.mark,
j.version, j.undoes::text, j.undone_by::text, u.state, j.correlation_id, j.created_at, j.started_at, j.finished_at,
j.told_at, j.attempts, j.reason
"""
"""What `_job` takes, in its order."""
READ: Final = f"""
SELECT {COLUMNS} FROM jobs AS j LEFT JOIN jobs AS u ON u.company_id = j.company_id AND u.id = j.undone_by
WHERE j.company_id = %(company_id)s AND j.id = %(id)s AND j.state <> 'uploading'
"""  # noqa: S608 - a constant
HOLD: Final = f"{READ} FOR UPDATE OF j"
HOLD_LEASED: Final = f"""
SELECT {COLUMNS} FROM jobs AS j LEFT JOIN jobs AS u ON false
WHERE j.company_id = %(company_id)s AND j.id = %(id)s AND j.lease = %(lease)s AND j.state IN ('queued', 'running')
FOR UPDATE OF j
"""  # noqa: S608 - a constant
LIST: Final = f"""
SELECT {COLUMNS} FROM jobs AS j LEFT JOIN jobs AS u ON u.company_id = j.company_id AND u.id = j.undone_by
WHERE j.company_id = %(company_id)s AND j.state = ANY(%(states)s) AND j.kind = ANY(%(kinds)s)
    AND (j.created_at, j.id) < (%(before_at)s, %(before_id)s)
ORDER BY j.created_at DESC, j.id DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant
OPEN: Final = """
SELECT
    count(*) FILTER (WHERE state IN ('queued', 'running')),
    count(*) FILTER (WHERE state IN ('queued', 'running') AND author = %(author)s),
    count(*) FILTER (WHERE state IN ('uploading', 'uploaded'))
FROM jobs
WHERE company_id = %(company_id)s AND state IN ('uploading', 'uploaded', 'queued', 'running')
"""
FINGERPRINT: Final = "SELECT fingerprint FROM jobs WHERE company_id = %(company_id)s AND id = %(id)s"
SAME_FILE: Final = """
SELECT count(*) FILTER (WHERE undone_by IS NOT NULL), count(*) FILTER (WHERE undone_by IS NULL) FROM jobs
WHERE company_id = %(company_id)s AND fingerprint = %(fingerprint)s AND id <> %(id)s AND kind = 'import'
    AND state NOT IN ('uploading', 'uploaded')
"""
INSERT: Final = """
INSERT INTO jobs (company_id, id, kind, state, author, task, fingerprint, total, undoes, correlation_id, created_at)
VALUES (%(company_id)s, %(id)s, %(kind)s, %(state)s, %(author)s, %(task)s, %(fingerprint)s, %(total)s, %(undoes)s,
    %(correlation_id)s, %(created_at)s)
"""
SAVE: Final = """
UPDATE jobs SET
    state = %(state)s, task = %(task)s, total = %(total)s, done = %(done)s, counts = %(counts)s, refused = %(refused)s,
    error = %(error)s, batch = %(batch)s, mark = %(mark)s, version = %(version)s, undone_by = %(undone_by)s,
    started_at = %(started_at)s, finished_at = %(finished_at)s, told_at = %(told_at)s, attempts = %(attempts)s,
    reason = %(reason)s, failing_since = CASE WHEN %(reason)s::text IS NOT NULL THEN failing_since END
WHERE company_id = %(company_id)s AND id = %(id)s
"""
RENEW: Final = """
UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE company_id = %(company_id)s AND id = %(id)s AND lease = %(lease)s
"""
RELEASE: Final = """
UPDATE jobs SET lease = NULL, lease_until = NULL
WHERE company_id = %(company_id)s AND id = %(id)s AND lease = %(lease)s
"""
# An attempt that the database's absence ended does not count, unless the job has been failing for long.
BACK_OFF: Final = """
UPDATE jobs SET
    lease = NULL,
    lease_until = clock_timestamp() + make_interval(secs => least(power(2, greatest(attempts, 1) - 1), 10)),
    failing_since = coalesce(failing_since, clock_timestamp()),
    reason = %(reason)s,
    attempts = CASE
        WHEN %(is_transient)s
            AND coalesce(failing_since, clock_timestamp()) > clock_timestamp() - make_interval(secs => %(patience)s)
        THEN attempts - 1 ELSE attempts END,
    state = CASE WHEN attempts > %(most)s THEN 'failed' ELSE state END,
    error = CASE WHEN attempts > %(most)s THEN 'gave_up' ELSE error END,
    finished_at = CASE WHEN attempts > %(most)s THEN clock_timestamp() END
WHERE company_id = %(company_id)s AND id = %(id)s AND lease = %(lease)s
"""
SET_FINGERPRINT: Final = """
UPDATE jobs SET fingerprint = %(fingerprint)s WHERE company_id = %(company_id)s AND id = %(id)s
"""
DELETE: Final = "DELETE FROM jobs WHERE company_id = %(company_id)s AND id = %(id)s"
ADD_BATCHES: Final = """
INSERT INTO job_batches (company_id, job_id, number, first_item, items)
SELECT %(company_id)s, %(job_id)s, b.number, b.first_item, b.items
FROM jsonb_to_recordset(%(batches)s::jsonb) AS b (number integer, first_item integer, items jsonb)
"""
UNDO_BATCHES: Final = """
INSERT INTO job_batches (company_id, job_id, number, first_item, items)
SELECT company_id, %(undo_id)s, row_number() OVER (ORDER BY number DESC) - 1, 0,
    jsonb_build_array(first_position, last_position)
FROM job_batches
WHERE company_id = %(company_id)s AND job_id = %(job_id)s AND first_position IS NOT NULL
"""
BATCH_OF: Final = """
SELECT b.number, b.first_item, b.items, NOT EXISTS (
    SELECT FROM job_batches AS next
    WHERE next.company_id = b.company_id AND next.job_id = b.job_id AND next.number = b.number + 1
)
FROM job_batches AS b WHERE b.company_id = %(company_id)s AND b.job_id = %(job_id)s AND b.number = %(number)s
"""
PREVIEW: Final = """
SELECT jsonb_path_query_array(items, %(path)s::jsonpath) FROM job_batches
WHERE company_id = %(company_id)s AND job_id = %(job_id)s AND number = 0
"""
PLACE_BATCH: Final = """
UPDATE job_batches SET first_position = %(first)s, last_position = %(last)s
WHERE company_id = %(company_id)s AND job_id = %(job_id)s AND number = %(number)s
"""
REFUSE: Final = """
INSERT INTO job_refusals (company_id, job_id, item, lead_id, code, errors)
SELECT %(company_id)s, %(job_id)s, r.item, r.lead_id, r.code, r.errors
FROM jsonb_to_recordset(%(refusals)s::jsonb) AS r (item integer, lead_id uuid, code text, errors jsonb)
"""
REFUSALS: Final = """
SELECT item, lead_id::text, code, errors FROM job_refusals
WHERE company_id = %(company_id)s AND job_id = %(job_id)s AND item > %(after)s ORDER BY item LIMIT %(limit)s
"""
# The row of the file behind each refusal: all batches but the last are equally long.
FAILED_ROWS: Final = """
SELECT r.item, r.errors, b.items -> (r.item - b.first_item)
FROM job_refusals AS r
JOIN job_batches AS b ON b.company_id = r.company_id AND b.job_id = r.job_id AND b.number = (r.item - 1) / %(batch)s
WHERE r.company_id = %(company_id)s AND r.job_id = %(job_id)s AND r.item > %(after)s ORDER BY r.item LIMIT %(limit)s
"""

# What was said in a chat is not asked for, only that it was: nothing here decides by it.
HISTORY: Final = f"""
SELECT e.stream_id::text, e.type, e.feed_position, e.metadata ->> 'job_id',
    CASE WHEN e.type NOT IN ('crm.lead.message_posted.v1', 'crm.lead.message_edited.v1')
        OR e.stream_version = (
            SELECT max(stream_version) FROM events WHERE company_id = %(company_id)s AND stream_id = e.stream_id
        ) THEN e.data END
FROM events AS e
WHERE e.company_id = %(company_id)s AND e.stream_id = ANY(%(ids)s::uuid[]) AND {OF_LEADS}
ORDER BY e.stream_id, e.stream_version
"""  # noqa: S608 - a constant
TOUCHED: Final = f"""
SELECT DISTINCT e.stream_id::text FROM events AS e
WHERE e.company_id = %(company_id)s AND e.feed_position BETWEEN %(first)s AND %(last)s AND {OF_LEADS}
"""  # noqa: S608 - a constant
KNOWN: Final = f"""
SELECT e.stream_id::text FROM events AS e
WHERE e.company_id = %(company_id)s AND e.stream_id = ANY(%(ids)s::uuid[]) AND e.stream_version = 1 AND {OF_LEADS}
"""  # noqa: S608 - a constant
# The oldest lead with each address; and the oldest one with each number that is the same person, by the rule of
# `leads.domain.duplicates.is_same_person`. Two look-ups of one index each.
MATCH: Final = """
WITH contacts AS (
    SELECT * FROM unnest(%(numbers)s::integer[], %(emails)s::text[], %(phones)s::text[], %(names)s::text[])
        AS c (number, email, phone, name_key)
)
SELECT c.number, l.id::text, l.created_at, true FROM contacts AS c CROSS JOIN LATERAL (
    SELECT id, created_at FROM leads WHERE company_id = %(company_id)s AND email = c.email
    ORDER BY created_at, id LIMIT 1
) AS l
UNION ALL
SELECT c.number, l.id::text, l.created_at, false FROM contacts AS c CROSS JOIN LATERAL (
    SELECT id, created_at FROM leads
    WHERE company_id = %(company_id)s AND phone = c.phone AND name_key = c.name_key
        AND (email IS NULL OR c.email IS NULL OR email = c.email)
    ORDER BY created_at, id LIMIT 1
) AS l
"""
TURN: Final = "SELECT last_user::text FROM rotations WHERE company_id = %(company_id)s FOR UPDATE"
SET_TURN: Final = """
INSERT INTO rotations (company_id, last_user) VALUES (%(company_id)s, %(last_user)s)
ON CONFLICT (company_id) DO UPDATE SET last_user = excluded.last_user
"""
_TASK: Final[TypeAdapter[Task]] = TypeAdapter(Task)
FIRST_PAGE: Final = UUID("ffffffff-ffff-ffff-ffff-ffffffffffff")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step works on."""

    number: int
    first_item: int
    items: list[Any] | None
    """None when it was forgotten."""
    is_last: bool


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row of a file that became no lead."""

    number: int
    errors: Sequence[Mapping[str, Any]]
    cells: Sequence[str]


class Jobs:
    """A company's jobs, as requests look at them.

    Raises:
        DatabaseAway: from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, company_id: UUID, job_id: UUID) -> Job | None:
        async with self._database.writing(company_id) as connection:
            return await found(await connection.execute(READ, {"company_id": company_id, "id": job_id}))

    async def page(
        self,
        company_id: UUID,
        *,
        states: Sequence[State],
        kinds: Sequence[str],
        before: tuple[datetime | None, UUID],
        limit: int,
    ) -> list[Job]:
        row = {
            "company_id": company_id,
            "states": list(states),
            "kinds": list(kinds),
            "before_at": before[0] or "infinity",
            "before_id": before[1],
            "limit": limit,
        }
        async with self._database.writing(company_id) as connection:
            cursor = await connection.execute(LIST, row)
            return [_job(found_row) for found_row in await cursor.fetchall()]

    async def first_rows(self, company_id: UUID, job_id: UUID, *, at_most: int) -> list[list[str]]:
        """Return the first rows of a file; none when they were forgotten. A batch may have some megabytes."""
        row = {"company_id": company_id, "job_id": job_id, "path": f"$[0 to {at_most - 1}]"}
        async with self._database.writing(company_id) as connection:
            found_row = await (await connection.execute(PREVIEW, row)).fetchone()
            return found_row[0] or [] if found_row else []

    async def refusals(self, company_id: UUID, job_id: UUID, *, after: int, limit: int) -> list[Refused]:
        row = {"company_id": company_id, "job_id": job_id, "after": after, "limit": limit}
        async with self._database.writing(company_id) as connection:
            cursor = await connection.execute(REFUSALS, row)
            return [
                Refused(item=item, lead_id=lead_id, code=code, errors=errors)
                for item, lead_id, code, errors in await cursor.fetchall()
            ]

    async def failed_rows(self, company_id: UUID, job_id: UUID, *, after: int, limit: int) -> list[FailedRow]:
        row = {"company_id": company_id, "job_id": job_id, "after": after, "limit": limit, "batch": BATCH}
        async with self._database.writing(company_id) as connection:
            cursor = await connection.execute(FAILED_ROWS, row)
            return [FailedRow(item, errors, cells or []) for item, errors, cells in await cursor.fetchall()]


async def found(cursor: AsyncCursor[Any]) -> Job | None:
    """Return the job that a statement found, if it did."""
    row = await cursor.fetchone()
    return _job(row) if row else None


async def hold(connection: RawConnection, company_id: UUID, job_id: UUID) -> AsyncCursor[Any]:
    """Lock a job's row; `found` tells. Whoever also takes the feed's lock takes that one first."""
    return await connection.execute(HOLD, {"company_id": company_id, "id": job_id})


async def hold_leased(connection: RawConnection, company_id: UUID, job_id: UUID, lease: UUID) -> AsyncCursor[Any]:
    """Lock a job's row if it still is the worker's, and is to go on; `found` tells."""
    return await connection.execute(HOLD_LEASED, {"company_id": company_id, "id": job_id, "lease": lease})


async def insert(connection: RawConnection, company_id: UUID, job: Job, fingerprint: str | None) -> None:
    row = {
        "company_id": company_id,
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "author": job.author,
        "task": _task(job),
        "fingerprint": fingerprint,
        "total": job.total,
        "undoes": job.undoes,
        "correlation_id": job.correlation_id,
        "created_at": job.created_at,
    }
    await connection.execute(INSERT, row)


async def save(connection: RawConnection, company_id: UUID, job: Job) -> None:
    row = {
        "company_id": company_id,
        "id": job.id,
        "state": job.state,
        "task": _task(job),
        "total": job.total,
        "done": job.done,
        "counts": Jsonb(dict(job.counts)),
        "refused": Jsonb(dict(job.refused)),
        "error": job.error,
        "batch": job.batch,
        "mark": None if job.mark is None else Jsonb(dict(job.mark)),
        "version": job.version,
        "undone_by": job.undone_by,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "told_at": job.told_at,
        "attempts": job.attempts,
        "reason": job.reason,
    }
    await connection.execute(SAVE, row)


async def add_batches(
    connection: RawConnection, company_id: UUID, job_id: UUID, items: Sequence[Any], *, number: int = 0, first: int = 1
) -> int:
    """Add items in batches from a number on, and return the number after the last one."""
    parts = [items[at : at + BATCH] for at in range(0, len(items), BATCH)]
    batches = [
        {"number": number + index, "first_item": first + index * BATCH, "items": part}
        for index, part in enumerate(parts)
    ]
    if batches:
        row = {"company_id": company_id, "job_id": job_id, "batches": json.dumps(batches, ensure_ascii=False)}
        await connection.execute(ADD_BATCHES, row)
    return number + len(parts)


async def refuse(connection: RawConnection, company_id: UUID, job_id: str, refusals: Sequence[Refused]) -> None:
    if refusals:
        rows = [
            {"item": each.item, "lead_id": each.lead_id, "code": each.code, "errors": list(each.errors)}
            for each in refusals
        ]
        row = {"company_id": company_id, "job_id": job_id, "refusals": json.dumps(rows, ensure_ascii=False)}
        await connection.execute(REFUSE, row)


def _task(job: Job) -> Jsonb:
    return Jsonb(_TASK.dump_python(job.task, mode="json"))


def _job(row: Sequence[Any]) -> Job:
    (
        job_id,
        kind,
        state,
        author,
        task,
        total,
        done,
        counts,
        refused,
        error,
        batch,
        mark,
        version,
        undoes,
        undone_by,
        undo_state,
        correlation_id,
        created_at,
        started_at,
        finished_at,
        told_at,
        attempts,
        reason,
    ) = row
    return Job(
        id=job_id,
        kind=kind,
        state=state,
        author=author,
        task=_TASK.validate_python(task),
        total=total,
        done=done,
        counts=counts,
        refused=refused,
        error=error,
        batch=batch,
        mark=mark,
        version=version,
        undoes=undoes,
        undone_by=undone_by,
        undo_state=undo_state,
        correlation_id=correlation_id,
        created_at=created_at,
        started_at=started_at,
        finished_at=finished_at,
        told_at=told_at,
        attempts=attempts,
        reason=reason,
    )
