"""Reading a stream without a consumer: batched direct gets (NATS ADR-31), answered by the server in one go."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

BATCH: Final = 500  # messages asked for at once
SUBJECTS: Final = 1000  # asked for at once; the server refuses more than 1024 answers
AT_ONCE: Final = 1024  # answers
PATIENCE: Final = 2.0  # seconds for the next message of an answer
END: Final = frozenset({"204", "404"})
"""The end of the batch; there is nothing."""
NO_HEADERS: Final[Mapping[str, str]] = {}

TOO_MANY: Final = "413"

STREAM_SUBJECT: Final = "Nats-Subject"
STREAM_SEQUENCE: Final = "Nats-Sequence"
STORED_AT: Final = "Nats-Time-Stamp"
REACHED: Final = "Nats-UpTo-Sequence"


class TooMany(Error):
    """There are more messages than the server gives at once."""


class Behind(Error):
    """The replica that answered does not have everything yet."""


async def read(
    nats: Client, stream: str, subject: str, *, after: int = 0, until: int | None = None, since: datetime | None = None
) -> AsyncGenerator[Msg]:
    """Yield the messages of a stream on a subject (or wildcard), in order.

    What is stored meanwhile is read, too. Headers `Nats-Sequence` and `Nats-Subject` tell where each one is stored.

    Args:
        nats: a connected client.
        stream: its name.
        subject: a subject of the stream, perhaps with wildcards.
        after: the sequence number before the first that matters.
        until: the last sequence number that matters; None for all there are.
        since: instead of `after`: the moment before which nothing matters.

    Raises:
        nats.errors.Error, OSError: no answer, or the connection is lost; what was yielded is valid.
    """
    pending = 1
    start: dict[str, Any] = {"seq": after + 1} if since is None else {"start_time": since.isoformat()}
    while pending:
        pending = 0
        request = {"next_by_subj": subject, "batch": BATCH, **start}
        async with aclosing(_ask(nats, stream, request)) as answers:
            async for message in answers:
                after, pending = sequence(message), int((message.headers or NO_HEADERS)["Nats-Num-Pending"])
                if until is not None and after > until:
                    return
                yield message
        start = {"seq": after + 1}


async def find(
    nats: Client,
    stream: str,
    subject: str,
    is_it: Callable[[Mapping[str, str]], bool],
    *,
    since: datetime | None,
    most: int,
) -> Msg | None:
    """Return the first message whose headers are the right ones, among so many since a moment.

    Raises:
        nats.errors.Error, OSError: no answer, or the connection is lost.
    """
    looked_at = 0
    async with aclosing(read(nats, stream, subject, since=since)) as messages:
        async for message in messages:
            if is_it(message.headers or NO_HEADERS):
                return message
            looked_at += 1
            if looked_at == most:
                break
    return None


async def last(nats: Client, stream: str, subjects: Sequence[str]) -> AsyncGenerator[Msg]:
    """Yield the last message of each of many subjects that has one, in the order in which they were stored.

    Args:
        nats: a connected client.
        stream: its name.
        subjects: without wildcards; asked for in portions, so that the order holds within each.

    Raises:
        nats.errors.Error, OSError: no answer, or the connection is lost; what was yielded is valid.
    """
    for start in range(0, len(subjects), SUBJECTS):
        portion = subjects[start : start + SUBJECTS]
        async for message in _ask(nats, stream, {"multi_last": portion, "batch": len(portion)}):
            yield message


async def snapshot(nats: Client, stream: str, pattern: str, *, witness: str, at_least: int) -> AsyncGenerator[Msg]:
    """Yield the last message of each subject that matches a pattern, all as of one moment, in order.

    Any replica of the stream may answer, also one that lags behind. The mark at the end of an answer tells how far it
    was, but there is none when nothing was found: therefore the witness.

    Args:
        nats: a connected client.
        stream: its name.
        pattern: a subject, perhaps with wildcards.
        witness: a subject that surely has a message; it is yielded, too.
        at_least: the sequence number that the replica must have reached.

    Raises:
        TooMany: more than the server gives at once.
        Behind: the replica has not reached that number; what was yielded is valid.
        nats.errors.Error, OSError: no answer, or the connection is lost; what was yielded is valid.
    """
    reached = 0
    request = {"multi_last": [pattern, witness], "batch": AT_ONCE}
    async for message in _ask_to_the_end(nats, stream, request):
        if _status(message) is None:
            yield message
        else:
            reached = int((message.headers or NO_HEADERS).get(REACHED, 0))
    if reached < at_least:
        raise Behind(f"{stream}: {reached} of {at_least}")


async def get(nats: Client, stream: str, subject: str | None = None, *, after: int | None = None) -> Msg | None:
    """Return one stored message, whatever its own headers say; None when there is none.

    nats-py's `get_msg` takes a stored header `Status` for the server's answer, and raises.

    Args:
        nats: a connected client.
        stream: its name.
        subject: of the message; None for any.
        after: a sequence number: the first message behind it is wanted. None: the last one of the subject.

    Raises:
        nats.errors.Error, OSError: no answer, or the connection is lost.
    """
    which: Mapping[str, Any] = (
        {"multi_last": [subject]} if after is None else {"seq": after + 1, "next_by_subj": subject or ">"}
    )
    async with aclosing(_ask(nats, stream, {**which, "batch": 1})) as answers:
        async for message in answers:
            return message
    return None


def sequence(message: Msg) -> int:
    """Return the number under which a message is stored."""
    return int((message.headers or NO_HEADERS)[STREAM_SEQUENCE])


def subject(message: Msg) -> str:
    """Return the subject on which a message is stored."""
    return (message.headers or NO_HEADERS)[STREAM_SUBJECT]


def stored_at(message: Msg) -> datetime:
    """Return when a message was stored."""
    return datetime.fromisoformat((message.headers or NO_HEADERS)[STORED_AT])


async def _ask(nats: Client, stream: str, request: Mapping[str, Any]) -> AsyncGenerator[Msg]:
    """Send one batched direct get, and yield the messages of the answer."""
    async with aclosing(_ask_to_the_end(nats, stream, request)) as answers:
        async for message in answers:
            if _status(message) is None:
                yield message


async def _ask_to_the_end(nats: Client, stream: str, request: Mapping[str, Any]) -> AsyncGenerator[Msg]:
    """Send one batched direct get, and yield the messages of the answer and the mark of its end."""
    answers = await nats.subscribe(nats.new_inbox())
    try:
        await nats.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), reply=answers.subject)
        while True:
            message = await answers.next_msg(PATIENCE)
            status = _status(message)
            if status == TOO_MANY:
                raise TooMany(stream)
            if status is not None and status not in END:
                raise Error(f"direct get of {stream}: status {status}")
            yield message
            if status is not None:
                return
    finally:
        await asyncio.shield(answers.unsubscribe())


def _status(message: Msg) -> str | None:
    """Return the server's status; None for a stored message, which may have a header of that name."""
    headers = message.headers or NO_HEADERS
    return None if STREAM_SEQUENCE in headers else headers.get("Status")
