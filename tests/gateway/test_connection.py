"""The protocol's section 1 on real sockets; the numbers are those of its conformance checklist."""

import asyncio
import json
import re
from itertools import chain, product

import httpx
import pytest
from websockets.frames import CloseCode

from support.gateways import (
    APP,
    DISABLED_APP,
    EASY_APP,
    PATIENCE,
    QUERY,
    SMALL_APP,
    Client,
    GatewayProcess,
    checked,
    signed_query,
)
from support.waiting import until

IDLE, PONG = 0.4, 3.0  # seconds, of a gateway that soon asks; who must answer has more time than a busy machine takes
LIFE = IDLE + PONG  # of a connection that says nothing
PAUSE = 0.2


async def refusal(gateway, target, **options):
    """Return the only frame and the close frame that a target is answered with."""
    async with gateway.open(target, **options) as socket:
        frame = checked(await socket.recv())
        return frame["data"], await Client(socket, APP).closing()


async def test_001_002_the_first_frame_establishes_the_connection(gateway):
    async with gateway.open(f"/app/{APP['key']}?{QUERY}") as socket:
        frame = json.loads(await socket.recv())

    assert set(frame) == {"event", "data"}
    assert frame["event"] == "pusher:connection_established"
    data = json.loads(frame["data"])
    assert set(data) == {"socket_id", "activity_timeout"}
    assert re.fullmatch(r"\d+\.\d+", data["socket_id"])
    assert data["activity_timeout"] == 120


async def test_003_the_socket_ids_of_ten_thousand_connections_differ_on_two_nodes(gateways):
    async def socket_ids(gateway, number):
        ids = []
        for _ in range(number):
            async with gateway.connect() as client:
                ids.append(client.socket_id)
        return ids

    found = await asyncio.gather(*(socket_ids(gateway, 250) for gateway in gateways for _ in range(20)))
    ids = list(chain.from_iterable(found))

    assert len(set(ids)) == len(ids) == 10_000
    assert all(int(half) < 1 << 31 for each in ids for half in each.split("."))


@pytest.mark.parametrize("version", ["5", "6"])
async def test_004_older_protocols_are_welcome(gateway, version):
    async with gateway.connect(query=f"client=java-client&protocol={version}&version=1") as client:
        await client.hears_nothing()


@pytest.mark.parametrize(
    ("target", "code"),
    [
        pytest.param(f"/app/{APP['key']}", 4008, id="005-protocol-absent"),
        pytest.param(f"/app/{APP['key']}?protocol=3", 4007, id="006-protocol-3"),
        pytest.param(f"/app/{APP['key']}?protocol=99", 4007, id="006-protocol-99"),
        pytest.param(f"/app/{APP['key']}?protocol=seven", 4007, id="006-protocol-not-a-number"),
        pytest.param(f"/app/unknown?{QUERY}", 4001, id="007-unknown-key"),
        pytest.param(f"/app/{DISABLED_APP['key']}?{QUERY}", 4003, id="008-app-disabled"),
        pytest.param(f"/nonsense?{QUERY}", 4005, id="010-unknown-path"),
        pytest.param(f"//app/{APP['key']}?{QUERY}", 4005, id="010-double-slash"),
        pytest.param("/app/?protocol=7", 4005, id="010-no-key"),
    ],
)
async def test_013_014_155_156_a_refusal_is_a_frame_and_a_close_with_the_same_code(gateway, target, code):
    data, (closed_with, reason) = await refusal(gateway, target)

    assert data["code"] == closed_with == code
    assert data["message"] == reason
    assert len(reason.encode()) <= 123


async def test_011_an_app_over_its_quota_refuses_the_next_and_keeps_the_first(gateway):
    async with gateway.connect(SMALL_APP) as first:
        data, (code, _) = await refusal(gateway, f"/app/{SMALL_APP['key']}?{QUERY}")

        assert data["code"] == code == 4004
        await first.hears_nothing()


async def test_an_app_may_be_as_easy_as_soketi(gateway):
    async with gateway.connect(EASY_APP, query="protocol=99") as first:
        data, (code, _) = await refusal(gateway, f"/app/{EASY_APP['key']}")
        assert data["code"] == code == 4100  # too many, and no protocol at all
        await first.hears_nothing()

    async def established():
        async with gateway.open(f"/app/{EASY_APP['key']}") as socket:
            frame = checked(await socket.recv())
            return frame["event"] == "pusher:connection_established" and json.loads(frame["data"])

    assert (await until(established, why="the place is free again"))["activity_timeout"] == 30


async def test_011_a_place_is_free_again_after_a_connection_ended(gateway):
    for _ in range(3):
        async with gateway.connect(SMALL_APP) as client:
            await client.hears_nothing()


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (["pusher-channels-protocol-7"], "pusher-channels-protocol-7"),
        (["other", "pusher-channels-protocol-5"], "pusher-channels-protocol-5"),
        (["other"], None),
        (None, None),
    ],
)
async def test_015_the_offered_subprotocol_is_echoed(gateway, offered, selected):
    async with gateway.connect(subprotocols=offered) as client:
        assert client.socket.subprotocol == selected


@pytest.mark.parametrize("fields", [{"data": {}}, {}, {"data": ""}, {"data": None}], ids=str)
async def test_016_017_a_ping_of_any_shape_is_answered(gateway, fields):
    async with gateway.connect() as client:
        await client.send("pusher:ping", **fields)

        assert await client.frame() == {"event": "pusher:pong", "data": "{}"}


