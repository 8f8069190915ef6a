"""The pump: bytes of one WebSocket in, the session's effects out. It decides nothing that a session could.

uvicorn makes one of these for each upgrade (its `ws` extension point) and calls it as an asyncio protocol.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final, Protocol, cast

import structlog
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol as WebSocketProtocol
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from gateway import deflate, metrics, wire
from gateway.connections import Connections
from gateway.hub import Hub
from gateway.outlet import Outlet
from gateway.presence import Admission
from gateway.pusher import channels, frames
from gateway.pusher.addresses import Addresses
from gateway.pusher.app import App, Apps
from gateway.pusher.budget import FLOODS, Budget, Pace, Use
from gateway.pusher.codes import (
    ADDRESS_LIMIT,
    APP_DISABLED,
    RESTARTING,
    SLOW_CONSUMER,
    TERMINATED,
    TERMINATED_FOR_NOW,
    UNKNOWN_APP,
    Refusal,
)
from gateway.pusher.effects import (
    Belong,
    Close,
    Complain,
    Effect,
    Join,
    Leave,
    Probe,
    Problem,
    Relay,
    Send,
    Tell,
    Watch,
)
from gateway.pusher.handshake import Door, Visit, subprotocol
from gateway.pusher.liveness import Liveness, Patience
from gateway.pusher.members import Member
from gateway.pusher.session import Session
from gateway.wards import Moment
from gateway.watchlists import Watchlists
from runtime.server.addresses import client_network
from runtime.server.proxies import TrustedProxies

_log = structlog.stdlib.get_logger("gateway.websocket")
_library_log = logging.getLogger("websockets.server")
_library_log.setLevel(logging.WARNING)  # a line for each connection opened and closed would be too many

PING_PAYLOAD: Final = b""
WATCH: Final = 0.1  # seconds between looks at the buffer of a client that does not keep up
GULP: Final = 4096  # bytes looked at before the limits are: a flood of tiny frames must not keep everybody waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may use."""

    message_bytes: int = 64 * 1024
    """Of an inbound message."""
    buffer_bytes: int = 1024 * 1024
    """Not yet taken by the client; above it the client counts as too slow."""
    channels: int = 1000
    pace: Pace = field(default_factory=Pace)
    compression: bool = False
    """Whether clients may agree to compressed messages."""
    close_seconds: float = 5.0
    """From our close frame until the transport is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What all connections share."""

    door: Door
    addresses: Addresses
    proxies: TrustedProxies
    hub: Hub
    watchlists: Watchlists
    connections: Connections
    relay: Callable[[Relay], None]
    """Carries a client's event to the other listeners, on whatever gateway they are; keeps the order of calls."""
    now: Callable[[], float]
    """Seconds since 1970, by a clock that NATS agrees with."""
    moment: Callable[[float], Moment]
    """Such a time → when that is by the stream."""
    new_socket_id: Callable[[], str]
    """Two decimal numbers with a dot between, unguessable and never used before."""
    limits: Limits
    patience: Patience


class ServerState(Protocol):
    """What uvicorn shares with its protocols; while `connections` is not empty, it waits before exiting."""

    connections: set[Any]


