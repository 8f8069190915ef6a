"""Tells an operator what became of one fact: whether it was applied, and where its pushes are stored.

What should follow is told by the rules anew; what did is looked for in `PUSH` and `DEAD`, from the fact's moment on.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import psycopg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from contracts import streams, subjects
from contracts.channels import UserChannel
from contracts.dead import COMPANY_HEADER, POSITION_HEADER
from contracts.push import MESSAGE_ID_HEADER, Push, compact_json
from contracts.where import MOST, ORDER, Applied, Pushed
from notifier.feed import Entry, read
from notifier.memory import Memory
from notifier.store import Store
from runtime import direct

SKEW: Final = timedelta(minutes=1)  # by which NATS' clock may be behind that of who recorded the fact
SEARCHED: Final = 2000  # messages of one channel

_log = structlog.stdlib.get_logger("notifier.whereabouts")


@dataclass(frozen=True, slots=True)
class _Expected:
    channel: str
    event: str
    message_id: str


class Whereabouts:
    """Answers `rpc.notifier.where` while its process is the active one."""

    def __init__(self, client: Client, store: Store, memory: Memory, *, app_id: str) -> None:
        self._client = client
        self._store = store
        self._memory = memory
        self._app_id = app_id

    async def listen(self) -> Callable[[], Awaitable[None]]:
        """Answer from now on; return what ends it."""
        subscription = await self._client.subscribe(subjects.WHERE_APPLIED, cb=self._answer)
        return subscription.unsubscribe

    async def of(self, fact: Entry) -> Applied:
        """Return what became of a fact.

        Raises:
            nats.errors.Error, OSError, TimeoutError: NATS is away.
            psycopg.Error: the database is away.
        """
        cursor = (await self._store.positions([fact.company_id]))[fact.company_id]
        found = Applied(
            cursor=cursor,
            at=None if fact.event_id is None else self._memory.applied_at(fact.event_id),
            is_known=fact.is_known,
            failure=fact.failure,
            job_id=fact.reaction.job_id,
            changes_figures=fact.reaction.changes_stats,
        )
        if cursor < fact.position:
            return found
        since = None if fact.recorded_at is None else fact.recorded_at - SKEW
        passed_over = await self._store.is_passed_over(fact.company_id, fact.position)
        letter = await self._dead_letter(fact, since) if passed_over or fact.failure else None
        pushes = [await self._find(expected, since) for expected in _expected(fact)]
        return found.model_copy(update={"passed_over": passed_over, "dead_letter": letter, "pushes": tuple(pushes)})

    async def _find(self, expected: _Expected, since: datetime | None) -> Pushed:
        pushed = Pushed(channel=expected.channel, event=expected.event, message_id=expected.message_id)
        subject = subjects.push(self._app_id, expected.channel)

        def is_it(headers: Mapping[str, str]) -> bool:
            return headers.get(MESSAGE_ID_HEADER) == expected.message_id

        found = await direct.find(self._client, streams.PUSH, subject, is_it, since=since, most=SEARCHED)
        if found is None:
            return pushed
        return pushed.model_copy(update={"sequence": direct.sequence(found), "at": direct.stored_at(found)})

    async def _dead_letter(self, fact: Entry, since: datetime | None) -> int | None:
        place = (fact.company_id, str(fact.position))

        def is_it(headers: Mapping[str, str]) -> bool:
            return (headers.get(COMPANY_HEADER), headers.get(POSITION_HEADER)) == place

        subject = subjects.dead(streams.NOTIFIER)
        found = await direct.find(self._client, streams.DEAD, subject, is_it, since=since, most=SEARCHED)
        return None if found is None else direct.sequence(found)

    async def _answer(self, message: Msg) -> None:
        content = read(message.data, self._app_id)
        if not isinstance(content, Entry):
            await message.respond(compact_json({"error": "malformed_request"}).encode())
            return
        try:
            answer = (await self.of(content)).model_dump_json()
        except (Error, OSError, TimeoutError, psycopg.Error) as error:
            _log.warning("cannot tell where a fact is", error=type(error).__name__)
            answer = compact_json({"error": "unavailable"})
        await message.respond(answer.encode())


def _expected(fact: Entry) -> Iterator[_Expected]:
    """Yield the pushes that follow from a fact, not more than an answer holds."""
    for push in fact.reaction.pushes[:MOST]:
        event = push.event if isinstance(push, Push) else ORDER
        yield _Expected(push.channel, event, push.headers[MESSAGE_ID_HEADER])
    for told in fact.reaction.notifications[: MOST - len(fact.reaction.pushes)]:
        channel = str(UserChannel(told.user_id))
        yield _Expected(channel, "notification.created", f"{told.notification.id}:{subjects.token(channel)}")
