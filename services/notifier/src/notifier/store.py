"""How far each company's feed is read: one PostgreSQL session, whose advisory lock makes this process the active one.

Everything is written through that very session, so that a process which lost its lock cannot write any more.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from psycopg import AsyncConnection

LOCK: Final = 0x6E6F746966696572
"""The key of the advisory lock: "notifier" in ASCII. Locks are per database."""

_STATEMENT_TIMEOUT: Final = 5.0  # seconds

_SERVER_OPTIONS: Final = " ".join(
    f"-c {name}={value}"
    for name, value in {
        # A cursor that a crash of PostgreSQL takes back is made up for: the facts after it are fetched again, and what
        # they had pushed is found in PUSH. So nobody waits for the disk.
        "synchronous_commit": "off",
        # A session whose process is frozen or unreachable ends within seconds, and its lock with it.
        "idle_session_timeout": "10s",
        "statement_timeout": "5s",
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
    }.items()
)

_TRY_LOCK = "SELECT pg_try_advisory_lock(%(key)s)"
_POSITIONS = "SELECT company_id::text, position FROM cursors WHERE company_id = ANY(%(companies)s::uuid[])"
_ADVANCE = """
INSERT INTO cursors AS cursor (company_id, position, stats_due, push_sequence)
SELECT * FROM unnest(%(companies)s::uuid[], %(positions)s::bigint[], %(stats_due)s::bigint[], %(sequences)s::bigint[])
ON CONFLICT (company_id) DO UPDATE
SET position = excluded.position,
    stats_due = greatest(cursor.stats_due, excluded.stats_due),
    push_sequence = excluded.push_sequence
WHERE cursor.position < excluded.position
"""
_PUSH_SEQUENCE = "SELECT coalesce(max(push_sequence), 0) FROM cursors"
_STATS_OWED = "SELECT company_id::text FROM cursors WHERE stats_due > stats_pushed"
_STATS_PUSHED = """
UPDATE cursors SET stats_pushed = %(position)s WHERE company_id = %(company)s AND stats_pushed < %(position)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How far a batch brought one company."""

    company_id: str
    position: int
    stats_due: int
    """The position of the last fact that may have changed the company's figures; 0 for none."""


class Store:
    """The cursors, written by the active process. Every method raises `psycopg.OperationalError` without a session."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def try_lock(self) -> bool:
        """Become the active process, unless another is."""
        cursor = await self._connection.execute(_TRY_LOCK, {"key": LOCK})
        row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def check(self) -> None:
        """Find out whether the session still exists.

        Raises:
            psycopg.OperationalError: it does not.
            TimeoutError: the server does not answer.
        """
        await asyncio.wait_for(self._connection.execute("SELECT 1"), _STATEMENT_TIMEOUT)

    async def positions(self, companies: Iterable[str]) -> Mapping[str, int]:
        """Return each company's last applied position: 0 where there is none."""
        wanted = list(companies)
        cursor = await self._connection.execute(_POSITIONS, {"companies": wanted})
        return dict.fromkeys(wanted, 0) | dict(await cursor.fetchall())

    async def advance(self, advances: Sequence[Advance], *, push_sequence: int) -> None:
        """Remember how far a batch brought its companies, and the last sequence it stored in `PUSH`."""
        values = {
            "companies": [advance.company_id for advance in advances],
            "positions": [advance.position for advance in advances],
            "stats_due": [advance.stats_due for advance in advances],
            "sequences": [push_sequence] * len(advances),
        }
        await self._connection.execute(_ADVANCE, values)

    async def push_sequence(self) -> int:
        """Return the last sequence in `PUSH` of a batch that was finished; 0 before the first."""
        cursor = await self._connection.execute(_PUSH_SEQUENCE)
        row = await cursor.fetchone()
        return 0 if row is None else int(row[0])

    async def companies_owed_stats(self) -> list[str]:
        """Return the companies whose figures may have changed since the last push of them."""
        cursor = await self._connection.execute(_STATS_OWED)
        return [company_id for (company_id,) in await cursor.fetchall()]

    async def stats_were_pushed(self, company_id: str, position: int) -> None:
        """Remember the position that the pushed figures reflect."""
        await self._connection.execute(_STATS_PUSHED, {"company": company_id, "position": position})


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Store]:
    """Open one session.

    Raises:
        psycopg.OperationalError: no server, or it refuses.
    """
    connection = await AsyncConnection.connect(
        database_url,
        autocommit=True,
        application_name="notifier",
        connect_timeout=5,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
        options=_SERVER_OPTIONS,
    )
    try:
        yield Store(connection)
    finally:
        # A statement in flight watches the socket that closing takes away: uvloop would abort the process.
        async with connection.lock:
            await connection.close()
