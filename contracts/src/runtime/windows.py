"""Publishing windows of very many messages, and acknowledging as many: at once what nats-py does one by one.

A publish through `JetStreamContext` costs a future, a random inbox and a task each, an acknowledgement a flush each:
some ten times what they take to write down. So a window is written as one piece of protocol, and its answers counted.
"""

import asyncio
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionReconnectingError, Error
from nats.js.errors import APIError, NoStreamResponseError

from runtime.broker import PUBLISH_TIMEOUT, Outgoing, PublishFailed
from runtime.live import PUBLISH, LiveClient

PIECE: Final = 1 << 20  # bytes handed to the connection at once

_NO_RESPONDERS: Final = "503"
_SEQUENCE: Final = re.compile(rb'"seq": *([0-9]+)')


class WindowPublisher:
    """Publishes windows to streams, in order, as `runtime.broker.publish_window` does.

    With the connection, a window is lost at once. What of it waits to be sent is forgotten, whoever sent it: nats-py
    would send it over the next connection, where it overtakes what the lost one took along.
    """

    def __init__(self, client: LiveClient) -> None:
        self.client = client
        client.at_loss(self._lose)
        self._numbers = itertools.count()
        self._windows: dict[str, _Window] = {}
        self._inbox: str | None = None

    async def publish(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publish messages in order, wait until the stream has stored every one, and return its sequences.

        Raises:
            PublishFailed: some message was not acknowledged; those after the first such may be stored, too.
        """
        if not messages:
            return []
        if not self.client.is_connected:
            raise PublishFailed(0, ConnectionReconnectingError())
        if self._inbox is None:
            self._inbox = self.client.new_inbox()
            await self.client.listen(f"{self._inbox}.*.*", self._on_answer)
        number = str(next(self._numbers))
        window = self._windows[number] = _Window(len(messages))
        sending = asyncio.create_task(self._send(messages, number, window))
        try:
            await asyncio.wait({sending, window.complete}, timeout=PUBLISH_TIMEOUT, return_when=asyncio.FIRST_EXCEPTION)
            sequences, refusal = window.outcome()
            if len(sequences) == len(messages):
                self.client.answered(PUBLISH)
                return sequences
            if refusal is None and window.is_waiting:
                self.client.timed_out(PUBLISH, PUBLISH_TIMEOUT)
            if sending.done():
                sending.result()
            cause = refusal or window.failure()
            raise PublishFailed(len(sequences), cause) from cause
        finally:
            del self._windows[number]
            window.complete.cancel()
            sending.cancel()

    async def _send(self, messages: Sequence[Outgoing], number: str, window: "_Window") -> None:
        for piece in pieces(messages, f"{self._inbox}.{number}"):
            # It waits for the connection when much is unsent; once the window is lost, there may be another one.
            await send(self.client, piece)
            if window.complete.done():
                return

    def _lose(self) -> None:
        self.client.drop_unsent()
        for window in self._windows.values():
            window.lose()

    def _on_answer(self, answer: Msg) -> None:
        _inbox, number, index = answer.subject.rsplit(".", 2)
        if (window := self._windows.get(number)) is not None:
            window.take(int(index), answer)


class _Window:
    """The answers to one window."""

    def __init__(self, size: int) -> None:
        self._answers: list[Msg | None] = [None] * size
        self._missing = size
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, index: int, answer: Msg) -> None:
        """Take the answer to a message."""
        if self._answers[index] is None:
            self._answers[index] = answer
            self._missing -= 1
            if not self._missing and not self.complete.done():
                self.complete.set_result(None)

    def lose(self) -> None:
        """Expect no more answers."""
        if not self.complete.done():
            self.complete.set_exception(ConnectionReconnectingError())

    @property
    def is_waiting(self) -> bool:
        """Whether answers may still come."""
        return not self.complete.done()

    def failure(self) -> Exception:
        """Return why not all answers came."""
        error = self.complete.exception() if self.complete.done() else None
        return error if isinstance(error, Error) else TimeoutError()

    def outcome(self) -> tuple[list[int], Error | None]:
        """Return the sequences of the leading messages that are stored, and what was said of the next one."""
        found: list[int] = []
        for answer in self._answers:
            if answer is None:
                break
            try:
                found.append(_sequence(answer))
            except Error as error:
                return found, error
        return found, None


def _sequence(answer: Msg) -> int:
    if answer.headers and answer.headers.get("Status") == _NO_RESPONDERS:
        raise NoStreamResponseError
    if b'"error"' in answer.data:
        raise APIError.from_error(json.loads(answer.data)["error"])
    found = _SEQUENCE.search(answer.data)
    assert found is not None
    return int(found[1])


async def acknowledge(client: Client, messages: Iterable[Msg]) -> None:
    """Acknowledge messages of a consumer, as `Msg.ack` does one by one."""
    await send(client, b"".join(b"PUB %b 0\r\n\r\n" % message.reply.encode() for message in messages))


async def send(client: Client, commands: bytes) -> None:
    """Write commands of the protocol after those that were sent before."""
    await client._send_command(commands)  # noqa: SLF001 - the public way takes one message at a time
    await client._flush_pending()  # noqa: SLF001


def pieces(messages: Iterable[Outgoing], inbox: str) -> Iterator[bytes]:
    """Yield messages as commands, joined up to some size; the answer to the n-th goes to `<inbox>.<n>`."""
    commands: list[bytes] = []
    size = 0
    for number, message in enumerate(messages):
        commands.append(command(message, f"{inbox}.{number}"))
        size += len(commands[-1])
        if size > PIECE:
            yield b"".join(commands)
            commands, size = [], 0
    if commands:
        yield b"".join(commands)


def command(message: Outgoing, reply: str) -> bytes:
    """Return the HPUB command of a message (NATS client protocol).

    Raises:
        ValueError: a header is none.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in message.headers.items()])
    if lines.count("\r") + lines.count("\n") != 2 * len(message.headers):
        raise ValueError("a header with a line break")
    headers = f"NATS/1.0\r\n{lines}\r\n".encode()
    body = message.body
    line = f"HPUB {message.subject} {reply} {len(headers)} {len(headers) + len(body)}\r\n"
    return b"%b%b%b\r\n" % (line.encode(), headers, body)
