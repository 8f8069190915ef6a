"""One connection in memory, around a transport of the test's: all that connections share is real, but leads nowhere.

The type checker reads this file: when connections need something more of what they share, it says so before any test.
"""

import asyncio

from gateway.cluster.watch import Watch, Watcher
from gateway.connections import Connections
from gateway.followers import Followers
from gateway.hub import Hub, Room
from gateway.pusher.addresses import Addresses
from gateway.pusher.app import App, Apps
from gateway.pusher.handshake import Door
from gateway.pusher.liveness import Patience
from gateway.wards import Moment
from gateway.watchlists import Watchlists
from gateway.websocket import Connection, Gateway, Limits
from runtime.server.proxies import TrustedProxies

UPGRADE = (
    b"GET /app/key?protocol=7 HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SOCKET_ID = "1.1"


class Server:
    """What uvicorn shares with its protocols."""

    def __init__(self) -> None:
        self.connections: set[object] = set()


class Silence:
    """The interest of rooms that nothing ever reaches; no room is followed."""

    def acquire(self, room: Room) -> None:
        room.open()

    def release(self, room: Room) -> None: ...

    def guard(self, room: Room) -> None: ...

    def follow(self, room: Room) -> Followers:
        raise NotImplementedError


class Solitude:
    """The board of a gateway where nobody signs in."""

    def watch(self, app_id: str, topic: str, watcher: Watcher) -> Watch:
        raise NotImplementedError

    def unwatch(self, watch: Watch, watcher: Watcher) -> None:
        raise NotImplementedError

    def enter(self, app_id: str, topic: str, user_id: str) -> int:
        raise NotImplementedError

    def leave(self, app_id: str, topic: str, user_id: str) -> None:
        raise NotImplementedError


def masked(opcode: int, payload: bytes, *, fin: bool) -> bytes:
    """Return a client's frame of at most 125 bytes; the mask changes nothing."""
    return bytes([opcode | (0x80 if fin else 0), 0x80 | len(payload), 0, 0, 0, 0]) + payload


def established(transport: asyncio.Transport, limits: Limits) -> Connection:
    """Return a connection that was just established over a transport; call it within an event loop."""
    loop = asyncio.get_running_loop()
    addresses = Addresses(connections=None, handshakes=None)
    hub = Hub(Silence(), loop.call_soon, lambda _app, _channel: None, lambda _room: None, lambda _room: None)
    gateway = Gateway(
        door=Door(
            Apps([App(id="1", key="key", secret="secret")]), addresses, path_prefix="", connections=lambda _app: 0
        ),
        addresses=addresses,
        proxies=TrustedProxies(),
        hub=hub,
        watchlists=Watchlists(Solitude(), hub.tell, loop.call_soon),
        connections=Connections(tick=1.0),
        relay=lambda _relay: None,
        now=lambda: 0.0,
        moment=lambda at: Moment(at, "", 0),
        new_socket_id=lambda: SOCKET_ID,
        limits=limits,
        patience=Patience(45.0, 30.0),
    )
    connection = Connection(gateway, Server())
    connection.connection_made(transport)
    connection.data_received(UPGRADE)
    return connection
