"""Storing pushes once, also when the duplicate window has forgotten what an interrupted batch had stored.

`PUSH` drops a message id that it saw within two minutes. A process that dies between storing pushes and committing its
cursors, and is followed later than that, would have them stored again. So whoever takes over knows, from the cursors,
the last sequence of a finished batch, and looks up what was stored on a subject after it before first publishing there.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from contracts import streams
from contracts.push import MESSAGE_ID_HEADER, Push
from notifier import metrics
from runtime.broker import Outgoing, publish_window

WINDOW: Final = 256

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Span:
    """The sequences of `PUSH` in which an interrupted batch may have left something."""

    after: int
    until: int


class PushStream:
    """Publishes to `PUSH`, in order, each push once."""

    def __init__(self, js: JetStreamContext, *, finished: int) -> None:
        """Begin after the last sequence of a finished batch."""
        self._js = js
        self._finished = finished
        self._span: _Span | None = None
        self._stored: dict[str, dict[str, int]] = {}

    async def publish(self, pushes: Sequence[Push]) -> int:
        """Store pushes in order, and return the last sequence of `PUSH` that is ours.

        Raises:
            runtime.broker.PublishFailed: some may be stored and some not; say `interrupted`, then publish them again.
            nats.errors.Error, TimeoutError: the same, with nothing new stored.
        """
        outgoing = [Outgoing(push.subject, push.body, push.headers) for push in pushes]
        await self._look_up({message.subject for message in outgoing})
        sequences = [self._stored[message.subject].get(message.headers[MESSAGE_ID_HEADER]) for message in outgoing]
        last = max((sequence for sequence in sequences if sequence is not None), default=self._finished)
        fresh = [message for message, sequence in zip(outgoing, sequences, strict=True) if sequence is None]
        for window in windows(fresh):
            acknowledgements = await publish_window(self._js, window)
            last = max(last, *(acknowledgement.seq for acknowledgement in acknowledgements))
        events = (push.event for push, sequence in zip(pushes, sequences, strict=True) if sequence is None)
        for event, count in Counter(events).items():
            metrics.PUSHES_PUBLISHED.labels(event).inc(count)
        return last

    def finish(self, sequence: int) -> None:
        """Say that the batch whose last push has this sequence is committed."""
        self._finished = sequence

    def interrupted(self) -> None:
        """Say that nobody knows what of the last batch is stored."""
        self._span = None
        self._stored.clear()

    async def _look_up(self, subjects: set[str]) -> None:
        span = self._span or await self._interrupted_span()
        unknown = sorted(subjects - self._stored.keys())
        for some in windows(unknown):
            found = await asyncio.gather(*(self._ids(subject, span) for subject in some))
            self._stored.update(zip(some, found, strict=True))

    async def _interrupted_span(self) -> _Span:
        last = (await self._js.stream_info(streams.PUSH)).state.last_seq
        # A stream that ends before what we stored is another one: it begins anew at 1.
        self._span = _Span(self._finished if self._finished <= last else 0, last)
        return self._span

    async def _ids(self, subject: str, span: _Span) -> dict[str, int]:
        """Return message id → sequence of what is stored on a subject within the span."""
        ids: dict[str, int] = {}
        sequence = span.after
        while sequence < span.until:
            try:
                message = await self._js.get_msg(streams.PUSH, sequence + 1, subject, direct=True, next=True)
            except NotFoundError:
                break
            assert message.seq is not None
            sequence = message.seq
            ids[(message.headers or {}).get(MESSAGE_ID_HEADER, "")] = sequence
        return ids


def windows(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Return items in runs of the size that is published at once."""
    return (items[start : start + WINDOW] for start in range(0, len(items), WINDOW))
