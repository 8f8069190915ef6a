"""Gateways as processes of their own, and a Pusher client that checks every frame it gets."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from leadwire.ports import LOOPBACK, Reservation, reserve
from leadwire.processes import Process
from support.servers import NatsServer, OwnProcess
from support.waiting import until_sync

APP: dict[str, Any] = {"id": "4242", "key": "gwkey0001", "secret": "gwsecret0001", "enableClientMessages": True}
OTHER_APP = {"id": "4343", "key": "gwkey0002", "secret": "gwsecret0002"}
DISABLED_APP = {"id": "4444", "key": "gwkey0003", "secret": "gwsecret0003", "enabled": False}
SMALL_APP = {"id": "4545", "key": "gwkey0004", "secret": "gwsecret0004", "maxConnections": 1}
CHATTY_APP = {
    "id": "4646",
    "key": "gwkey0005",
    "secret": "gwsecret0005",
    "enableClientMessages": True,
    "maxClientEventsPerSecond": -1,
}
CLOSED_APP = {
    "id": "4770",
    "key": "gwkey0070",
    "secret": "gwsecret0070",
    "requireAuthorization": True,
    "authorizationTimeoutSeconds": 3,
}
NO_USERS_APP = {"id": "4771", "key": "gwkey0071", "secret": "gwsecret0071", "enableUserAuthentication": False}
READ_APP = {"id": "4772", "key": "gwkey0072", "secret": "gwsecret0072", "maxBackendEventsPerSecond": 1}
WATCH_APP = {
    "id": "4773",
    "key": "gwkey0073",
    "secret": "gwsecret0073",
    "enableWatchlists": True,
    "maxWatchlistLength": 5,
    "enableSubscriptionCounting": True,
}
TLS_APP = {"id": "4747", "key": "gwkey0006", "secret": "gwsecret0006", "requireTls": True}
LONELY_APP = {"id": "4888", "key": "gwkey0088", "secret": "gwsecret0088", "maxConnectionsPerUser": 1}
BOUND_APP = {
    "id": "4889",
    "key": "gwkey0089",
    "secret": "gwsecret0089",
    "boundChannels": ["private-company.*-*", "presence-company.*-*"],
}
CHOOSY_APP = {
    "id": "4848",
    "key": "gwkey0007",
    "secret": "gwsecret0007",
    "allowedOrigins": ["https://crm.example.org", "https://*.acme.example"],
}
EASY_APP = {
    "id": "4849",
    "key": "gwkey0010",
    "secret": "gwsecret0010",
    "maxConnections": 1,
    "reconnectOverQuota": True,
    "reconnectTerminated": True,
    "acceptAnyProtocol": True,
    "activityTimeoutSeconds": 30,
}
INTIMATE_APP = {"id": "4949", "key": "gwkey0008", "secret": "gwsecret0008", "maxPresenceMembersPerChannel": 3}
COUNTING_APP = {
    "id": "5050",
    "key": "gwkey0009",
    "secret": "gwsecret0009",
    "enableSubscriptionCounting": True,
    "enableClientMessages": True,
}
APPS = (
    APP,
    BOUND_APP,
    OTHER_APP,
    DISABLED_APP,
    SMALL_APP,
    CHATTY_APP,
    CLOSED_APP,
    NO_USERS_APP,
    READ_APP,
    WATCH_APP,
    TLS_APP,
    CHOOSY_APP,
    INTIMATE_APP,
    COUNTING_APP,
    LONELY_APP,
    EASY_APP,
)

SIGNED_IN = "pusher:signin_success"
SUCCEEDED = "pusher_internal:subscription_succeeded"
MISS = "pusher:cache_miss"
QUERY = "protocol=7&client=js&version=8.6.0&flash=false"
CACHES = ("cache-", "private-cache-", "private-encrypted-cache-")
PATIENCE = 40  # seconds a test waits for what must come: a busy machine stands still now and then


class GatewayProcess:
    """`python -m gateway serve` on a port of its own."""

    def __init__(
        self,
        nats: NatsServer,
        *,
        arguments: Sequence[str] = (),
        trust: ssl.SSLContext | None = None,
        holds_port: bool = False,
        **settings: str,
    ) -> None:
        """Prepare a gateway.

        Args:
            nats: its broker.
            arguments: of the command, besides `serve`.
            trust: how its certificate is checked, when it speaks TLS.
            holds_port: whether its port outlives it, as under `./leadwire up`.
            settings: more variables, without the prefix: `idle_seconds="1"`.
        """
        self._reservation = reserve()
        workers = int(arguments[arguments.index("--workers") + 1]) if "--workers" in arguments else 1
        self._admin_reservations = reserve_row(workers)
        self._directory = tempfile.TemporaryDirectory(prefix="leadwire-gateway-")
        directory = Path(self._directory.name)
        self.apps_file = directory / "apps.json"
        self.apps_file.write_text(json.dumps(APPS))
        self._trust = trust
        environment = {
            "GATEWAY_HOST": LOOPBACK,
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_ADMIN_PORT": str(self._admin_reservations[0].port),
            "GATEWAY_NATS_URL": nats.url("gateway"),
            "GATEWAY_APPS_FILE": str(self.apps_file),
            "GATEWAY_HANDSHAKES_PER_SECOND": "-1",  # all tests come from one address
            "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "-1",
            **{f"GATEWAY_{name.upper()}": value for name, value in settings.items()},
        }
        self._process = OwnProcess(
            Process(
                name="gateway",
                command=(sys.executable, "-m", "gateway", "serve", *arguments),
                environment=environment,
                host=LOOPBACK,
                port=self.port,
                port_option="--fd" if holds_port else "",
            ),
            directory / "gateway.log",
        )

    @property
    def port(self) -> int:
        return self._reservation.port

    @property
    def url(self) -> str:
        return f"{'https' if self._trust else 'http'}://{LOOPBACK}:{self.port}"

    def admin_url(self, worker: int = 1) -> str:
        """Return where a worker answers probes and metrics."""
        return f"http://{LOOPBACK}:{self._admin_reservations[worker - 1].port}"

    @property
    def exit_code(self) -> int | None:
        return self._process.exit_code

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def start(self, *, ready: bool = True) -> None:
        """Start it, and return when it is ready, or at least alive."""
        self._process.start()
        path = "/readyz" if ready else "/livez"
        until_sync(lambda: self._is_fine(path), why=f"the gateway answers {path}")

    def stop(self) -> int:
        """Ask it to stop, wait, and return its exit code."""
        return self._process.stop()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.forget()
        self._directory.cleanup()
        for reservation in (self._reservation, *self._admin_reservations):
            reservation.release()

    def log(self) -> list[dict[str, Any]]:
        """Return what it has logged so far."""
        return [json.loads(line) for line in self._process.log.read_text().splitlines() if line.startswith("{")]

    def connect(self, app: Mapping[str, Any] = APP, query: str = QUERY, **options: Any) -> Any:
        """Return a context manager: an established client."""
        return connected(self.port, app, f"/app/{app['key']}?{query}", **self._security(), **options)

    def open(self, target: str, **options: Any) -> Any:
        """Return a context manager: a bare WebSocket to any request target."""
        url = f"{'wss' if self._trust else 'ws'}://{LOOPBACK}:{self.port}{target}"
        return connect(
            url, ping_interval=None, open_timeout=PATIENCE, **{"compression": None, **self._security(), **options}
        )

    @asynccontextmanager
    async def raw(self, app: Mapping[str, Any] = APP) -> AsyncIterator["RawSocket"]:
        """Connect without a library: it answers nothing by itself and can send what is forbidden."""
        plug = socket.socket()
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that who does not read is soon noticed
        plug.connect((LOOPBACK, self.port))
        reader, writer = await asyncio.open_connection(sock=plug, limit=4096)
        raw = RawSocket(reader, writer)
        try:
            await raw.shake_hands(f"/app/{app['key']}?{QUERY}")
            yield raw
        finally:
            writer.close()

    async def trigger(
        self,
        channels: str | list[str],
        name: str = "event",
        data: str = "{}",
        *,
        app: Mapping[str, Any] = APP,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> httpx.Response:
        """Send an event through the HTTP API, signed as the official SDKs do."""
        names = [channels] if isinstance(channels, str) else channels
        body = json.dumps({"name": name, "channels": names, "data": data, **fields}).encode()
        path = f"/apps/{app['id']}/events"
        async with httpx.AsyncClient(base_url=self.url, verify=self._trust or True, timeout=PATIENCE) as http:
            return await http.post(f"{path}?{signed_query('POST', path, body, app)}", content=body, headers=headers)

    async def get(self, path: str, *, app: Mapping[str, Any] = APP, **parameters: str) -> httpx.Response:
        """Ask below the app's path."""
        path = f"/apps/{app['id']}{path}"
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE) as http:
            return await http.get(f"{path}?{signed_query('GET', path, b'', app, None, **parameters)}")

    async def post(
        self, path: str, body: bytes = b"{}", *, app: Mapping[str, Any] = APP, signed_path: str | None = None
    ) -> httpx.Response:
        """Send a signed request; SDKs sign the path before it is percent-encoded."""
        query = signed_query("POST", signed_path or path, body, app)
        async with httpx.AsyncClient(base_url=self.url, verify=self._trust or True, timeout=PATIENCE) as http:
            return await http.post(f"{path}?{query}", content=body)

    async def metric(self, name: str) -> float:
        """Return the sum of a metric's values over its labels."""
        async with httpx.AsyncClient(base_url=self.admin_url(), timeout=PATIENCE) as http:
            lines = (await http.get("/metrics")).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition(" ")[0].partition("{")[0] == name)

    def _security(self) -> dict[str, Any]:
        return {} if self._trust is None else {"ssl": self._trust}

    def _is_fine(self, path: str) -> bool:
        assert self.exit_code is None, "the gateway ended"
        try:
            return httpx.get(f"{self.admin_url()}{path}").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def reserve_row(count: int) -> list[Reservation]:
    """Reserve ports that follow each other."""
    row = [reserve()]
    while len(row) < count:
        following = reserve(row[-1].port + 1)
        if following.port == row[-1].port + 1:
            row.append(following)
            continue
        for reservation in row:
            reservation.release()
        row = [following]
    return row


