"""A company's feed: its row is the lock of the company's writers and numbers their facts.

The first statement of every append updates it. Writers of one company commit in position order, so that no reader can
step over a fact that is still to appear; companies do not wait for each other.

The row also tells the time that facts bear. It is PostgreSQL's, not that of the process which decided, and it is read
under the lock, so that a company's facts never go back in time (ADR 17).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncCursor
from psycopg.types.json import Jsonb

from contracts import envelope
from contracts.events import NAMES, Fact, subject_of, version_of
from leads.command import Feed, Origin
from leads.store.database import RawConnection

EPOCH: Final = "(SELECT id FROM epochs ORDER BY number DESC LIMIT 1)"
"""The log's current epoch, as an SQL expression."""
ADVANCE: Final = f"""
UPDATE feeds SET
    position = position + %(facts)s, settings_version = settings_version + %(settings)s, clock = feed_clock(clock)
WHERE company_id = %(company_id)s RETURNING position, settings_version, {EPOCH}, clock
"""  # noqa: S608 - a constant
LOOK: Final = f"""
SELECT position, settings_version, {EPOCH}, feed_clock(clock) FROM feeds WHERE company_id = %(company_id)s
"""  # noqa: S608 - a constant
# One statement for all facts and their outbox rows: each statement costs the client some 50 µs.
APPEND: Final = """
WITH appended AS (
    INSERT INTO events
        (company_id, feed_position, event_id, stream_id, stream_version, type, data, metadata, recorded_at)
    SELECT %(company_id)s, f.position, f.id, f.stream, f.version, f.type, f.data, %(metadata)s, %(at)s
    FROM jsonb_to_recordset(%(facts)s::jsonb)
        AS f (position bigint, id uuid, stream uuid, version integer, type text, data jsonb)
    RETURNING company_id, feed_position
)
INSERT INTO outbox (company_id, feed_position)
SELECT company_id, feed_position FROM appended ORDER BY feed_position
"""
STREAM_VERSION: Final = "events_stream_version_key"
"""Only a violation of this constraint means that somebody else appended to a stream first."""


class UnknownCompany(Exception):
    """The company has no feed: it was never provisioned, or row-level security hides it."""


async def advance(connection: RawConnection, origin: Origin, *, facts: int, settings: int = 0) -> AsyncCursor[Any]:
    """Lock the company's feed and take positions for so many facts; `feed_of` tells how far it came.

    A change of settings raises their version by one: whoever decided by older ones decides anew.
    """
    row = {"company_id": origin.company_id, "facts": facts, "settings": settings}
    return await connection.execute(ADVANCE, row)


async def look(connection: RawConnection, origin: Origin) -> AsyncCursor[Any]:
    """Ask for the feed as it is, without its lock."""
    return await connection.execute(LOOK, {"company_id": origin.company_id})


async def feed_of(cursor: AsyncCursor[Any]) -> Feed:
    """Return what `advance` or `look` found.

    Raises:
        UnknownCompany: nothing.
    """
    row = await cursor.fetchone()
    if row is None:
        raise UnknownCompany
    return Feed(*row)


async def append(
    connection: RawConnection, origin: Origin, facts: Sequence[Fact], *, position: int, at: datetime
) -> None:
    """Append all facts of one origin, of any streams, each at the version it says; the last one gets this position.

    `at` is the time of the feed under whose lock they were decided or dated.

    Raises:
        psycopg.errors.UniqueViolation: of `STREAM_VERSION`: a stream has that version already. It may come later, with
            the result of any statement of the pipeline.
    """
    company_id = str(origin.company_id)
    first = position - len(facts) + 1
    rows = [
        b'{"position":%d,"id":"%s","stream":"%s","version":%d,"type":"%s","data":%s}'
        % (
            first + index,
            str(origin.event_id(index)).encode(),
            subject_of(fact, company_id).encode(),
            version_of(fact),
            NAMES[type(fact)].encode(),
            envelope.encode_json(fact),
        )
        for index, fact in enumerate(facts)
    ]
    values = {
        "company_id": origin.company_id,
        "facts": (b"[%s]" % b",".join(rows)).decode(),
        "metadata": Jsonb(origin.metadata()),
        "at": at,
    }
    await connection.execute(APPEND, values)
