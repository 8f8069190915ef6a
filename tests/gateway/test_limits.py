"""Every limit as an attacker meets it: what happens beyond it, and that others notice nothing."""

import asyncio
import json
import resource
import socket
import time

import pytest

from support.gateways import (
    APP,
    CHOOSY_APP,
    LONELY_APP,
    LOOPBACK,
    PATIENCE,
    QUERY,
    SIGNED_IN,
    SMALL_APP,
    SUCCEEDED,
    TLS_APP,
    Client,
    checked,
    signed_query,
    user_auth,
)
from support.waiting import until

TARGET = f"/app/{APP['key']}?{QUERY}"
PONG = ("text", b'{"event":"pusher:pong","data":"{}"}')
PROXIED = {"trusted_proxies": '["127.0.0.0/8"]'}


async def refusal(gateway, target=TARGET, **options):
    """Return the code with which a newcomer is refused: the same in the only frame and in the close frame."""
    async with gateway.open(target, **options) as socket:
        frame = checked(await socket.recv())
        assert frame["event"] == "pusher:error"
        code, reason = await Client(socket, APP).closing()
        assert frame["data"] == {"code": code, "message": reason}
        return code


async def flooded(socket):
    """Return code and text of the error frame before the close frame with the same code."""
    error = None
    while True:
        kind, payload = await socket.frame()
        if kind == "close":
            assert error is not None
            assert int.from_bytes(payload[:2], "big") == error["code"]
            return error["code"], error["message"]
        if kind == "text" and (frame := checked(payload.decode()))["event"] == "pusher:error":
            error = frame["data"]


async def test_011_the_limit_of_an_app_counts_its_connections_on_all_gateways(gateways):
    here, there = gateways
    target = f"/app/{SMALL_APP['key']}?{QUERY}"  # may have one connection
    async with here.connect(SMALL_APP) as first:

        async def refused():
            async with there.open(target) as socket:
                return checked(await socket.recv())["event"] == "pusher:error"

        await until(refused, why="the other gateway has heard of the connection")
        assert await refusal(there, target) == await refusal(here, target) == 4004
        await first.hears_nothing()

    await until(lambda: connects(there, target), why="the place is free again")


async def test_a_full_process_sends_newcomers_to_others(new_gateway, nats):
    gateway = new_gateway(nats, max_connections="1")
    async with gateway.connect() as first:
        assert await refusal(gateway) == 4100
        await first.hears_nothing()
    await until(lambda: connects(gateway))


async def test_a_gateway_has_as_many_descriptors_as_the_system_allows(gateway):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    assert await gateway.metric("process_max_fds") == most


async def test_too_many_connections_of_one_address_are_told_to_come_back_later(new_gateway, nats):
    gateway = new_gateway(nats, max_connections_per_address="2")
    async with gateway.connect() as first:
        async with gateway.connect():
            assert await refusal(gateway) == 4100
            await first.hears_nothing()
        await until(lambda: connects(gateway))


async def connects(gateway, target=TARGET):
    async with gateway.open(target) as socket:
        return checked(await socket.recv())["event"] == "pusher:connection_established"


async def test_too_many_handshakes_of_one_address_are_told_to_come_back_later(new_gateway, nats):
    gateway = new_gateway(nats, handshakes_per_second="1", burst_seconds="3")
    async with gateway.connect() as first:
        began = time.monotonic()
        codes = [await refusal(gateway, "/nonsense") for _ in range(3)]
        assert codes == [4005] * 3  # they count: nobody may knock as often as they like

        admitted = await asyncio.gather(*(connects(gateway) for _ in range(10)))
        assert admitted.count(True) <= time.monotonic() - began  # one a second
        await first.hears_nothing()
        await until(lambda: connects(gateway))


async def test_an_office_of_two_hundred_behind_one_address_comes_back_at_once(new_gateway, nats):
    defaults = {"handshakes_per_second": "100", "max_connections_per_address": "2000"}
    gateway = new_gateway(nats, **defaults)

    assert all(await asyncio.gather(*(connects(gateway) for _ in range(200))))


async def test_behind_a_trusted_proxy_each_client_has_limits_of_its_own(new_gateway, nats):
    gateway = new_gateway(nats, max_connections_per_address="1", **PROXIED)
    for_ada, for_bob = ({"X-Forwarded-For": f"{number}, 192.0.2.{number}"} for number in (1, 2))
    async with gateway.connect(additional_headers=for_ada), gateway.connect(additional_headers=for_bob):
        assert await refusal(gateway, additional_headers=for_ada) == 4100


