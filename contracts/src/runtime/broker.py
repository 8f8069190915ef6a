"""The connection to NATS, and publishing to JetStream in order."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import unquote, urlsplit

import structlog
from nats.aio.client import Client
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import ClusterInfo, PubAck
from prometheus_client import Counter

from runtime.failover import SILENCE
from runtime.live import QUORUM, LiveClient
from runtime.tasks import together

PUBLISH_TIMEOUT: Final = 5.0  # seconds; a publish without an answer by then may or may not be stored
CLOSE_TIMEOUT: Final = 3.0  # seconds to send what is unsent
LIFE_PERIOD: Final = 2.0  # seconds between two questions whether JetStream lives
LIFE_TIMEOUT: Final = 2.0  # seconds for the answer
NANOSECONDS: Final = 1e9  # in a second
_log = structlog.stdlib.get_logger("runtime.broker")
_disconnects = Counter("nats_disconnects_total", "Times that a connection of this process to NATS was lost")


def connection_options(url: str, name: str) -> dict[str, Any]:
    """Return the options of `nats.connect` with which every process connects.

    The client never gives up reconnecting: once closed, nothing would revive it. User and password are options of the
    connection, not of an address, so that they also hold for a server that another one has told of. Each NATS user may
    subscribe only below its own inbox prefix, `_INBOX_<user>`.

    Args:
        url: `nats://user:password@host:port`, or several with commas between, of one user. User and password are
            percent-encoded where they hold reserved characters (RFC 3986, section 3.2.1).
        name: what the server's monitoring shows for this connection.

    Raises:
        ValueError: the addresses are of different users, or malformed.
    """
    parts = [urlsplit(address.strip()) for address in url.split(",")]
    if len({(part.username, part.password) for part in parts}) > 1:
        raise ValueError("the addresses of one connection to NATS must have one user and one password")
    user, password = parts[0].username, parts[0].password
    return {
        "servers": [part._replace(netloc=part.netloc.rpartition("@")[-1]).geturl() for part in parts],
        "user": user and unquote(user),
        "password": password and unquote(password),
        "name": name,
        "inbox_prefix": f"_INBOX_{user}" if user else "_INBOX",
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "connect_timeout": 2,
        "ping_interval": 10,
        "max_outstanding_pings": 2,
    }


async def connect(
    url: str, name: str, *, on_return: Callable[[], None] = lambda: None, wait_if_refused: bool = True
) -> LiveClient:
    """Connect, waiting for the server as long as it takes; losses and returns are logged.

    Args:
        url: see `connection_options`.
        name: see `connection_options`.
        on_return: called each time the connection is back and all subscriptions are asked for again.
        wait_if_refused: whether to wait as well while the server refuses the password.

    Raises:
        nats.errors.Error: the address is malformed, or the password is refused and that is not to be waited for.
    """

    async def on_error(error: Exception) -> None:
        _log.warning("nats error", error=str(error) or type(error).__name__)
        if client.is_refused and not client.was_connected and not wait_if_refused:
            raise error

    async def on_disconnect() -> None:
        _disconnects.inc()
        _log.warning("nats disconnected")
        client.lost()

    async def on_reconnect() -> None:
        _log.info("nats reconnected")
        on_return()
        client.returned()

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
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await client.close()
    except TimeoutError:  # it waits for a peer that takes nothing
        if isinstance(client, LiveClient):
            client.abort()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


async def tend(client: LiveClient, stream: str) -> NoReturn:
    """Look after a connection: ask JetStream for a sign of life every few seconds, and leave a server that has none.

    Args:
        client: connected by `connect`.
        stream: about which its user may ask (`$JS.API.STREAM.INFO.<stream>`).

    Raises:
        runtime.live.ConnectionAbandoned: see `LiveClient.until_abandoned`; the process should end and be started again.
    """
    await together(_ask_for_life(client, stream), client.until_abandoned())
    raise AssertionError("neither ends by itself")


async def _ask_for_life(client: LiveClient, stream: str) -> None:
    js = client.jetstream(timeout=LIFE_TIMEOUT)
    while True:
        await asyncio.sleep(LIFE_PERIOD)
        if client.is_connected:
            with contextlib.suppress(Error, OSError, TimeoutError):  # the client counts what is not answered
                info = await js.stream_info(stream)
                if (silent := without_quorum(info.cluster)) is None:
                    client.answered(QUORUM)
                else:
                    client.timed_out(QUORUM, silent)


def without_quorum(cluster: ClusterInfo | None) -> float | None:
    """Return for how many seconds a stream surely has had no majority of its servers; None when it has one.

    A leader that is cut off calls itself the leader for some 20 s more, and any server then answers for itself alone.

    Args:
        cluster: what a server says of a stream; None: it is not in a cluster.
    """
    if cluster is None or not cluster.replicas:
        return None
    if not cluster.leader:
        return 0.0  # perhaps one is being elected
    seen = sorted((replica.active or 0) / NANOSECONDS for replica in cluster.replicas)
    needed = (len(seen) + 1) // 2  # others, beside the leader
    return seen[needed - 1] if seen[needed - 1] >= SILENCE else None


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