def signed_query(
    method: str, path: str, body: bytes = b"", app: Mapping[str, Any] = APP, now: float | None = None, **extra: str
) -> str:
    """Return the query of a signed HTTP API request, made from the documentation and not from our own code."""
    parameters = {
        "auth_key": app["key"],
        "auth_timestamp": str(int(time.time() if now is None else now)),
        "auth_version": "1.0",
        **extra,
    }
    if body:
        parameters["body_md5"] = hashlib.md5(body).hexdigest()
    query = "&".join(f"{key}={parameters[key]}" for key in sorted(parameters))
    text = f"{method}\n{path}\n{query}"
    signature = hmac.new(app["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
    return urlencode(parameters | {"auth_signature": signature})


def channel_auth(socket_id: str, channel: str, app: Mapping[str, Any] = APP, channel_data: str | None = None) -> str:
    """Return the auth string of a channel, made from the documentation and not from our own code."""
    text = ":".join([socket_id, channel] + ([channel_data] if channel_data else []))
    return f"{app['key']}:{hmac.new(app['secret'].encode(), text.encode(), hashlib.sha256).hexdigest()}"


def user_auth(socket_id: str, user_data: str, app: Mapping[str, Any] = APP) -> str:
    """Return the auth string of a sign-in, made from the documentation and not from our own code."""
    text = f"{socket_id}::user::{user_data}"
    return f"{app['key']}:{hmac.new(app['secret'].encode(), text.encode(), hashlib.sha256).hexdigest()}"


@asynccontextmanager
async def connected(port: int, app: Mapping[str, Any], target: str, **options: Any) -> AsyncIterator["Client"]:
    """Connect and read the first frame."""
    url = f"{'wss' if 'ssl' in options else 'ws'}://{LOOPBACK}:{port}{target}"
    async with connect(url, ping_interval=None, open_timeout=PATIENCE, **{"compression": None, **options}) as opened:
        client = Client(opened, app)
        await client.establish()
        yield client


OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
MASK = b"\x12\x34\x56\x78"


def masked(opcode: int, payload: bytes, *, fin: bool = True, announced: int | None = None) -> bytes:
    """Return a client's frame; `announced` makes its header lie about the length."""
    size = len(payload) if announced is None else announced
    header = bytes([opcode | (0x80 if fin else 0), 0x80 | 127]) + size.to_bytes(8, "big") + MASK
    return header + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


class RawSocket:
    """A WebSocket made by hand (RFC 6455 §5.2)."""

    socket_id: str

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def shake_hands(self, target: str) -> None:
        """Upgrade, and read the frame that establishes the connection."""
        self._writer.write(
            f"GET {target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        kind, payload = await self.frame()
        assert kind == "text"
        established = checked(payload.decode())
        assert established["event"] == "pusher:connection_established"
        self.socket_id = json.loads(established["data"])["socket_id"]

    async def frame(self) -> tuple[str, bytes]:
        """Return kind and payload of the next frame, which must be final and not masked."""
        return await asyncio.wait_for(self._frame(), PATIENCE)

    async def closing(self) -> int:
        """Read to the end of the stream; return the code of the close frame before it."""
        while True:
            kind, payload = await self.frame()
            if kind == "close":
                assert await asyncio.wait_for(self._reader.read(), PATIENCE) == b""
                return int.from_bytes(payload[:2], "big")

    def send(self, opcode: int, payload: bytes, *, fin: bool = True, announced: int | None = None) -> None:
        """Send a frame; `announced` makes its header lie about the length."""
        self.send_bytes(masked(opcode, payload, fin=fin, announced=announced))

    def send_text(self, *texts: str) -> None:
        """Send messages with one write, so that the gateway reads them in one moment."""
        self.send_bytes(b"".join(masked(1, text.encode()) for text in texts))

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def _frame(self) -> tuple[str, bytes]:
        first, size = await self._reader.readexactly(2)
        assert first & 0xF0 == 0x80, "fragmented, or with an extension's bits"
        assert size < 0x80, "masked"
        if size >= 126:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        return OPCODES[first & 0x0F], await self._reader.readexactly(size)


class Client:
    """One connection to a gateway."""

    socket_id: str

    def __init__(self, connection: ClientConnection, app: Mapping[str, Any]) -> None:
        self.socket = connection
        self.app = app

    async def establish(self) -> None:
        frame = await self.frame()
        assert frame["event"] == "pusher:connection_established"
        self.socket_id = json.loads(frame["data"])["socket_id"]

    async def frame(self) -> dict[str, Any]:
        """Return the next frame; it obeys the rules that hold for every frame of the server (items 153, 154)."""
        text = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        return checked(text)

    async def send(self, event: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"event": event, **fields}))

    async def subscribe(self, channel: str, *, auth: str | None = None, **data: Any) -> None:
        """Ask for a channel, with a good signature unless another is given."""
        if auth is None:
            auth = channel_auth(self.socket_id, channel, self.app, data.get("channel_data"))
        await self.send("pusher:subscribe", data={"channel": channel, "auth": auth, **data})

    async def join(self, *channels: str) -> None:
        """Subscribe, and see it succeed; a cache channel must be empty."""
        for channel in channels:
            await self.subscribe(channel)
            assert await self.frame() == {"event": SUCCEEDED, "channel": channel, "data": "{}"}
            if channel.startswith(CACHES):
                assert await self.frame() == {"event": MISS, "channel": channel, "data": "{}"}

    async def ask_to_sign_in(self, user_data: str, *, auth: str | None = None) -> None:
        """Ask to be signed in, with a good signature unless another is given."""
        if auth is None:
            auth = user_auth(self.socket_id, user_data, self.app)
        await self.send("pusher:signin", data={"user_data": user_data, "auth": auth})

    async def sign_in(self, user_id: str, **fields: Any) -> None:
        """Sign in, and see it succeed."""
        user_data = json.dumps({"id": user_id, **fields})
        await self.ask_to_sign_in(user_data)
        frame = await self.frame()
        assert set(frame) == {"event", "data"}
        assert frame["event"] == SIGNED_IN
        assert json.loads(frame["data"]) == {"user_data": user_data}

    async def enter(self, channel: str, user_id: str | int, **fields: Any) -> dict[str, Any]:
        """Join a presence channel; return the snapshot: user id → information."""
        await self.subscribe(channel, channel_data=json.dumps({"user_id": user_id, **fields}))
        return await self.entered(channel)

    async def entered(self, channel: str) -> dict[str, Any]:
        """Return the snapshot of the success frame that comes next."""
        frame = await self.frame()
        assert (frame["event"], frame["channel"]) == (SUCCEEDED, channel), frame
        presence = json.loads(frame["data"])["presence"]
        members: dict[str, Any] = presence["hash"]
        assert (presence["count"], presence["ids"]) == (len(members), list(members))
        return members

    async def event(self) -> tuple[str, str, str]:
        """Return (event, channel, data) of the next frame."""
        frame = await self.frame()
        assert set(frame) == {"event", "channel", "data"}, frame
        return frame["event"], frame["channel"], frame["data"]

    async def hears_nothing(self) -> None:
        """Make sure that nothing came before the answer to a ping sent now."""
        await self.send("pusher:ping", data={})
        assert await self.frame() == {"event": "pusher:pong", "data": "{}"}

    async def closing(self) -> tuple[int, str]:
        """Read on until the connection is closed; return the close code and reason."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.wait_for(self.socket.recv(), PATIENCE)
        code, reason = self.socket.close_code, self.socket.close_reason
        assert code is not None
        return code, reason or ""


def checked(text: str | bytes) -> dict[str, Any]:
    """Return a frame after checking what holds for all of them."""
    assert isinstance(text, str)
    frame: dict[str, Any] = json.loads(text)
    if frame["event"] == "pusher:error":
        assert set(frame["data"]) == {"code", "message"}
    else:
        assert isinstance(frame["data"], str)
    assert None not in frame.values()
    return frame