async def test_a_forwarded_header_of_anybody_else_changes_nothing(new_gateway, nats):
    gateway = new_gateway(nats, max_connections_per_address="1", trusted_proxies='["192.0.2.0/24"]')
    async with gateway.connect(additional_headers={"X-Forwarded-For": "192.0.2.1"}):
        assert await refusal(gateway, additional_headers={"X-Forwarded-For": "192.0.2.2"}) == 4100
    spoofed = {"X-Forwarded-Proto": "https"}
    assert await refusal(gateway, f"/app/{TLS_APP['key']}?{QUERY}", additional_headers=spoofed) == 4000


async def test_009_an_app_that_requires_tls_refuses_plain_connections(new_gateway, nats):
    gateway = new_gateway(nats, **PROXIED)
    assert await refusal(gateway, f"/app/{TLS_APP['key']}?{QUERY}") == 4000
    plain, encrypted = ({"X-Forwarded-Proto": scheme} for scheme in ("http", "https"))
    assert await refusal(gateway, f"/app/{TLS_APP['key']}?{QUERY}", additional_headers=plain) == 4000

    async with gateway.connect(TLS_APP, additional_headers=encrypted) as client:
        await client.hears_nothing()


@pytest.mark.parametrize(
    "origin",
    ["https://crm.example.org", "HTTPS://CRM.example.org", "https://x.acme.example", "https://a.b.acme.example"],
)
async def test_a_listed_origin_may_connect(gateway, origin):
    async with gateway.connect(CHOOSY_APP, origin=origin) as client:
        await client.hears_nothing()


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "http://crm.example.org", "https://crm.example.org.evil.example", "https://acme.example",
        "https://crmXexample.org", "null", None,
    ],
)  # fmt: skip
async def test_a_foreign_origin_is_refused_with_4009(gateway, origin):
    assert await refusal(gateway, f"/app/{CHOOSY_APP['key']}?{QUERY}", origin=origin) == 4009


async def test_a_user_may_be_signed_in_on_so_many_connections_only(gateway):
    async with gateway.connect(LONELY_APP) as second:
        async with gateway.connect(LONELY_APP) as first:
            await first.sign_in("ada")
            user_data = json.dumps({"id": "ada"})
            auth = user_auth(second.socket_id, user_data, LONELY_APP)
            await second.send("pusher:signin", data={"auth": auth, "user_data": user_data})
            error = (await second.frame())["data"]
            assert error == {"code": None, "message": "Signing in failed: the user has 1 connections already"}
            await second.hears_nothing()  # it stays, but is nobody
            await first.sign_in("ada")  # who is in may renew it

        async def signed_in():
            await second.send("pusher:signin", data={"auth": auth, "user_data": user_data})
            return (await second.frame())["event"] == SIGNED_IN

        await until(signed_in, why="the place is free again")


async def test_a_flood_of_messages_is_cut_and_others_are_served(new_gateway, nats):
    gateway = new_gateway(nats, messages_per_second="20", burst_seconds="5")
    async with gateway.connect() as other, gateway.raw() as socket:
        for _ in range(1000):
            socket.send_text('{"event":"pusher:ping"}')

        assert await flooded(socket) == (4100, "Too many messages; reconnect later")
        await other.hears_nothing()
    assert await gateway.metric("gateway_limits_total") == 1


async def test_a_flood_of_websocket_pings_is_cut(new_gateway, nats):
    gateway = new_gateway(nats, messages_per_second="20", burst_seconds="5")
    async with gateway.raw() as socket:
        for _ in range(1000):
            socket.send(9, b"")

        assert await flooded(socket) == (4100, "Too many messages; reconnect later")


async def test_a_client_that_pings_every_second_is_never_near_the_limit(new_gateway, nats):
    gateway = new_gateway(nats, messages_per_second="1", burst_seconds="30")
    async with gateway.raw() as socket:
        for _ in range(30):
            socket.send(9, b"x")

        assert [await socket.frame() for _ in range(30)] == [("pong", b"x")] * 30


async def test_a_flood_of_bytes_is_cut(new_gateway, nats):
    gateway = new_gateway(nats, bytes_per_second="10000", burst_seconds="5")
    async with gateway.raw() as socket:
        for _ in range(10):
            socket.send_text(json.dumps({"event": "pusher:ping", "data": "x" * 10_000}))

        assert await flooded(socket) == (4100, "Too many bytes; reconnect later")


