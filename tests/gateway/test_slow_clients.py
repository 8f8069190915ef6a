"""A client that does not keep up: what the transport tells once must be looked at again."""

import asyncio
import socket
from types import SimpleNamespace

from gateway.connections import Connections
from gateway.pusher.addresses import Addresses
from gateway.pusher.app import App, Apps
from gateway.pusher.handshake import Door
from gateway.pusher.liveness import Patience
from gateway.pusher.proxies import Proxies
from gateway.websocket import Connection, Gateway, Limits
from support.waiting import until


class Slow:
    """A transport whose client reads as much as the test says."""

    def __init__(self, plug):
        self.plug = plug
        self.waiting = 0
        self.written = b""

    def get_extra_info(self, name):
        return self.plug if name == "socket" else None

    def get_write_buffer_size(self):
        return self.waiting

    def set_write_buffer_limits(self, high):
        pass

    def can_write_eof(self):
        return False

    def write(self, data):
        self.written += data

    def close(self):
        pass


async def test_a_client_that_reads_only_a_part_is_still_watched():
    app = App(id="1", key="key", secret="secret")
    addresses = Addresses(connections=None, handshakes=None)
    gateway = Gateway(
        door=Door(Apps([app]), addresses, path_prefix="", connections=lambda _: 0),
        addresses=addresses,
        proxies=Proxies(),
        hub=SimpleNamespace(listeners=None),
        watchlists=SimpleNamespace(leave=lambda _: None),
        connections=Connections(tick=1.0),
        relay=None,
        new_socket_id=lambda: "1.1",
        limits=Limits(buffer_bytes=1000),
        patience=Patience(45.0, 30.0),
    )
    plug, client = socket.socketpair()
    with plug, client:
        transport = Slow(plug)
        connection = Connection(gateway, SimpleNamespace(connections=set()))
        connection.connection_made(transport)
        connection.data_received(
            b"GET /app/key?protocol=7 HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        connection.pause_writing()
        transport.waiting = 999  # it read a little before the first look
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert b"4200" not in transport.written
        transport.waiting = 2000  # and is not told again

        await until(lambda: b"4200" in transport.written, why="the slow client is closed")
        connection.connection_lost(None)