async def test_018_a_websocket_ping_is_answered_with_its_payload_and_no_frame(gateway):
    async with gateway.connect() as client:
        await asyncio.wait_for(await client.socket.ping(b"payload"), PATIENCE)

        await client.hears_nothing()


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", "7", '""', "{}", '{"event":7}', '{"event":null,"data":{}}', "\x00"]
)
async def test_026_malformed_messages_are_errors_that_close_nothing(gateway, text):
    async with gateway.connect() as client:
        await client.socket.send(text)

        frame = await client.frame()
        assert (frame["event"], frame["data"]["code"]) == ("pusher:error", None)
        await client.hears_nothing()


@pytest.mark.parametrize("event", ["pusher:nonsense", "pusher_internal:member_added", "anything", "xclient-x", ""])
async def test_027_unsupported_events_are_errors_and_are_not_relayed(gateway, event):
    async with gateway.connect() as sender, gateway.connect() as listener:
        await sender.join("private-shared")
        await listener.join("private-shared")

        await sender.send(event, channel="private-shared", data={})

        frame = await sender.frame()
        assert (frame["event"], frame["data"]["code"]) == ("pusher:error", None)
        await sender.hears_nothing()
        await listener.hears_nothing()


async def test_028_a_path_prefix(new_gateway, nats):
    gateway = new_gateway(nats, path_prefix="/realtime")
    prefixed = f"/realtime/app/{APP['key']}?{QUERY}"

    for target in (prefixed, prefixed.removeprefix("/realtime")):  # kept by the proxy, or removed
        async with gateway.open(target) as socket:
            assert checked(await socket.recv())["event"] == "pusher:connection_established"
    for wrong in ("/realtimeapp", "/realtime/realtime/app", "/other/app"):
        data, _ = await refusal(gateway, f"{wrong}/{APP['key']}?{QUERY}")
        assert data["code"] == 4005

    path = f"/apps/{APP['id']}/channels"
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        for signed, sent in product((path, f"/realtime{path}"), repeat=2):
            answer = await http.get(f"{sent}?{signed_query('GET', signed)}")
            assert answer.status_code == 200, (signed, sent)
        assert (await http.get(f"{path}?{signed_query('GET', f'/other{path}')}")).status_code == 401


@pytest.mark.parametrize("path", ["/app/{key}", "/app/{key}?protocol=7", "/realtime/app/{key}", "/app/unknown"])
@pytest.mark.parametrize("headers", [{}, {"Upgrade": "websocket"}, {"Connection": "Upgrade"}])
async def test_a_proxy_that_drops_the_upgrade_is_told_so(gateway, new_gateway, nats, path, headers):
    if path.startswith("/realtime"):
        gateway = new_gateway(nats, path_prefix="/realtime")
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        answer = await http.get(path.format(key=APP["key"]), headers=headers)
        other = await http.get("/application/x")

    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert "A proxy in front of the gateway must pass the headers Upgrade and Connection on." in answer.text
    assert other.status_code == 404


async def test_an_upgrade_that_is_no_websocket_handshake_is_refused_by_http(gateway):
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        answer = await http.get("/app/x", headers={"Connection": "Upgrade", "Upgrade": "websocket"})

    assert answer.status_code == 400


class TestSilence:
    """Probing, with a patience of seconds."""

    @pytest.fixture(scope="class")
    @staticmethod
    def impatient(nats_server, request):
        nats_server.ensure_streams()
        process = GatewayProcess(nats_server, idle_seconds=str(IDLE), pong_seconds=str(PONG))
        process.start()
        yield process
        process.close()

    async def test_019_023_a_silent_connection_is_probed_reminded_and_closed(self, impatient):
        async with impatient.raw() as socket:
            seen = [await socket.frame() for _ in range(4)]

        assert seen == [
            ("ping", b""),
            ("text", b'{"event":"pusher:ping","data":"{}"}'),
            ("text", b'{"event":"pusher:error","data":{"code":4201,"message":"Pong reply not received in time"}}'),
            ("close", (4201).to_bytes(2, "big") + b"Pong reply not received in time"),
        ]

    async def test_020_a_connection_that_only_answers_websocket_pings_stays(self, impatient):
        async with impatient.connect() as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.socket.recv(), LIFE + 1)  # the client library answers by itself

            await client.hears_nothing()

    async def test_021_a_connection_that_only_answers_pusher_pings_stays(self, impatient):
        async with impatient.raw() as socket:
            for _ in range(3):  # the second time it has outlived one that says nothing
                assert await socket.frame() == ("ping", b"")
                assert await socket.frame() == ("text", b'{"event":"pusher:ping","data":"{}"}')
                socket.send_text('{"event":"pusher:pong","data":{}}')

    async def test_022_a_connection_that_only_receives_stays(self, impatient):
        async with impatient.connect() as client:
            await client.join("news")
            for number in range(round((LIFE + 1) / PAUSE)):
                await impatient.trigger("news", str(number))
                assert await client.event() == (str(number), "news", "{}")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.socket.recv(), PAUSE)


async def test_025_a_binary_frame_closes_with_1003(gateway):
    async with gateway.connect() as client:
        await client.socket.send(b"\x00\x01")

        code, _ = await client.closing()
        assert code == CloseCode.UNSUPPORTED_DATA