async def test_a_flood_of_mistakes_is_cut(gateway):
    async with gateway.raw() as socket:
        for _ in range(150):
            socket.send_text('{"event":"pusher_internal:nonsense"}')

        assert await flooded(socket) == (4100, "Too many errors on this connection; reconnect later")


async def test_after_a_flood_the_connection_hears_nothing_more_of_its_channels(new_gateway, nats):
    gateway = new_gateway(nats, messages_per_second="20", burst_seconds="1")
    async with gateway.raw() as socket:
        socket.send_text('{"event":"pusher:subscribe","data":{"channel":"news"}}')
        await socket.frame()
        for number in range(200):
            socket.send_text(json.dumps({"event": "pusher:subscribe", "data": {"channel": f"more-{number}"}}))
        await flooded(socket)

        assert await gateway.metric("gateway_subscriptions") == 0


async def test_as_many_channels_as_allowed_may_be_subscribed_at_once(gateway):
    """What pusher-js does after each reconnect must not look like a flood."""
    async with gateway.connect() as client:
        for number in range(1000):
            await client.subscribe(f"many-{number}")
        await client.send("pusher:ping")

        while (await client.frame())["event"] != "pusher:pong":
            pass


async def test_an_app_may_have_so_many_channels_only_and_those_of_users_do_not_count(new_gateway, nats, tmp_path):
    (tmp_path / "apps.json").write_text(json.dumps([APP | {"maxChannels": 2}]))
    gateway = new_gateway(nats, apps_file=str(tmp_path / "apps.json"), linger_seconds="0")
    async with gateway.connect() as attacker, gateway.connect() as other:
        await attacker.sign_in("ada")
        await attacker.join("one", "two")
        await attacker.subscribe("three")
        frame = await attacker.frame()
        assert (frame["event"], json.loads(frame["data"])["status"]) == ("pusher:subscription_error", 413)
        await attacker.frame()
        await other.join("one", "two")  # there is somebody already
        for client in (attacker, other):
            await client.send("pusher:unsubscribe", data={"channel": "one"})

        async def joins():
            await other.subscribe("three")
            frame = await other.frame()
            if frame["event"] == "pusher:subscription_error":
                await other.frame()
            return frame["event"] == SUCCEEDED

        await until(joins, why="there is a place again")


class Slowloris:
    """Plain TCP connections that take their time."""

    def __init__(self, gateway):
        self._port = gateway.port
        self._writers = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        for writer in self._writers:
            writer.close()

    async def open(self, first=b""):
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        self._writers.append(writer)
        writer.write(first)
        return reader, writer


async def ended(reader):
    """Wait until the server has ended a connection, and return what it had said."""
    said = b""
    try:
        while chunk := await asyncio.wait_for(reader.read(65536), PATIENCE):
            said += chunk
    except ConnectionError:
        pass
    return said


HANDSHAKE = (
    b"GET /app/x?protocol=7 HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
EVENTS = f"/apps/{APP['id']}/events"


def half_a_body(query):
    return f"POST {EVENTS}?{query} HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{{".encode()


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /app/x", id="a-part-of-the-line"),
        pytest.param(b"GET /app/x HTTP/1.1\r\nHost: test\r\nX-A: b\r\n", id="headers-without-end"),
    ],
)
async def test_a_request_that_never_ends_is_cut(new_gateway, nats, first):
    await never_ends(new_gateway(nats, head_seconds="1", body_seconds="1", idle_seconds="0.4"), first)


async def test_a_signed_body_that_never_ends_is_cut(new_gateway, nats):
    gateway = new_gateway(nats, head_seconds="1", body_seconds="1", idle_seconds="0.4")

    await never_ends(gateway, half_a_body(signed_query("POST", EVENTS, b"{}")))  # a signature is valid for ten minutes


async def never_ends(gateway, first):
    async with Slowloris(gateway) as attacker:
        reader, _ = await attacker.open(first)

        assert await ended(reader) == b""
        assert await gateway.metric("http_limits_total") >= 1


async def test_a_trickle_of_bytes_does_not_prolong_the_deadline(new_gateway, nats):
    gateway = new_gateway(nats, head_seconds="1", body_seconds="1", idle_seconds="0.4")
    async with Slowloris(gateway) as attacker:
        reader, writer = await attacker.open(b"GET / HTTP/1.1\r\nX-A: ")

        async def trickle():
            while not reader.at_eof():
                writer.write(b"a")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        try:
            assert await ended(reader) == b""
        finally:
            trickling.cancel()


