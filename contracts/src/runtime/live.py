"""nats-py, made to receive quickly and never to give up. This file holds nearly all that we know of its inside.

Receiving: nats-py gives each subscription a queue and a task, and reads headers with the care that mail needs: two
thirds of what a message costs. Both are replaced here in the two private methods that receive; what is unusual takes
the old way.

Connecting: nats-py 2.16 closes a connection for good after most errors that a server reports, ends its only reconnect
task at any exception it does not expect, and waits for a peer that is gone to take what is unsent. Each leaves a client
that is neither connected nor trying. Here every loss leads to another attempt, each attempt is bounded, and
`until_abandoned` ends the process should attempts stop all the same. A client also leaves a server of a cluster through
which JetStream does not answer (`runtime.failover`).
"""

import asyncio
import random
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, NoReturn

import structlog
from nats.aio.client import Client, Srv
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

from contracts import streams
from runtime.failover import Address, Patience, Servers

Deliver = Callable[[Msg], None]

ABANDONED: Final = 20.0  # seconds without a connection and without an attempt
REFUSED: Final = 30.0  # seconds for which servers may refuse a password that they took before
REFUSED_PAUSE: Final = 1.0  # seconds after a refusal; the next attempt would hardly fare better
LOOK: Final = 1.0  # seconds between looks at the connection

API: Final = "$JS.API."
API_REQUEST: Final = "api"
PUBLISH: Final = "publish"
QUORUM: Final = "quorum"
_STORED: Final = tuple(
    subject.split(".", 1)[0] + "." for stream in streams.STREAMS for subject in stream.subjects or ()
)
_LEADERLESS: Final = b'"err_code":10008'  # JSClusterNotAvailErr: this server knows no leader of the cluster
_REFUSAL: Final = "authorization violation"

_log = structlog.stdlib.get_logger("runtime.live")

_FIRST_LINE: Final = b"NATS/1.0\r\n"
_END: Final = b"\r\n\r\n"


class ConnectionAbandoned(Exception):
    """The client is not connected, and nothing tries to connect it: only a new process helps."""


class ServerSilent(Error):
    """The connection is given up because JetStream does not answer through this server."""


