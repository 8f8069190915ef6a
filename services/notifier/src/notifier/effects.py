"""The one sequence of effects: whatever is done is done here, one thing at a time.

Dead letters and what screens hear at once are stored; cursors, inboxes and jobs are committed; what waits in the outbox
is pushed to users; messages are acknowledged by the caller. A process that dies in between leaves either nothing that
counts, or what its heir finds: pushes in `PUSH` after the last committed sequence, rows in the outbox.

One at a time, because an heir looks for what is left behind in one place only: after the last committed sequence.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from nats.js import JetStreamContext

from contracts.channels import UserChannel
from contracts.dead import DeadLetter
from contracts.push import Push, Termination, compact_json
from notifier import metrics
from notifier.published import PushStream, windows
from notifier.reaction import ShutOut
from notifier.store import Advance, Changes, JobPart, SettingBack, Store, Telling, Waiting
from runtime import tracing
from runtime.broker import Outgoing, publish_window

OUTBOX_WINDOW: Final = 1000  # pushes to users that are read at once

_log = structlog.stdlib.get_logger("notifier.effects")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What follows from a batch, or from a fact that is taken up again."""

    dead: Sequence[DeadLetter] = ()
    pushes: Sequence[Push | Termination] = ()
    advances: Sequence[Advance] = ()
    tellings: Sequence[Telling] = ()
    jobs: Sequence[JobPart] = ()
    shut_out: Mapping[tuple[str, str], ShutOut] = field(default_factory=dict)
    taken_up: tuple[str, int] | None = None


class Effects:
    """Does what follows, in the order that survives a crash anywhere."""

    def __init__(self, js: JetStreamContext, pushes: PushStream, store: Store, *, app_id: str) -> None:
        self._js = js
        self._pushes = pushes
        self._store = store
        self._app_id = app_id
        self._turn = asyncio.Lock()
        self._has_waiting = True  # of an earlier process
        self._traces: dict[str, str] = {}  # notification id → what its push continues

    async def do(self, work: Work) -> None:
        """Do all of it; interrupted, call it again with what the database then says is left.

        Raises:
            runtime.broker.PublishFailed, nats.errors.Error, TimeoutError: NATS is away; say `interrupted`.
            psycopg.OperationalError: the database is away.
            psycopg.DatabaseError: the database refuses something that it will always refuse.
        """
        async with self._turn:
            await self._do(work)

    async def take_up(self, work: Work) -> bool:
        """Do what follows from a position that was passed over, and return whether it had not been done before.

        Raises:
            Exception: as `do`.
        """
        assert work.taken_up is not None
        async with self._turn:
            if not await self._store.is_passed_over(*work.taken_up):
                return False
            await self._do(work)
            return True

    async def _do(self, work: Work) -> None:
        await self._push_waiting()  # what is older goes first
        await self._bury(work.dead)
        sequence = await self._pushes.publish(work.pushes)
        changes = Changes(
            push_sequence=sequence,
            advances=work.advances,
            tellings=work.tellings,
            jobs=work.jobs,
            shut_out=work.shut_out,
            taken_up=work.taken_up,
        )
        if work.advances or work.taken_up:
            await self._store.commit(changes)
        self._pushes.finish(sequence)
        self._has_waiting = self._has_waiting or bool(work.tellings)
        if tracing.is_on():
            self._traces = {each.told.notification.id: each.traceparent for each in work.tellings if each.traceparent}
        await self._push_waiting()
        self._traces.clear()

    async def push_waiting(self) -> None:
        """Push what requests have put into the outbox.

        Raises:
            runtime.broker.PublishFailed, nats.errors.Error, TimeoutError: NATS is away; say `interrupted`.
            psycopg.OperationalError: the database is away.
        """
        async with self._turn:
            self._has_waiting = True
            await self._push_waiting()

    async def adopt(self, company_id: str, epoch: str | None) -> None:
        """Write down of which epoch of the log a company's cursor is."""
        async with self._turn:
            await self._store.adopt(company_id, epoch)

    async def set_back(self, setting: SettingBack, told: Push, dead: Sequence[DeadLetter]) -> None:
        """Take back what followed from facts that the log contradicts, and tell screens to load everything again.

        Told first: interrupted in between, it is done again, and screens load twice.

        Raises:
            Exception: as `do`.
        """
        async with self._turn:
            await self._push_waiting()
            await self._bury(dead)
            sequence = await self._pushes.publish([told])
            await self._store.set_back(setting, sequence)
            self._pushes.finish(sequence)
            self._has_waiting = True
            await self._push_waiting()

    def interrupted(self) -> None:
        """Say that something failed in the middle: nobody knows what is stored."""
        self._pushes.interrupted()
        self._has_waiting = True

    async def _push_waiting(self) -> None:
        while self._has_waiting:
            waiting = await self._store.waiting(OUTBOX_WINDOW)
            if waiting:
                sequence = await self._pushes.publish([self._user_push(push) for push in waiting])
                await self._store.sent([push.id for push in waiting])
                self._pushes.finish(sequence)
            self._has_waiting = len(waiting) == OUTBOX_WINDOW

    def _user_push(self, waiting: Waiting) -> Push:
        return Push(
            app_id=self._app_id,
            channel=str(UserChannel(waiting.user_id)),
            event=waiting.event,
            data=compact_json(waiting.data),
            key=waiting.key,
            except_socket=waiting.except_socket,
            correlation_id=waiting.correlation_id,
            traceparent=self._traces.get(waiting.key),
        )

    async def _bury(self, dead: Sequence[DeadLetter]) -> None:
        for window in windows(dead):
            await publish_window(
                self._js, [Outgoing(letter.subject, letter.payload, letter.headers) for letter in window]
            )
        for letter in dead:
            metrics.DEAD_LETTERS.inc()
            _log.error("dead letter", subject=letter.source, sequence=letter.sequence, cause=letter.cause)