async def test_a_body_that_nobody_signed_is_not_waited_for(new_gateway, nats):
    gateway = new_gateway(nats, head_seconds="2", body_seconds="2", idle_seconds="0.4")
    async with Slowloris(gateway) as attacker:
        reader, writer = await attacker.open(half_a_body("auth_key=guessed"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")

        async def trickle():
            while not reader.at_eof():
                writer.write(b" ")
                await asyncio.sleep(0.2)

        trickling = asyncio.create_task(trickle())
        try:
            assert b"auth_key" in await ended(reader)
        finally:
            trickling.cancel()


async def test_empty_lines_after_an_answer_do_not_hold_the_connection(new_gateway, nats):
    gateway = new_gateway(nats, head_seconds="1", body_seconds="1", idle_seconds="0.4")
    async with Slowloris(gateway) as attacker:
        reader, writer = await attacker.open(b"GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n")
        await reader.readuntil(b"Not Found\n")

        async def trickle():
            while not reader.at_eof():
                writer.write(b"\r\n")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        try:
            assert await ended(reader) == b""
        finally:
            trickling.cancel()


async def test_an_established_websocket_has_no_handshake_deadline(new_gateway, nats):
    gateway = new_gateway(nats, head_seconds="1", body_seconds="1", idle_seconds="0.4", pong_seconds="20")
    async with gateway.connect() as client, Slowloris(gateway) as attacker:
        reader, _ = await attacker.open()
        await ended(reader)  # its deadline was later than the client's would be

        await client.hears_nothing()


async def test_silent_sockets_make_room_for_honest_ones(new_gateway, nats):
    gateway = new_gateway(nats, max_http_connections="16", head_seconds="60")
    async with Slowloris(gateway) as attacker:
        silent = [await attacker.open() for _ in range(50)]
        async with gateway.connect() as client:
            await client.hears_nothing()
        for reader, _ in silent[:30]:  # the oldest went first
            assert await ended(reader) == b""


async def test_an_answer_that_nobody_takes_is_cut(new_gateway, nats, tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/large-1.js").write_bytes(b"x" * (64 << 20))
    gateway = new_gateway(nats, web_dir=str(tmp_path), answer_seconds="1", idle_seconds="0.4")
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with plug:
        plug.connect((LOOPBACK, gateway.port))
        plug.sendall(b"GET /assets/large-1.js HTTP/1.1\r\nHost: test\r\n\r\n")

        async def is_cut():
            return await gateway.metric("http_limits_total") == 1

        await until(is_cut)


async def test_who_was_refused_and_stays_makes_room_for_the_next(new_gateway, nats):
    gateway = new_gateway(nats, max_http_connections="16", close_seconds="300")
    upgrade = HANDSHAKE.replace(b"/app/x", b"/nonsense")
    async with Slowloris(gateway) as attacker:
        stubborn = [await attacker.open(upgrade) for _ in range(50)]
        for reader, _ in stubborn:
            await reader.readuntil(b"4005")
        async with gateway.connect() as client:
            await client.hears_nothing()
        for reader, _ in stubborn[:30]:
            await ended(reader)


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param([b"GET /app/x HTTP/1.1\r\n"] + [b"X-A: " + b"b" * 1000 + b"\r\n"] * 40, id="headers"),
        pytest.param([b"GET /app/x HTTP/1.1\r\nX-A: "] + [b"b" * 1000] * 40, id="one-header"),
        pytest.param([b"GET /"] + [b"b" * 1000] * 40, id="path"),
    ],
)
async def test_a_head_without_end_is_refused_before_its_deadline(new_gateway, nats, endless):
    gateway = new_gateway(nats, head_seconds="60")
    async with Slowloris(gateway) as attacker:
        reader, writer = await attacker.open()
        for piece in endless:
            writer.write(piece)

        await ended(reader)
        assert await gateway.metric("http_limits_total") == 1


async def test_too_large_a_head_is_answered(gateway):
    async with Slowloris(gateway) as attacker:
        reader, _ = await attacker.open(b"GET / HTTP/1.1\r\nCookie: " + b"b" * 20_000 + b"\r\n\r\n")

        assert (await ended(reader)).startswith(b"HTTP/1.1 431 ")


async def test_a_tls_client_on_the_plain_port_is_dropped_without_an_answer(gateway):
    async with Slowloris(gateway) as attacker:
        reader, _ = await attacker.open(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")

        assert await ended(reader) == b""
