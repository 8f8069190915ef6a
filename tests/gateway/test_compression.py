"""permessage-deflate, compressed once for everybody who agreed to it."""

import asyncio
import json
import zlib
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.streams import StreamReader

from gateway import deflate, wire
from support.gateways import APP, LOOPBACK, MASK, PATIENCE, QUERY

LONG = json.dumps([{"id": number, "name": f"Lead {number}", "status": "new"} for number in range(100)])
TAIL = b"\x00\x00\xff\xff"


def read_all(data):
    """Return the messages in a client's input, as the websockets library reads them."""
    reader, extension = StreamReader(), PerMessageDeflate(True, True, 15, 15)
    reader.feed_data(data)
    reader.feed_eof()
    while True:
        parser = Frame.parse(reader.read_exact, mask=False, max_size=None, extensions=[extension])
        try:
            next(parser)
        except StopIteration as stopped:
            yield bytes(stopped.value.data)
        except EOFError:
            return


@given(st.lists(st.binary(max_size=600) | st.builds(lambda part, n: part * n, st.binary(min_size=1), st.just(30_000))))
def test_what_is_packed_is_read_as_the_same_messages(payloads):
    packed = deflate.packed(b"".join(map(wire.text, payloads)))

    assert list(read_all(packed)) == payloads
    assert len(packed) <= sum(len(wire.text(payload)) for payload in payloads)


@pytest.fixture
def shared(new_gateway, nats):
    return new_gateway(nats, compression="shared")


class Raw:
    """A client that sees what is on the wire."""

    def __init__(self, reader, writer, head):
        self._reader, self._writer = reader, writer
        self.extensions = [line for line in head.decode().splitlines() if line.startswith("Sec-WebSocket-Extensions")]

    async def frame(self):
        """Return (first byte of the header, payload) of the next frame."""
        first, size = await asyncio.wait_for(self._reader.readexactly(2), PATIENCE)
        if size >= 126:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        return first, await self._reader.readexactly(size)

    def send(self, payload, first=0x81):
        header = bytes([first, 0x80 | 127]) + len(payload).to_bytes(8, "big") + MASK
        self._writer.write(header + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload)))

    async def join(self, channel):
        self.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel}}).encode())
        _, payload = await self.frame()
        assert b"subscription_succeeded" in payload


@asynccontextmanager
async def raw(gateway, offer):
    reader, writer = await asyncio.open_connection(LOOPBACK, gateway.port)
    writer.write(
        f"GET /app/{APP['key']}?{QUERY} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n".encode()
    )
    client = Raw(reader, writer, await reader.readuntil(b"\r\n\r\n"))
    try:
        _, payload = await client.frame()
        assert b"connection_established" in payload
        yield client
    finally:
        writer.close()


OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


async def test_all_who_agreed_get_the_same_compressed_bytes_and_the_others_plain_ones(shared):
    async with raw(shared, OFFER) as one, raw(shared, OFFER) as two, shared.connect() as plain:
        assert "server_no_context_takeover" in one.extensions[0]
        assert "client_no_context_takeover" in one.extensions[0]
        for client in (one, two, plain):
            await client.join("news")
        await shared.trigger("news", "long", LONG)
        await shared.trigger("news", "short", "{}")

        first, payload = await one.frame()
        assert await two.frame() == (first, payload)
        assert first == 0xC1
        assert len(payload) < len(LONG) / 4
        message = json.loads(zlib.decompressobj(wbits=-15).decompress(payload + TAIL))
        assert message == {"event": "long", "channel": "news", "data": LONG}
        assert (await one.frame())[0] == 0x81  # not worth it
        assert [await plain.event() for _ in range(2)] == [("long", "news", LONG), ("short", "news", "{}")]


async def test_a_library_understands_it_and_may_compress_what_it_sends(shared):
    async with shared.connect(compression="deflate") as client, shared.connect(compression="deflate") as other:
        assert client.socket.protocol.extensions
        for each in (client, other):
            await each.join("private-a")
        await client.send("client-x", channel="private-a", data=LONG)
        for number in range(20):
            await shared.trigger("private-a", str(number), LONG, socket_id=client.socket_id)

        assert await other.event() == ("client-x", "private-a", LONG)
        assert [await other.event() for _ in range(20)] == [(str(n), "private-a", LONG) for n in range(20)]
        await client.hears_nothing()


async def test_a_client_with_a_smaller_window_is_sent_plain_messages(shared):
    async with raw(shared, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n") as client:
        await client.join("news")
        await shared.trigger("news", "long", LONG)

        assert (await client.frame())[0] == 0x81


async def test_it_is_off_by_default(gateway):
    async with raw(gateway, OFFER) as client:
        assert client.extensions == []


async def test_a_message_that_inflates_beyond_the_limit_closes_with_1009_before_it_is_inflated(shared):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = compressor.compress(b" " * 50_000_000) + compressor.flush(zlib.Z_SYNC_FLUSH)
    bomb = bomb[: -len(TAIL)]
    assert len(bomb) < 64 * 1024
    async with raw(shared, OFFER) as client, shared.connect() as other:
        client.send(bomb, first=0xC1)
        first, payload = await client.frame()
        assert (first, int.from_bytes(payload[:2], "big")) == (0x88, 1009)
        await other.hears_nothing()


async def test_garbage_instead_of_compressed_data_closes_with_1002(shared):
    async with raw(shared, OFFER) as client:
        client.send(b"\xff" * 100, first=0xC1)
        first, payload = await client.frame()
        assert (first, int.from_bytes(payload[:2], "big")) == (0x88, 1002)
