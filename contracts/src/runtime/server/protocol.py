"""uvicorn's HTTP/1.1 protocol, bounded: by itself it waits for ever, for heads and trailers of any length."""

import asyncio
import json
import logging
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from runtime.problems import MEDIA_TYPE, Problem, body_of, respond
from runtime.server.limits import HttpLimiter

TLS_RECORD: Final = b"\x16"  # how a TLS handshake begins; pusher-js tries one on the plain port
_logger = logging.getLogger("runtime.server.protocol")
_logger.setLevel(logging.ERROR)  # uvicorn's warning for each malformed request would fill the log


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not read any further."""

    status: int
    code: str
    detail: str
    limit: str
    """What `http_limits_total` calls it."""


MALFORMED: Final = Refusal(400, "malformed_request", "This is not an HTTP/1.1 request.", "malformed")
HEAD_TOO_LARGE: Final = Refusal(431, "head_too_large", "The request line and headers are too long.", "head_bytes")
TOO_MANY_HEADERS: Final = Refusal(431, "too_many_headers", "The request has too many headers.", "headers")
URI_TOO_LONG: Final = Refusal(414, "uri_too_long", "The request line is too long.", "request_line_bytes")
TRAILERS_TOO_LARGE: Final = Refusal(400, "malformed_request", "The framing of the body is too long.", "trailers")
TOO_MANY_PIPELINED: Final = Refusal(
    400, "too_many_pipelined", "Wait for answers before you send more requests.", "pipelined"
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection.

    The application sees the client's own address and scheme (`scope["client"]`, `scope["scheme"]`) as trusted proxies
    tell them, and nothing that anybody else writes into `X-Forwarded-For` or `X-Forwarded-Proto`.
    """

    def __init__(self, *, limiter: HttpLimiter, **options: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(**options)
        self.slot = 0
        self.logger = _logger
        self._limiter = limiter
        self._limits = limiter.limits
        self._since = 0.0
        """When what the deadline is for began."""
        self._is_new = True
        self._in_head = True
        self._head = 0
        """Bytes received of a request whose head is not complete."""
        self._body = 0
        """Bytes received of the body."""
        self._framing = 0
        """Bytes received since the last one of the body: chunk extensions, trailers."""
        self._stalled_since: float | None = None
        self._active: RequestResponseCycle | None = None
        self._refusal: Refusal | None = None
        self._discarding = False
        self._upgraded = False
        self._peer_network: str | None = None
        self._claims: deque[str | None] = deque()

    # What the transport tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        peer = self._peer
        if not self._limiter.proxies.trust(peer):
            self._peer_network = self._limiter.claim(peer)
            if self._peer_network is None:
                self.cut("connections_per_client")
                return
        if not self._limiter.enter(self):
            self.cut("connections")
            return
        self._begin_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        if self._in_head and not self._head:
            if self._is_new and data.startswith(TLS_RECORD):
                self.transport.close()
                return
            if not self._is_busy and not self._is_new:
                self._since = self.loop.time()  # even an empty line counts as the beginning of a request
        while data and not (self._upgraded or self._discarding or self.transport.is_closing()):
            room = self._limits.head_bytes - self._head if self._in_head else len(data)
            if room <= 0:
                self._refuse(HEAD_TOO_LARGE)
                return
            piece, data = data[:room], data[room:]
            self._head += len(piece)
            self._framing += len(piece)
            super().data_received(piece)
            if self._framing > self._limits.head_bytes and not (self._in_head or self._discarding or self._upgraded):
                self._refuse(TRAILERS_TOO_LARGE)
                return
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = self.loop.time()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None
        self._watch()

    # What the parser tells.

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.request_line_bytes:
            self._stop_parsing(URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: it may be discarded (RFC 9110 §6.5.1), and must not change headers that were looked at
        if len(self.headers) >= self._limits.headers:
            self._stop_parsing(TOO_MANY_HEADERS)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined:
            self._stop_parsing(TOO_MANY_PIPELINED)
        self._in_head = self._is_new = False
        self._body = self._framing = 0
        if self.parser.should_upgrade() and self._should_upgrade():
            super().on_headers_complete()
            return
        address = self._identify_client()
        claim = self._limiter.claim(address) if self._peer_network is None else None
        is_refused = claim is None and self._peer_network is None
        self._claims.append(claim)
        app = self.app
        self.app = too_many_requests if is_refused else app
        try:
            super().on_headers_complete()
        finally:
            self.app = app
        if self._limiter.draining or self.parser.should_upgrade():
            self.cycle.keep_alive = False
        if self.cycle.keep_alive:
            timeout = b"timeout=%d" % self._limits.keep_alive_seconds
            self.cycle.default_headers = [*self.cycle.default_headers, (b"keep-alive", timeout)]
        if not self._is_busy or self.cycle is self._active:
            self._since = self.loop.time()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        self._framing = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head = True, 0
        if not self._is_busy:
            self._begin_waiting()

    # What uvicorn tells.

    def on_response_complete(self) -> None:
        self._release(self._claims.popleft() if self._claims else None)
        super().on_response_complete()
        self._unset_keepalive_if_required()  # the wheel has that deadline, too
        if not self._is_busy:
            self._begin_waiting()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        self._active = cycle
        self._limiter.works(self)

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except BaseException:
                self.loop.call_soon(self._watch)  # uvicorn may close the connection now
                raise

        super()._start_asgi_task(cycle, run)  # type: ignore[arg-type]  # its own name for the same types

    def handle_websocket_upgrade(self) -> None:
        self._upgraded = True
        self._leave()
        super().handle_websocket_upgrade()
        del self.parser  # it knows us: otherwise only the garbage collector would find that both can go

    def send_400_response(self, msg: str) -> None:
        del msg  # uvicorn's
        self._refuse(self._refusal or MALFORMED)

    def shutdown(self) -> None:
        super().shutdown()
        self._watch()

    # What the limiter and the wheel ask for.

    def drain(self) -> None:
        for cycle in [self._active, *(cycle for cycle, _ in self.pipeline)]:
            if cycle is not None and not cycle.response_started:
                cycle.keep_alive = False
                cycle.default_headers = self.server_state.default_headers

    def cut(self, limit: str) -> None:
        """End the connection without an answer."""
        self._limiter.count(limit)
        self._leave()
        self.transport.abort()

    def on_deadline(self, now: float) -> None:
        """End the connection: what was waited for did not come."""
        if self.transport.is_closing() or self._discarding:
            self.transport.abort()
        elif self._stalled_since is not None:
            self.cut("answer_seconds")
        elif not self._in_head and self.flow.read_paused:
            self._since = now  # the application does not read: that is not the client's fault
            self._watch()
        elif not self._in_head:
            self.cut("body_seconds")
        elif self._is_new or self._head:
            self.cut("head_seconds")
        else:
            self.transport.close()
            self._begin_waiting()

    # Small steps.

    @property
    def _peer(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def _is_busy(self) -> bool:
        return self._active is not None and not self._active.response_complete

    def _begin_waiting(self) -> None:
        self._since = self.loop.time()
        self._limiter.waits(self)
        self._watch()

    def _watch(self) -> None:
        """Set the deadline of what the connection does now."""
        if self._upgraded or self.parser is None:  # no longer ours
            return
        deadline = self._deadline()
        if deadline is None:
            self._limiter.wheel.cancel(self)
        else:
            self._limiter.wheel.schedule(self, deadline)

    def _deadline(self) -> float | None:
        limits = self._limits
        if self._stalled_since is not None:
            return self._stalled_since + limits.answer_seconds
        if self.transport.is_closing():
            return self._since + limits.answer_seconds
        if self._discarding:
            return self._since + limits.head_seconds
        if not self._in_head:
            earned = self._body / limits.body_bytes_per_second if self._is_busy else 0.0
            return self._since + limits.body_seconds + earned
        if self._is_busy:
            return None
        return self._since + (limits.head_seconds if self._is_new or self._head else limits.keep_alive_seconds)

    def _identify_client(self) -> str:
        """Let the application see the client, not the proxy; return its address."""
        if self._peer_network is not None:
            return self._peer  # an untrusted peer says nothing about itself
        proxies = self._limiter.proxies
        forwarded = {name: self._values(name) for name in (b"x-forwarded-for", b"x-forwarded-proto")}
        address = proxies.client(self._peer, forwarded[b"x-forwarded-for"])
        if address != self._peer:
            self.scope["client"] = (address, 0)
        encrypted = proxies.secure(self._peer, forwarded[b"x-forwarded-proto"], encrypted=self.scheme == "https")
        self.scope["scheme"] = "https" if encrypted else "http"
        return address

    def _values(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for header, value in self.headers if header == name]

    def _stop_parsing(self, refusal: Refusal) -> None:
        """Refuse from within a callback of the parser: it ends the parsing, and uvicorn calls `send_400_response`."""
        self._refusal = refusal
        raise ValueError(refusal.code)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer, and read no further. An answer that is being sent is not disturbed: it becomes the last one."""
        self._limiter.count(refusal.limit)
        self._discarding = True
        self.pipeline.clear()
        self._since = self.loop.time()
        active = self._active if self._is_busy else None
        if active is None or self._gives_up(active):
            self.transport.write(_answer(refusal))
            if self.transport.can_write_eof():
                self.transport.write_eof()  # closing a socket with unread input makes the kernel discard the answer
            else:
                self.transport.close()
        self._watch()

    def _gives_up(self, active: RequestResponseCycle) -> bool:
        """Return whether the request being answered is the malformed one, and nothing of its answer was sent."""
        if active is not self.cycle or self._in_head:
            active.keep_alive = False
            return False
        active.disconnected = True
        active.message_event.set()
        if active.response_started:
            self.transport.abort()
        return not active.response_started

    def _leave(self) -> None:
        self._limiter.leave(self)
        self._limiter.wheel.cancel(self)
        self._release(self._peer_network)
        self._peer_network = None
        while self._claims:
            self._release(self._claims.popleft())

    def _release(self, network: str | None) -> None:
        if network is not None:
            self._limiter.release(network)


async def too_many_requests(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 429 to a client that has as many requests at the same time as it may."""
    HttpLimiter.count("connections_per_client")
    problem = Problem(429, "too_many_connections", "Too many requests at the same time.", headers={"Retry-After": "1"})
    await respond(problem, scope, receive, send)


def _answer(refusal: Refusal) -> bytes:
    body = json.dumps(body_of(Problem(refusal.status, refusal.code, refusal.detail), None)).encode()
    head = (
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}\r\n"
        f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        "x-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
