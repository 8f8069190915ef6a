"""Applying a dead letter after all, on an operator's request.

The cursor has passed its position long ago, so it is no use to send the fact again: a position at or below the cursor
is a repeat. That rule stays. What tells a fact that never had its effect is a row in `passed_over`, written in the
transaction that moved the cursor past it and taken away in the transaction that applies it, both once.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psycopg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from contracts import streams, subjects
from contracts.dead import LONGEST_BODY
from contracts.push import compact_json
from notifier.effects import Effects, Work
from notifier.feed import Entry, Unreadable, read
from notifier.letters import job_parts, shut_out, tellings
from notifier.store import Store
from runtime.broker import PublishFailed

APPLIED: Final = "applied"
REPEATED: Final = "had its effect already"
FAILS: Final = "still fails"
EARLY: Final = "comes in its turn"
UNKNOWN: Final = "is not of this release"
TRUNCATED: Final = "is only kept in part"
MISSING: Final = "is not there"
UNAVAILABLE: Final = "cannot be applied now: try again"

_log = structlog.stdlib.get_logger("notifier.retries")
Applied = Callable[[Entry], None]


class Retries:
    """Answers `rpc.notifier.retry` while its process is the active one."""

    def __init__(
        self, js: JetStreamContext, effects: Effects, store: Store, *, app_id: str, on_applied: Applied
    ) -> None:
        self._js = js
        self._effects = effects
        self._store = store
        self._app_id = app_id
        self._on_applied = on_applied

    async def listen(self, client: Client) -> Callable[[], Awaitable[None]]:
        """Answer from now on; return what ends it."""
        subscription = await client.subscribe(subjects.RETRY, cb=self._answer)
        return subscription.unsubscribe

    async def retry(self, sequence: int) -> tuple[str, str]:
        """Apply the dead letter of that sequence if it never was; return the outcome and, if it fails, the cause.

        Raises:
            runtime.broker.PublishFailed, nats.errors.Error, TimeoutError: NATS is away.
            psycopg.Error: the database is away, or refuses it.
        """
        body = await self._body(sequence)
        if body is None:
            return MISSING, ""
        if len(body) >= LONGEST_BODY:
            return TRUNCATED, ""
        content = read(body, self._app_id)
        if isinstance(content, Unreadable) or content.failure is not None:
            return FAILS, content.failure or ""
        outcome = await self._apply(content)
        if outcome in {APPLIED, REPEATED}:
            await self._js.delete_msg(streams.DEAD, sequence)
        return outcome, ""

    async def _body(self, sequence: int) -> bytes | None:
        try:
            letter = await self._js.get_msg(streams.DEAD, sequence, direct=True)
        except NotFoundError:
            return None
        return (letter.data or b"") if letter.subject == subjects.dead(streams.NOTIFIER) else None

    async def _apply(self, entry: Entry) -> str:
        if not entry.is_known:
            return UNKNOWN
        cursors = await self._store.positions([entry.company_id])
        if entry.position > cursors[entry.company_id]:
            return EARLY
        work = Work(
            pushes=entry.reaction.pushes,
            tellings=list(tellings(entry)),
            jobs=job_parts([entry]),
            shut_out=shut_out([entry]),
            taken_up=(entry.company_id, entry.position),
        )
        if not await self._effects.take_up(work):
            return REPEATED
        self._on_applied(entry)
        _log.info("dead letter applied", company_id=entry.company_id, position=entry.position, event_id=entry.event_id)
        return APPLIED

    async def _answer(self, message: Msg) -> None:
        sequence = _sequence(message.data)
        if sequence is None:
            outcome, cause = MISSING, ""
        else:
            try:
                outcome, cause = await self.retry(sequence)
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                self._effects.interrupted()
                outcome, cause = FAILS, type(error).__name__
            except (PublishFailed, Error, TimeoutError, psycopg.Error) as error:
                self._effects.interrupted()
                outcome, cause = UNAVAILABLE, type(error).__name__
        await message.respond(compact_json({"outcome": outcome, "cause": cause}).encode())


def _sequence(body: bytes) -> int | None:
    try:
        request: Any = json.loads(body)
    except ValueError:
        return None
    match request:
        case {"sequence": int(sequence)} if type(sequence) is int and 0 < sequence < 1 << 63:
            return sequence
    return None
