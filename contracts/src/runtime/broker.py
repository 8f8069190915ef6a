"""The connection to NATS, and publishing to JetStream in order."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from nats.aio.client import Client
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import PubAck
from prometheus_client import Counter

from runtime.live import LiveClient

PUBLISH_TIMEOUT: Final = 5.0  # seconds; a publish without an answer by then may or may not be stored
_log = structlog.stdlib.get_logger("runtime.broker")
_disconnects = Counter("nats_disconnects_total", "Times that a connection of this process to NATS was lost")


def connection_options(url: str, name: str) -> dict[str, Any]:
    """Return the options with which every process connects, for `nats.connect` and FastStream's `NatsBroker` alike.

    The client never gives up reconnecting: once closed, nothing would revive it. Each NATS user may subscribe only
    below its own inbox prefix, `_INBOX_<user>`.

    Args:
        url: `nats://user:password@host:port`, or several with commas between.
        name: what the server's monitoring shows for this connection.
    """
    user = urlsplit(url.split(",", maxsplit=1)[0]).username
    return {
        "servers": url.split(","),
        "name": name,
        "inbox_prefix": f"_INBOX_{user}" if user else "_INBOX",
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "connect_timeout": 2,
        "ping_interval": 10,
        "max_outstanding_pings": 2,
    }


async def connect(url: str, name: str, *, on_return: Callable[[], None] = lambda: None) -> LiveClient:
    """Connect, waiting for the server as long as it takes; losses and returns are logged.

    Args:
        url: see `connection_options`.
        name: see `connection_options`.
        on_return: called each time the connection is back and all subscriptions are asked for again.

    Raises:
        nats.errors.Error: the address is malformed.
    """

    async def on_error(error: Exception) -> None:
        _log.warning("nats error", error=str(error) or type(error).__name__)

    async def on_disconnect() -> None:
        _disconnects.inc()
        _log.warning("nats disconnected")
        client.lost()

    async def on_reconnect() -> None:
        _log.info("nats reconnected")
        on_return()

    client = LiveClient()
    options = connection_options(url, name)
    options["inbox_prefix"] = options["inbox_prefix"].encode()
    await client.connect(**options, error_cb=on_error, disconnected_cb=on_disconnect, reconnected_cb=on_reconnect)
    return client


async def close(client: Client) -> None:
    """Close a connection, also in the middle of a reconnect, where nats-py 2.16 raises a cancellation of its own."""
    if not client.is_connected:
        # What waits to be sent it would write to the transport that is gone, which uvloop does not allow.
        client._pending.clear()  # noqa: SLF001
        client._pending_data_size = 0  # noqa: SLF001
    try:
        await client.close()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


async def barrier(client: Client, *, timeout: float = PUBLISH_TIMEOUT) -> None:  # noqa: ASYNC109 - passed on
    """Return when the server has taken all that was sent before: subscriptions hold, refusals are reported.

    The client's own `flush` is none: its PING overtakes commands that wait to be written (nats-py 2.16). With the
    first answer they are written, so that a second PING comes after them.

    Args:
        client: a connected client.
        timeout: seconds for each answer.

    Raises:
        nats.errors.Error, OSError: no answer, or the connection is lost.
    """
    for _ in range(2):
        await client.flush(timeout)  # type: ignore[arg-type]  # declared int, given to asyncio.wait_for


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for a stream."""

    subject: str
    body: bytes
    headers: Mapping[str, str]


class PublishFailed(Exception):
    """The stream did not acknowledge a whole window.

    `acknowledged` leading messages are stored; whether a later one is, nobody knows: publish again from there on.
    """

    def __init__(self, acknowledged: int, cause: BaseException) -> None:
        super().__init__(f"{acknowledged} acknowledged, then {type(cause).__name__}: {cause}")
        self.acknowledged = acknowledged


async def publish_window(js: JetStreamContext, window: Sequence[Outgoing]) -> list[PubAck]:
    """Publish messages in order, wait until the stream has stored every one, and return its acknowledgements.

    A window is a barrier: the next begins only after all acknowledgements of this one. (Sliding windows inverted the
    order over broker restarts.)

    Raises:
        PublishFailed: some message was not acknowledged.
    """
    publishes = (
        js.publish(message.subject, message.body, timeout=PUBLISH_TIMEOUT, headers=dict(message.headers))
        for message in window
    )
    outcomes = await asyncio.gather(*publishes, return_exceptions=True)
    acknowledgements: list[PubAck] = []
    for outcome in outcomes:
        if isinstance(outcome, (Error, OSError, TimeoutError)):
            raise PublishFailed(len(acknowledgements), outcome) from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        acknowledgements.append(outcome)
    return acknowledgements
