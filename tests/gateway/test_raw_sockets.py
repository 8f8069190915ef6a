"""What a well-behaved client library would never send."""

import asyncio

import pytest

from support.gateways import SUCCEEDED, channel_auth

PING = '{"event":"pusher:ping","data":"é"}'
PONG = ("text", b'{"event":"pusher:pong","data":"{}"}')


async def test_a_frame_of_one_megabyte_closes_with_1009_before_it_is_read(gateway):
    async with gateway.raw() as socket:
        socket.send(1, b"x" * 1024, announced=1024 * 1024)

        assert await socket.closing() == 1009


async def test_the_whole_megabyte_may_be_on_its_way_and_the_close_frame_still_arrives(gateway):
    async with gateway.raw() as socket:
        socket.send(1, b"x" * 1024 * 1024)

        assert await socket.closing() == 1009


async def test_a_message_over_the_limit_in_small_fragments_closes_with_1009(gateway):
    async with gateway.raw() as socket:
        socket.send(1, b"x" * 1024, fin=False)
        for _ in range(64):
            socket.send(0, b"x" * 1024, fin=False)

        assert await socket.closing() == 1009


async def test_a_message_of_64_kib_is_read(gateway):
    padding = " " * (64 * 1024 - len(PING.encode()))
    async with gateway.raw() as socket:
        socket.send_text(PING + padding)

        assert await socket.frame() == PONG


async def test_025_a_binary_frame_closes_with_1003(gateway):
    async with gateway.raw() as socket:
        socket.send(2, b"\x00")

        assert await socket.closing() == 1003


@pytest.mark.parametrize("payload", [b"\xff", b'{"event":"\xc3"}', b"\xed\xa0\x80"], ids=["byte", "cut", "surrogate"])
async def test_invalid_utf_8_closes_with_1007(gateway, payload):
    async with gateway.raw() as socket:
        socket.send(1, payload)

        assert await socket.closing() == 1007


async def test_fragments_make_one_message_even_inside_a_character_and_around_a_ping(gateway):
    message = PING.encode()
    middle = message.index("é".encode()) + 1
    async with gateway.raw() as socket:
        socket.send(1, message[:5], fin=False)
        socket.send(0, message[5:middle], fin=False)
        socket.send(9, b"between")
        socket.send(0, message[middle:])

        assert await socket.frame() == ("pong", b"between")
        assert await socket.frame() == PONG


async def test_bytes_may_arrive_one_by_one(gateway):
    async with gateway.raw() as socket:
        frame = bytearray()
        socket_send, socket.send_bytes = socket.send_bytes, frame.extend
        socket.send_text(PING)
        for byte in frame:
            socket_send(bytes([byte]))
            await asyncio.sleep(0)

        assert await socket.frame() == PONG


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x81\x02hi", id="not-masked"),
        pytest.param(b"\x83\x80\x00\x00\x00\x00", id="reserved-opcode"),
        pytest.param(b"\xc1\x80\x00\x00\x00\x00", id="reserved-bit"),
        pytest.param(b"\x80\x80\x00\x00\x00\x00", id="continuation-of-nothing"),
        pytest.param(b"\x09\x80\x00\x00\x00\x00", id="fragmented-ping"),
        pytest.param(b"\x89\xfe\x00\x7e\x00\x00\x00\x00" + b"x" * 126, id="long-ping"),
        pytest.param(b"\x88\x81\x00\x00\x00\x00x", id="close-of-one-byte"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="http"),
    ],
)
async def test_a_violation_of_the_websocket_protocol_closes_with_1002(gateway, data):
    async with gateway.raw() as socket:
        socket.send_bytes(data)

        assert await socket.closing() == 1002


async def test_a_close_frame_is_answered_and_the_stream_ends(gateway):
    async with gateway.raw() as socket:
        socket.send(8, (1000).to_bytes(2, "big"))

        assert await socket.closing() == 1000


async def test_nothing_is_answered_after_a_close_frame(gateway):
    async with gateway.raw() as socket:
        socket.send(8, b"")
        socket.send_text(PING)

        assert await socket.frame() == ("close", b"")


async def test_a_client_that_never_answers_a_close_frame_is_cut(new_gateway, nats):
    gateway = new_gateway(nats, close_seconds="0.2", idle_seconds="0.2", pong_seconds="0.2")
    async with gateway.raw() as socket:
        assert await socket.closing() == 4201  # `closing` also reads the end of the stream


@pytest.mark.parametrize(
    "request_bytes", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 100, b"\r\n" * 50]
)
async def test_what_is_not_http_is_dropped_and_others_are_served(gateway, request_bytes):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request_bytes)
    writer.write_eof()
    await reader.read()
    writer.close()

    async with gateway.connect() as client:
        await client.hears_nothing()


async def test_many_mistakes_are_answered_in_order(gateway):
    async with gateway.raw() as socket:
        for _ in range(100):
            socket.send_text("{")
        socket.send_text(PING)

        frames = [await socket.frame() for _ in range(101)]
        assert frames[-1] == PONG


async def test_unsubscribing_while_the_subscription_is_pending(gateway):
    async with gateway.connect() as client:
        auth = channel_auth(client.socket_id, "private-fresh-x")
        await client.send("pusher:subscribe", data={"channel": "private-fresh-x", "auth": auth})
        await client.send("pusher:unsubscribe", data={"channel": "private-fresh-x"})
        await gateway.trigger("private-fresh-x", "late")

        await client.subscribe("marker")  # asked after it, confirmed after it
        heard = []
        while (frame := await client.frame())["channel"] != "marker":
            heard.append(frame["event"])
        assert heard in ([], [SUCCEEDED])  # NATS may have confirmed before the second message was read
        await client.hears_nothing()


async def test_a_query_that_is_not_utf_8_is_answered_with_400(gateway):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"POST /apps/4242/events?a=\xff HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")

    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()


@pytest.mark.parametrize(
    ("opcode", "payload", "code"), [(1, b"secret" * 20_000, 1009), (2, b"secret", 1003), (1, b"secret\xff", 1007)]
)
async def test_a_violation_is_logged_and_counted_once_without_the_payload(gateway, opcode, payload, code):
    counted = await gateway.metric("gateway_refusals_total")
    logged = len(gateway.log())
    async with gateway.raw() as socket:
        socket.send(opcode, payload)
        assert await socket.closing() == code

    assert await gateway.metric("gateway_refusals_total") == counted + 1
    lines = [line for line in gateway.log()[logged:] if line["event"] == "protocol violated"]
    assert [line["code"] for line in lines] == [code]
    assert "secret" not in str(lines)
