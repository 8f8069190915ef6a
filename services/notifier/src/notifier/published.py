"""Storing pushes once, also when the duplicate window has forgotten what an interrupted batch had stored.

`PUSH` drops a message id that it saw within two minutes. A process that dies between storing pushes and committing its
cursors, and is followed later than that, would have them stored again. So whoever takes over knows, from the cursors,
the last sequence of a finished batch, and looks up what was stored after it before publishing.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from contracts import streams
from contracts.push import CONTROL_HEADER, MESSAGE_ID_HEADER, Push, Termination
from notifier import metrics
from runtime.broker import Outgoing, PublishFailed
from runtime.windows import WindowPublisher

WINDOW: Final = 500
SHORT: Final = 2000  # messages that are read one by one to see which are ours
REMEMBERED: Final = 100_000  # subjects

_T = TypeVar("_T")


class PushStream:
    """Publishes to `PUSH`, in order, each push once."""

    def __init__(
        self, js: JetStreamContext, publisher: WindowPublisher, *, finished: int, on_failure: Callable[[], None]
    ) -> None:
        """Begin after the last sequence of a finished batch.

        Args:
            js: of a user who may read and publish to `PUSH`.
            publisher: stores pushes.
            finished: the last sequence of a finished batch.
            on_failure: called when pushes were not stored.
        """
        self._on_failure = on_failure
        self._js = js
        self._publisher = publisher
        self._finished = finished
        self._left: Leftovers | None = None

    async def publish(self, pushes: Sequence[Push | Termination]) -> int:
        """Store pushes in order, and return the last sequence of `PUSH` that is ours.

        Raises:
            runtime.broker.PublishFailed: some may be stored and some not; say `interrupted`, then publish them again.
            nats.errors.Error, TimeoutError: the same, with nothing new stored.
        """
        outgoing = [Outgoing(push.subject, push.body, push.headers) for push in pushes]
        last, fresh = self._finished, outgoing
        if outgoing and not (left := await self._leftovers()).is_empty:
            sequences = await left.find(outgoing)
            last = max(last, *(sequence or 0 for sequence in sequences))
            fresh = [message for message, sequence in zip(outgoing, sequences, strict=True) if sequence is None]
        for window in windows(fresh):
            try:
                last = max(last, *await self._publisher.publish(window))
            except PublishFailed:
                self._on_failure()
                raise
        for event, count in Counter(map(_event, pushes)).items():
            metrics.PUSHES_PUBLISHED.labels(event).inc(count)
        return last

    def finish(self, sequence: int) -> None:
        """Say that the batch whose last push has this sequence is committed."""
        self._finished = max(self._finished, sequence)

    def interrupted(self) -> None:
        """Say that nobody knows what of the last batch is stored."""
        self._left = None

    async def _leftovers(self) -> "Leftovers":
        if self._left is None:
            last = (await self._js.stream_info(streams.PUSH)).state.last_seq
            if self._finished > last:
                self._finished = 0  # a stream that ends before what we stored is another one: it begins anew at 1
            self._left = Leftovers(self._js, after=self._finished, until=last)
        return self._left


class Leftovers:
    """What an interrupted batch may have left in `PUSH`."""

    def __init__(self, js: JetStreamContext, *, after: int, until: int) -> None:
        self._js = js
        self._after = after
        self._until = until
        self._all: dict[str, int] | None = None
        self._by_subject: dict[str, dict[str, int]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was stored since the last batch was finished, by us or by anybody."""
        return self._after >= self._until

    async def find(self, messages: Sequence[Outgoing]) -> list[int | None]:
        """Return the sequence of each message that is stored already."""
        if self._until - self._after <= SHORT:
            if self._all is None:
                self._all = await self._ids(">")
            return [self._all.get(message.headers[MESSAGE_ID_HEADER]) for message in messages]
        # Others have stored much: of that many messages only those on our subjects are looked at.
        if len(self._by_subject) > REMEMBERED:
            self._by_subject.clear()
        for some in windows(sorted({message.subject for message in messages} - self._by_subject.keys())):
            found = await asyncio.gather(*map(self._ids, some))
            self._by_subject.update(zip(some, found, strict=True))
        return [self._by_subject[message.subject].get(message.headers[MESSAGE_ID_HEADER]) for message in messages]

    async def _ids(self, subject: str) -> dict[str, int]:
        """Return message id → sequence of what is stored on matching subjects."""
        ids: dict[str, int] = {}
        sequence = self._after
        while sequence < self._until:
            try:
                message = await self._js.get_msg(streams.PUSH, sequence + 1, subject, direct=True, next=True)
            except NotFoundError:
                break
            assert message.seq is not None
            sequence = message.seq
            ids[(message.headers or {}).get(MESSAGE_ID_HEADER, "")] = sequence
        return ids


def _event(push: Push | Termination) -> str:
    return push.event if isinstance(push, Push) else push.headers[CONTROL_HEADER]


def windows(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Return items in runs of the size that is published at once."""
    return (items[start : start + WINDOW] for start in range(0, len(items), WINDOW))
