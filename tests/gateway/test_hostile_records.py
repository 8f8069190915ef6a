"""Records that no gateway wrote: a gateway starts with them on the stream, stays up, and becomes ready."""

from collections.abc import Callable

from contracts import streams
from gateway import epoch
from support import hostile
from support.gateways import GatewayProcess
from support.hostile import Hostile
from support.servers import NatsServer

SUBJECTS = (
    "state.node.stranger",
    "state.process.stranger",
    "state.epoch",
    "state.announcing",
    "state.announced.x.y",
    "state.announced.=FF",
    "state.topic.leadwire.company.stranger",
)
BODIES = {
    **hostile.BODIES,
    "connections in words": b'{"connections":{"leadwire":"many"}}',
    "no connections": b'{"connections":[]}',
    "infinite": b'{"connections":{"leadwire":1e999},"count":1e999}',
}


async def test_a_gateway_becomes_ready_whatever_the_records_say(
    nats: NatsServer, new_gateway: Callable[..., GatewayProcess]
) -> None:
    for why in ("deep lists", "not UTF-8", "long number", "list", "connections in words", "infinite"):
        async with nats.client() as operator:
            records = [Hostile(why, subject.encode(), BODIES[why]) for subject in SUBJECTS]
            before = (await operator.jetstream().stream_info(streams.STATE)).state.last_seq
            await hostile.store(operator, records)
            after = (await operator.jetstream().stream_info(streams.STATE)).state.last_seq
            assert after == before + len(records)

        gateway = new_gateway(nats)  # returns when it is ready

        assert gateway.exit_code is None, why
        gateway.stop()


def test_a_generation_too_long_is_none() -> None:
    assert epoch.generation(b"9" * 5_000) == 0