class Connection(asyncio.Protocol):
    """One WebSocket, from the upgrade request to the lost transport."""

    __slots__ = (
        "_address", "_begun", "_budget", "_ending", "_gateway", "_heard", "_liveness", "_loop", "_noted", "_outlet",
        "_server_state", "_session", "_since", "_transport", "_watch", "_ws", "slot",
    )  # fmt: skip
    takes_binary: ClassVar = False
    """Whether binary messages are let through: never here, but in the conformance suite's echo (bench/autobahn.py)."""
    _transport: asyncio.Transport
    _outlet: Outlet
    _since: Moment

    def __init__(self, gateway: Gateway, server_state: ServerState) -> None:
        self._gateway = gateway
        self._server_state = server_state
        self._loop = asyncio.get_running_loop()
        self._ws = ServerProtocol(
            max_size=gateway.limits.message_bytes,
            select_subprotocol=_select_subprotocol,
            extensions=deflate.extensions() if gateway.limits.compression else None,
            logger=_library_log,
        )
        self._session: Session | None = None
        self._address = ""
        self._budget = Budget(gateway.limits.pace)
        self._liveness = Liveness(gateway.patience)
        self._heard = self._loop.time()
        self._begun: tuple[Opcode, bytearray] | None = None
        self._noted: frozenset[Problem] = frozenset()
        self._ending = False
        self._watch: asyncio.Handle | None = None
        self.slot = 0

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own classes do not derive from it
        self._outlet = Outlet(self._transport)
        self._transport.set_write_buffer_limits(high=self._gateway.limits.buffer_bytes)
        self._server_state.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._budget.read(len(data), self._heard)
        for start in range(0, len(data), GULP):
            self._take(data[start : start + GULP])

    def _take(self, data: bytes) -> None:
        was_open = self._ws.state is State.OPEN
        self._ws.receive_data(data)
        if self._ws.state is not State.OPEN:
            self._leave_all()
            failure = self._ws.close_sent
            if was_open and failure is not None and self._ws.close_rcvd is None:
                self._count_failure(failure.code, failure.reason)
        self._write_pending()
        for event in self._ws.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame):
                self._budget.message(self._heard)
                self._on_frame(event)
        if self._ws.state is not State.OPEN:
            self._cut_later()
        elif self._budget.exceeded is not None:
            self._stop_flood(self._budget.exceeded)

    def eof_received(self) -> bool:
        return False  # the transport closes itself

    def pause_writing(self) -> None:
        # Perhaps in the middle of a broadcast, and before the loop has tried to send what was written in this turn.
        self._watch = self._loop.call_soon(self._check_buffer)

    def resume_writing(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # how a connection broke does not matter
        self.resume_writing()
        self._leave_all()
        self._outlet.forget()
        self._gateway.connections.wheel.cancel(self)
        self._server_state.connections.discard(self)
        if self._session is None:
            self._gateway.connections.parted(self)
        else:
            self._gateway.connections.remove(self._session.app.id, self._session.socket_id)
            self._gateway.addresses.leave(self._address)

    # What the gateway asks for.

    def shutdown(self) -> None:
        """End the connection: uvicorn is about to exit."""
        self.refuse(RESTARTING)

    def refuse(self, refusal: Refusal) -> None:
        """Send the error frame and the close frame, then wait a little for the client's answer."""
        if self._ws.state is not State.OPEN:
            return
        self._leave_all()
        self._send(frames.error(refusal.code, refusal.reason))
        self._ws.send_close(refusal.code, refusal.reason)
        self._write_pending()
        self._cut_later()
        metrics.REFUSALS.labels(refusal.code).inc()

    def send_away(self, *, returns: bool) -> None:
        assert self._session is not None  # only established connections have a user
        self.refuse(TERMINATED_FOR_NOW if returns or self._session.app.returns_terminated else TERMINATED)

    def cut(self) -> None:
        """End the connection without waiting for anything."""
        metrics.LIMITS.labels("parting").inc()
        self._gateway.connections.parted(self)
        self._transport.abort()

    def reconsider(self, apps: Apps) -> None:
        """Go on under the rules that the app has now, or end with it."""
        assert self._session is not None  # only established connections are asked
        app = apps.by_id(self._session.app.id)
        if app is None:
            self.refuse(UNKNOWN_APP)
        elif not app.enabled:
            self.refuse(APP_DISABLED)
        else:
            self._session.obey(app)

    def on_deadline(self, now: float) -> None:
        if self._ws.state is not State.OPEN:
            self._transport.abort()
            return
        assert self._session is not None  # whoever was refused is no longer open
        checks = (self._liveness.check(self._heard, now), self._session.check(now))
        self._gateway.connections.wheel.schedule(self, min(again for _, again in checks))
        for effect, _ in checks:
            if effect is not None:
                self._apply(effect)

    # From bytes to effects.

    def _open(self, request: Request) -> None:
        """Accept the upgrade whatever it asks for: a refusal before it would make clients wait 15 seconds."""
        response = self._ws.accept(request)
        self._ws.send_response(response)
        if self._ws.state is not State.OPEN:  # not a WebSocket handshake at all
            self._write_pending()
            return
        # The parser of the handshake would keep the request, its headers and all, as long as the connection lasts.
        # Nothing follows the head of the request: uvicorn hands over no more than that.
        self._ws.parser = WebSocketProtocol.parse(self._ws)
        next(self._ws.parser)
        self._admit(request, b"".join(self._ws.data_to_send()))

    def _admit(self, request: Request, accepted: bytes) -> None:
        """Establish the connection, or refuse it; `accepted` is the answer to the upgrade, and goes before all else."""
        self._outlet.deflates = deflate.agreed(self._ws)
        visit = self._visit(request)
        admitted = self._gateway.door.admit(visit, self._heard)
        if isinstance(admitted, Refusal):
            if admitted is ADDRESS_LIMIT:  # a line for each would be what a flood costs us most
                metrics.LIMITS.labels("address").inc()
            else:
                _log.info("refused", code=admitted.code, reason=admitted.reason)
            self._outlet.write(accepted)
            self._gateway.connections.part(self)
            self.refuse(admitted)
        else:
            self._establish(admitted, visit.address, accepted)

    def _visit(self, request: Request) -> Visit:
        """Return who comes; of an unknown peer, such as a UNIX socket, the address is empty."""
        peer = str((self._transport.get_extra_info("peername") or [""])[0])
        headers, proxies = request.headers, self._gateway.proxies
        encrypted = self._transport.get_extra_info("sslcontext") is not None
        return Visit(
            request.path,
            address=client_network(proxies.client(peer, headers.get_all("X-Forwarded-For"))),
            secure=proxies.secure(peer, headers.get_all("X-Forwarded-Proto"), encrypted=encrypted),
            origin=next(iter(headers.get_all("Origin")), None),
        )

    def _establish(self, app: App, address: str, accepted: bytes) -> None:
        gateway = self._gateway
        self._since = gateway.moment(gateway.now())
        self._address = address
        gateway.addresses.enter(address)
        self._session = Session(
            app,
            gateway.new_socket_id(),
            max_channels=gateway.limits.channels,
            listeners=gateway.hub.listeners,
            occupied=gateway.hub.channels,
            clock=gateway.now,
        )
        gateway.connections.add(self, app.id, self._session.socket_id)
        # In one write: a third of what a new connection costs is system calls.
        self._outlet.write(accepted + wire.text(self._session.welcome(self._heard)))
        self.on_deadline(self._heard)

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode in _CONTROL or self._ws.state is not State.OPEN:
            return
        if frame.opcode is Opcode.BINARY and not self.takes_binary:
            self._fail(CloseCode.UNSUPPORTED_DATA, "Binary frames are not part of the protocol")
            return
        if self._begun is None and frame.fin:
            self._on_message(frame.opcode, bytes(frame.data))
            return
        if self._begun is None:
            self._begun = frame.opcode, bytearray()
        opcode, message = self._begun
        message += frame.data  # and not a list of frames: endless fragments without a byte would fill the memory
        if frame.fin:
            self._begun = None
            self._on_message(opcode, bytes(message))

    def _on_message(self, opcode: Opcode, message: bytes) -> None:
        del opcode  # only text gets here
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "Invalid UTF-8")
            return
        self._receive(text)

    def _receive(self, text: str) -> None:
        assert self._session is not None  # frames come after the request, and a refusal left no open state
        for effect in self._session.receive(text, self._heard):
            self._apply(effect)

    def _apply(self, effect: Effect) -> None:
        match effect:
            case Send(frame):
                self._send(frame)
            case Join(channel, welcome, member, resume):
                session = self._session
                assert session is not None
                admission = None if member is None else self._admission(session, channel.name, member)
                self._gateway.hub.join(
                    session.app.id,
                    channel.name,
                    session.socket_id,
                    self._outlet,
                    wire.text(welcome),
                    admission,
                    resume,
                )
            case Tell(channel, frame):
                session = self._session
                assert session is not None
                self._gateway.hub.tell(session.app.id, channel, session.socket_id, wire.text(frame))
            case Watch() | Belong():
                self._be_of(effect)
            case Leave(channel):
                session = self._session
                assert session is not None
                self._gateway.hub.leave(session.app.id, channel, session.socket_id)
            case Relay():
                self._gateway.relay(effect)
            case Probe():
                self._ws.send_ping(PING_PAYLOAD)
                self._write_pending()
            case Close(refusal):
                self.refuse(refusal)
            case Complain(problem, channel):
                self._note(problem, channel)

    # Small steps.

    def _be_of(self, user: Watch | Belong) -> None:
        session, gateway = self._session, self._gateway
        assert session is not None
        if isinstance(user, Watch):
            gateway.watchlists.enter(session.app.id, user.user_id, session.socket_id, user.others)
        else:
            channel, admit = channels.of_user(user.user_id), partial(self._clear, user.user_id)
            gateway.hub.guard(session.app.id, channel, session.socket_id, self._since, admit)

    def _clear(self, user_id: str) -> None:
        """Go on with what waited for a user's orders."""
        assert self._session is not None
        for effect in self._session.clear(user_id):
            self._apply(effect)

    def _admission(self, session: Session, channel: str, member: Member) -> Admission:
        def refuse() -> None:
            for effect in session.turn_away(channel):
                self._apply(effect)

        return Admission(member, session.app.max_presence_members, refuse)

    def _send(self, frame: bytes) -> None:
        self._outlet.write(wire.text(frame))

    def _write_pending(self) -> None:
        """Write what the WebSocket layer itself has to say."""
        for data in self._ws.data_to_send():
            if data:
                self._outlet.write(data)
            elif self._ws.close_rcvd is None and self._transport.can_write_eof():
                # Closing a socket with unread input makes the kernel discard our close frame: half-close, then read on.
                self._transport.write_eof()
            else:
                self._transport.close()

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._leave_all()
        self._ws.fail(code, reason)
        self._write_pending()
        self._count_failure(int(code), reason)

    def _stop_flood(self, use: Use) -> None:
        """Close with the error frame, and hear nothing more: what is still on its way is thrown away unread."""
        refusal = FLOODS[use]
        self._leave_all()
        self._send(frames.error(refusal.code, refusal.reason))
        self._ws.fail(refusal.code, refusal.reason)
        self._write_pending()
        self._cut_later()
        metrics.LIMITS.labels(use.value).inc()
        self._count_failure(refusal.code, refusal.reason)

    def _count_failure(self, code: int, reason: str) -> None:
        """Log and count a violation of the WebSocket protocol or a limit; the reason holds nothing of the payload."""
        metrics.REFUSALS.labels(code).inc()
        _log.info("protocol violated", code=code, reason=reason, socket_id=self._session and self._session.socket_id)

    def _cut_later(self) -> None:
        """Give the client a moment to take what we sent and to close; input does not prolong it."""
        if not self._ending:
            self._ending = True
            self._gateway.connections.wheel.schedule(self, self._loop.time() + self._gateway.limits.close_seconds)

    def _check_buffer(self) -> None:
        if self._ws.state is not State.OPEN:
            return
        if self._transport.get_write_buffer_size() <= self._gateway.limits.buffer_bytes:
            self._watch = self._loop.call_later(WATCH, self._check_buffer)  # it is told only once that it is too much
        else:
            metrics.SLOW_CONSUMERS.inc()
            _log.warning("slow consumer closed", socket_id=self._session and self._session.socket_id)
            self.refuse(SLOW_CONSUMER)

    def _leave_all(self) -> None:
        session = self._session
        if session is None:
            return
        self._gateway.watchlists.leave(session.socket_id)
        for channel in session.leave_all():
            self._gateway.hub.leave(session.app.id, channel, session.socket_id)
        for user_id in session.owners:
            self._gateway.hub.release(session.app.id, channels.of_user(user_id), session.socket_id)
        session.owners = ()

    def _note(self, problem: Problem, channel: str | None) -> None:
        """Count a client's mistake, and log the first of its kind on this connection."""
        metrics.PROBLEMS.labels(problem.value).inc()
        if problem is not Problem.TOO_FAST:
            self._budget.mistake(self._heard)
        if problem not in self._noted:
            self._noted |= {problem}
            assert self._session is not None
            _log.info(
                "client problem",
                problem=problem.value,
                channel=channel,
                app=self._session.app.id,
                socket_id=self._session.socket_id,
            )


_CONTROL: Final = frozenset({Opcode.PING, Opcode.PONG, Opcode.CLOSE})


def _select_subprotocol(_ws: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    selected = subprotocol(offered)
    return None if selected is None else Subprotocol(selected)


def factory(gateway: Gateway) -> Callable[..., Connection]:
    """Return what uvicorn calls for each upgrade, with keywords of its own."""

    def connection(*, server_state: ServerState, **_uvicorn: object) -> Connection:
        return Connection(gateway, server_state)

    return connection
