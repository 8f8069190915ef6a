"""A client that does not keep up: what the transport tells once must be looked at again."""

import asyncio
import socket

from gateway.websocket import Limits
from support.pumps import established
from support.waiting import until


class Slow:
    """A transport whose client reads as much as the test says."""

    def __init__(self, plug):
        self.plug = plug
        self.waiting = 0
        self.looks = 0
        self.written = b""

    def get_extra_info(self, name):
        return self.plug if name == "socket" else None

    def get_write_buffer_size(self):
        self.looks += 1
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
    plug, client = socket.socketpair()
    with plug, client:
        transport = Slow(plug)
        connection = established(transport, Limits(buffer_bytes=1000))
        transport.waiting = 999  # it read a little before the first look
        before = transport.looks
        connection.pause_writing()
        await until(lambda: transport.looks > before, why="somebody looks at what it has not taken")
        assert b"4200" not in transport.written
        transport.waiting = 2000  # and is not told again

        await until(lambda: b"4200" in transport.written, why="the slow client is closed")
        connection.connection_lost(None)


async def test_a_client_that_catches_up_is_watched_no_more():
    plug, client = socket.socketpair()
    with plug, client:
        transport = Slow(plug)
        connection = established(transport, Limits(buffer_bytes=1000))
        transport.waiting = 999
        connection.pause_writing()
        connection.resume_writing()
        before = transport.looks
        transport.waiting = 2000  # which the transport would tell

        await asyncio.sleep(0.3)  # three looks' time: an absence cannot be waited for
        assert transport.looks == before
        connection.connection_lost(None)
