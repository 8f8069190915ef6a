"""A message that never ends costs its bytes and no more, however many fragments it comes in."""

import socket
import tracemalloc

from gateway.websocket import Limits
from support.pumps import established, masked

ROUNDS, FRAGMENTS = 50, 1000


class Deaf:
    """A transport to nobody."""

    def __init__(self, plug):
        self.plug = plug

    def get_extra_info(self, name):
        return self.plug if name == "socket" else None

    def get_write_buffer_size(self):
        return 0

    def set_write_buffer_limits(self, high):
        pass


async def test_endless_fragments_without_a_byte_take_no_memory():
    plug, client = socket.socketpair()
    with plug, client:
        connection = established(Deaf(plug), Limits())
        connection.data_received(masked(1, b'{"event":', fin=False))
        fragments = masked(0, b"", fin=False) * FRAGMENTS
        connection.data_received(fragments)
        tracemalloc.start()
        try:
            for _ in range(ROUNDS):
                connection.data_received(fragments)
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        client.recv(1 << 16)
        connection.data_received(masked(0, b'"pusher:ping"}', fin=True))

        assert grown < ROUNDS * FRAGMENTS  # bytes: less than one for each
        assert b"pusher:pong" in client.recv(1 << 16)
        connection.connection_lost(None)
