"""Random bytes on real sockets: the process survives, others notice nothing, memory stays where it was."""

import asyncio
import random

import psutil
import pytest

from support.gateways import APP, LOOPBACK, MASK, QUERY
from support.waiting import until

HANDSHAKE = (
    f"GET /app/{APP['key']}?{QUERY} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()
ROUNDS = 150
GROWTH = 48 * 1024 * 1024  # bytes a process may grow by; each round alone sends up to 64 KiB


def frame(chance, payload):
    """Return a masked frame, now and then with a wrong bit somewhere in its header."""
    size = len(payload)
    header = bytearray([0x80 | chance.choice([1, 1, 1, 0, 2, 8, 9, 10]), 0x80 | 127]) + size.to_bytes(8, "big") + MASK
    if chance.random() < 0.3:
        header[chance.randrange(len(header))] ^= 1 << chance.randrange(8)
    return bytes(header) + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


def noise(chance):
    return chance.randbytes(chance.choice([1, 10, 1000, 65_536]))


def mutated_handshake(chance):
    data = bytearray(HANDSHAKE)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randrange(20)]
            case _:
                data[place:place] = chance.randbytes(chance.randrange(20))
    return bytes(data) + noise(chance)


def frames_of_noise(chance):
    return HANDSHAKE + b"".join(frame(chance, chance.randbytes(chance.randrange(300))) for _ in range(50))


def frames_of_commands(chance):
    words = [
        "pusher:subscribe",
        "pusher:signin",
        "client-x",
        "private-a",
        "presence-a",
        "auth",
        "null",
        "data",
        '"',
        ":",
    ]
    texts = ("{" + ",".join(chance.choices(words, k=6)) + "}" for _ in range(50))
    valid = '{"event":"pusher:subscribe","data":{"channel":"fuzz-%d"}}'
    return HANDSHAKE + b"".join(
        frame(chance, (valid % number if chance.random() < 0.5 else text).encode()) for number, text in enumerate(texts)
    )


@pytest.mark.parametrize("attack", [noise, mutated_handshake, frames_of_noise, frames_of_commands])
async def test_a_gateway_survives_whatever_bytes_it_gets(new_gateway, nats, attack):
    gateway = new_gateway(nats, head_seconds="2", close_seconds="0.5", idle_seconds="60")
    chance = random.Random(20_261_124)

    async def once():
        reader, writer = await asyncio.open_connection(LOOPBACK, gateway.port)
        try:
            data = attack(chance)
            cut = chance.randrange(len(data))
            writer.write(data[:cut])
            await asyncio.sleep(0)
            writer.write(data[cut:])
            if chance.random() < 0.5:
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 60)
        except OSError:  # cut in the middle
            pass
        finally:
            writer.close()

    process = psutil.Process(gateway.pid)
    async with gateway.connect() as witness:
        await witness.join("news")
        await asyncio.gather(*(once() for _ in range(20)))
        before = process.memory_info().rss
        for number in range(ROUNDS // 10):
            await asyncio.gather(*(once() for _ in range(10)))
            await gateway.trigger("news", str(number))
            assert (await witness.event())[0] == str(number)

        async def only_the_witness_is_left():
            return await gateway.metric("gateway_connections") == await gateway.metric("gateway_subscriptions") == 1

        await until(only_the_witness_is_left)
        assert process.memory_info().rss - before < GROWTH
    assert {line["level"] for line in gateway.log()} <= {"info", "warning"}