class LiveClient(Client):
    """A client with one more way to subscribe, and with something to do when its connection is lost."""

    def __init__(self) -> None:
        super().__init__()
        self._servers = Servers(monotonic)
        self._patience = Patience(monotonic)
        self._address: Address = ("", 0)
        self._tried_at = monotonic()
        self._refused_since: float | None = None
        self._was_connected = False
        self._leaving: asyncio.Task[None] | None = None
        self._listeners: dict[int, Deliver] = {}
        self._unused: asyncio.Queue[Msg] = asyncio.Queue()
        self._at_loss: list[Callable[[], None]] = []

    def at_loss(self, act: Callable[[], None]) -> None:
        """Have something done each time the connection is lost, before the next one is tried."""
        self._at_loss.append(act)

    def lost(self) -> None:
        """Say that it is; `runtime.broker.connect` sees to that."""
        for act in self._at_loss:
            act()

    def answered(self, kind: str) -> None:
        """Take note that JetStream has answered."""
        self._patience.answered(kind)

    def timed_out(self, kind: str, seconds: float) -> None:
        """Take note that JetStream has not answered for so long, and leave this server when it was too long."""
        if self._patience.timed_out(kind, seconds) and self._servers.may_leave():
            self.leave(f"no answer to {kind}")

    def leave(self, reason: str) -> None:
        """Reconnect, to another server if possible. Nothing happens where there is no other, or without a connection.

        Args:
            reason: for the log.
        """
        if not self.is_connected or not self._server_info.get("cluster"):
            return
        _log.warning("leaving nats server", server=self._server_info.get("server_name"), reason=reason)
        self._servers.leave(self._server_info["server_id"], self._address)
        self._leaving = asyncio.create_task(self._process_op_err(ServerSilent(reason)))

    @property
    def was_connected(self) -> bool:
        """Whether it ever was."""
        return self._was_connected

    @property
    def is_refused(self) -> bool:
        """Whether the last server that was tried refused the password."""
        return self._refused_since is not None

    def returned(self) -> None:
        """Say that the connection is back; `runtime.broker.connect` sees to that."""
        self._patience.begin_anew()
        if self._servers.must_leave_again(self._server_info["server_id"]):
            self.leave("it was left before")

    async def until_abandoned(self) -> NoReturn:
        """Watch the connection.

        Raises:
            ConnectionAbandoned: it is closed, nothing has tried to restore it for `ABANDONED` seconds, or for `REFUSED`
                seconds every server has refused the password that was good before: a new process reads a new one.
        """
        while True:
            await asyncio.sleep(LOOK)
            if self.is_closed:
                raise ConnectionAbandoned("closed")
            if self.is_connected:
                self._tried_at = monotonic()
            elif monotonic() - self._tried_at > ABANDONED:
                raise ConnectionAbandoned("no attempt to connect")
            elif self._was_connected and self._refused_since and monotonic() - self._refused_since > REFUSED:
                raise ConnectionAbandoned("the password is refused")

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,  # noqa: ASYNC109 - nats-py's signature
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        kind = API_REQUEST if subject.startswith(API) else PUBLISH if subject.startswith(_STORED) else None
        try:
            answer = await super().request(subject, payload, timeout, old_style, headers)
        except TimeoutError:
            if kind is not None:
                self.timed_out(kind, timeout)
            raise
        if kind is not None:
            if _LEADERLESS in answer.data:
                self.timed_out(kind, 0.0)
            else:
                self.answered(kind)
        return answer

    async def _connect_to_server(self, s: Srv) -> None:
        # The name is looked up here, so that the look-up is bounded, each of its addresses gets a turn, and none of
        # asyncio's own futures is left with an exception that nobody takes.
        self._tried_at = s.last_attempt = monotonic()
        async with asyncio.timeout(self.options["connect_timeout"]):
            found = await asyncio.get_running_loop().getaddrinfo(s.uri.hostname, s.uri.port, type=socket.SOCK_STREAM)
        addresses: list[Address] = [(str(address[0]), int(address[1])) for *_, address in found]
        random.shuffle(addresses)
        self._address = host, port = self._servers.choose(addresses)
        await super()._connect_to_server(
            Srv(s.uri._replace(netloc=f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        )

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except BaseException as error:
            self.abort()  # nobody else closes what did not become a connection
            if isinstance(error, Error) and _REFUSAL in str(error).lower():
                self._refused_since = self._refused_since or monotonic()
                await asyncio.sleep(REFUSED_PAUSE)
            raise
        self._refused_since = None
        self._was_connected = True

    async def _attempt_reconnect(self) -> None:
        while True:
            self.abort()
            try:
                await super()._attempt_reconnect()
            except Exception as error:  # noqa: BLE001 - whatever it is, without another attempt nothing follows
                await self._error_cb(error)
                await asyncio.sleep(self.options["reconnect_time_wait"])
            else:
                return

    async def _process_err(self, err_msg: str) -> None:
        if "permissions violation" in err_msg.lower():
            await super()._process_err(err_msg)
        else:
            await self._process_op_err(Error(f"nats: {err_msg.strip(chr(39))}"))

    def abort(self) -> None:
        """Drop the connection as it is: a polite end would wait until the peer has taken what is unsent."""
        if (writer := getattr(self._transport, "_io_writer", None)) is not None:
            writer.transport.abort()

    def drop_unsent(self) -> None:
        """Forget what waits to be sent."""
        self._pending.clear()
        self._pending_data_size = 0

    async def listen(self, subject: str, deliver: Deliver) -> Subscription:
        """Subscribe; each message is given to a function, which must be quick and never waits.

        Nothing is ever pending: the socket's own buffers hold what has not been read.
        """
        subscription = await self.subscribe(subject)
        subscription._pending_queue = self._unused  # noqa: SLF001 - several KB for each channel otherwise
        subscription._message_iterator = None  # noqa: SLF001 - it knows the subscription: only a full collection frees both
        self._listeners[subscription._id] = deliver  # noqa: SLF001
        return subscription

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        # The server takes any bytes for a subject; an exception here would end nats-py's reading without a word.
        readable = subject if subject.isascii() else subject.decode(errors="replace").encode()
        message: Msg = super()._build_message(sid, readable, reply, data, headers)
        return message

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (LookupError, ValueError):  # any bytes, likewise
            return self._parse_header_lines(headers)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._listeners.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        deliver = self._listeners.get(sid)
        if deliver is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        found = parse(headers) if headers else None
        if headers and found is None:
            found = await self._process_headers(headers)
        try:
            deliver(self._build_message(sid, subject, reply, data, found))
        except Exception as error:  # noqa: BLE001 - as nats-py does: one bad message must not end the connection
            await self._error_cb(error)


def read_headers_plainly(client: Client) -> None:
    """Make a client that somebody else made read plain headers as ours does; others it reads as before."""
    carefully = client._process_headers  # noqa: SLF001

    async def process(headers: bytes) -> dict[str, str] | None:
        return (parse(headers) if headers else None) or await carefully(headers)

    client._process_headers = process  # type: ignore[method-assign]  # noqa: SLF001


def parse(headers: bytes) -> dict[str, str] | None:
    """Return plain headers, as the server itself writes them; None for any that need a closer look."""
    if not (headers.startswith(_FIRST_LINE) and headers.endswith(_END) and headers.isascii()):
        return None
    found = {}
    for line in headers[len(_FIRST_LINE) : -len(_END)].decode().split("\r\n"):
        name, colon, value = line.partition(": ")
        if not colon or ":" in name or " " in name or not name.isprintable() or value != value.strip():
            return None
        found[name] = value
    return found
