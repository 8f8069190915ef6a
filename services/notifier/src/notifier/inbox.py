"""One user's inbox, as requests read and change it.

Every change locks the inbox's row first and puts its push into the outbox in the same transaction: so all changes of
one inbox, the writer's among them, have one order, and the pushes have the same.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from notifier.connections import Connections, Owner

_STATE = """
SELECT coalesce(max(unread), 0), coalesce(max(revision), 0), coalesce(max(number), 0) FROM inboxes
WHERE company_id = %(company)s AND user_id = %(user)s
"""
# One statement sees one moment: the state fits the page.
_PAGE = """
SELECT inbox.unread, inbox.revision, inbox.number, page.number, page.body, page.read_at
FROM (VALUES (1)) AS once
LEFT JOIN inboxes AS inbox ON inbox.company_id = %(company)s AND inbox.user_id = %(user)s
LEFT JOIN LATERAL (
    SELECT number, body, read_at FROM notifications
    WHERE company_id = %(company)s AND user_id = %(user)s AND number < %(below)s AND (read_at IS NULL OR NOT %(unread)s)
    ORDER BY number DESC LIMIT %(limit)s
) AS page ON true
ORDER BY page.number DESC
"""
_LOCK = "SELECT FROM inboxes WHERE company_id = %(company)s AND user_id = %(user)s FOR UPDATE"
_MARK = """
WITH changed AS (
    UPDATE notifications SET read_at = CASE WHEN %(read)s THEN clock_timestamp() END
    WHERE company_id = %(company)s AND user_id = %(user)s AND id = %(id)s AND (read_at IS NULL) = %(read)s
    RETURNING id
), inbox AS (
    UPDATE inboxes SET revision = revision + 1, unread = unread + CASE WHEN %(read)s THEN -1 ELSE 1 END
    WHERE company_id = %(company)s AND user_id = %(user)s AND EXISTS (SELECT FROM changed)
    RETURNING unread, revision
)
INSERT INTO outbox (company_id, user_id, key, event, data, except_socket, correlation_id)
SELECT %(company)s, %(user)s, 'inbox:' || revision, 'notification.read',
       jsonb_build_object('ids', jsonb_build_array(%(id)s::uuid), 'read', %(read)s::boolean,
                          'unread', unread, 'revision', revision),
       %(socket)s, %(correlation)s
FROM inbox
"""
_MARK_ALL = """
WITH changed AS (
    UPDATE notifications SET read_at = clock_timestamp()
    WHERE company_id = %(company)s AND user_id = %(user)s AND number < %(before)s AND read_at IS NULL
    RETURNING number
), inbox AS (
    UPDATE inboxes SET revision = revision + 1, unread = unread - (SELECT count(*) FROM changed)
    WHERE company_id = %(company)s AND user_id = %(user)s AND EXISTS (SELECT FROM changed)
    RETURNING unread, revision
)
INSERT INTO outbox (company_id, user_id, key, event, data, except_socket, correlation_id)
SELECT %(company)s, %(user)s, 'inbox:' || revision, 'notification.read',
       jsonb_build_object('all_before', (SELECT max(number) + 1 FROM changed), 'read', true,
                          'unread', unread, 'revision', revision),
       %(socket)s, %(correlation)s
FROM inbox
"""
_ONE = """
SELECT inbox.unread, inbox.revision, inbox.number, one.number, one.body, one.read_at
FROM inboxes AS inbox JOIN notifications AS one USING (company_id, user_id)
WHERE company_id = %(company)s AND user_id = %(user)s AND one.id = %(id)s
"""
_TOKENS_SINCE = "SELECT max(since) FROM ended_tokens WHERE company_id = %(company)s AND user_id = %(user)s"
_MUTED = "SELECT kind FROM muted WHERE company_id = %(company)s AND user_id = %(user)s"
_UNMUTE = "DELETE FROM muted WHERE company_id = %(company)s AND user_id = %(user)s AND kind <> ALL(%(kinds)s)"
_MUTE = """
INSERT INTO muted (company_id, user_id, kind) SELECT %(company)s, %(user)s, unnest(%(kinds)s::text[])
ON CONFLICT DO NOTHING
"""
ALL: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class State:
    """Of an inbox, at one moment."""

    unread: int
    revision: int
    number: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A notification in the inbox."""

    number: int
    body: dict[str, Any]
    read_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A request to change something, apart from what."""

    owner: Owner
    socket_id: str | None = None
    """The author's Pusher socket, which does not hear it."""
    correlation_id: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """What every statement is told."""
        return {
            **_of(self.owner),
            "socket": self.socket_id,
            "correlation": self.correlation_id,
        }


class Inbox:
    """Reads and changes inboxes. Every method raises `DatabaseAway`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def state(self, owner: Owner) -> State:
        """Return the state alone."""
        async with self._connections.of(owner) as connection:
            cursor = await connection.execute(_STATE, _of(owner))
            row = await cursor.fetchone()
        assert row is not None
        return State(*row)

    async def page(self, owner: Owner, *, below: int = ALL, unread: bool, limit: int) -> tuple[State, Sequence[Kept]]:
        """Return notifications with numbers below one, newest first, and the state of the same moment."""
        values = {**_of(owner), "below": below, "unread": unread, "limit": limit}
        async with self._connections.of(owner) as connection:
            rows = await (await connection.execute(_PAGE, values)).fetchall()
        return _state(rows[0]), [Kept(*row[3:]) for row in rows if row[3] is not None]

    async def mark(self, change: Change, notification_id: UUID, *, read: bool) -> tuple[State, Kept] | None:
        """Mark a notification as read or unread; return it, or None when there is none such."""
        values = {**change.values, "id": notification_id, "read": read}
        async with self._connections.of(change.owner) as connection:
            await connection.execute(_LOCK, values)
            await connection.execute(_MARK, values)
            row = await (await connection.execute(_ONE, values)).fetchone()
        return None if row is None else (_state(row), Kept(*row[3:]))

    async def mark_all(self, change: Change, *, before: int = ALL) -> State:
        """Mark everything with a number below one as read."""
        values = {**change.values, "before": before}
        async with self._connections.of(change.owner) as connection:
            await connection.execute(_LOCK, values)
            await connection.execute(_MARK_ALL, values)
            row = await (await connection.execute(_STATE, values)).fetchone()
        assert row is not None
        return State(*row)

    async def tokens_since(self, owner: Owner) -> datetime | None:
        """Return the moment before which the user's access tokens were ended; None when they never were."""
        async with self._connections.of(owner) as connection:
            row = await (await connection.execute(_TOKENS_SINCE, _of(owner))).fetchone()
        assert row is not None
        since: datetime | None = row[0]
        return since

    async def muted(self, owner: Owner) -> frozenset[str]:
        """Return the kinds of notifications that the user does not want."""
        async with self._connections.of(owner) as connection:
            rows = await (await connection.execute(_MUTED, _of(owner))).fetchall()
        return frozenset(kind for (kind,) in rows)

    async def mute(self, owner: Owner, kinds: Collection[str]) -> None:
        """Say which kinds the user does not want from now on."""
        values = {**_of(owner), "kinds": sorted(kinds)}
        async with self._connections.of(owner) as connection:
            await connection.execute(_UNMUTE, values)
            await connection.execute(_MUTE, values)


def _of(owner: Owner) -> dict[str, Any]:
    return {"company": owner.company_id, "user": owner.user_id}


def _state(row: Sequence[Any]) -> State:
    return State(row[0] or 0, row[1] or 0, row[2] or 0)
