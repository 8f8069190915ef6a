"""Services that are not ours, from the attacker's side: what the password of one opens, and what it does not."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from contracts import streams
from leadwire import moved_clock, paths
from leadwire.credentials import EXAMPLES, Credentials
from runtime.broker import barrier
from support.accounts import ACK_FORMATS, configuration
from support.servers import NatsServer
from support.waiting import until

PREFIX = "leadwire"
"""Where an account finds the part of the JetStream API that it imports."""

SUBJECTS = (
    *("crm.c1.lead.l1.created", "push.4242.private-x", "live.4242.private-x", "dead.notifier", "state.4242.x.node"),
    *("roster.4242.x.node", "webhook.4242", "gateway.ask.4242", "rpc.leads.stats.c1", "_INBOX_gateway.x"),
    *("$JS.ACK.CRM.notifier.1.1.1.1.1", "$JS.API.CONSUMER.MSG.NEXT.CRM.notifier", "$SYS.REQ.SERVER.PING"),
)
OPERATIONS = {
    "STREAM.DELETE.CRM": {},
    "STREAM.PURGE.CRM": {},
    "STREAM.INFO.CRM": {},
    "STREAM.NAMES": {},
    "STREAM.CREATE.MINE": {"name": "MINE", "subjects": ["mine"]},
    "STREAM.UPDATE.CRM": {"name": "CRM", "subjects": ["crm.>"], "max_msgs": 1},
    "STREAM.MSG.GET.CRM": {"seq": 1},
    "STREAM.MSG.DELETE.CRM": {"seq": 1},
    "STREAM.MSG.GET.PUSH": {"seq": 1},
    "DIRECT.GET.CRM": {"seq": 1},
    "DIRECT.GET.PUSH": {"seq": 1},
    "DIRECT.GET.DEAD": {"seq": 1},
    "CONSUMER.CREATE.CRM": {"stream_name": "CRM", "config": {"durable_name": "mine"}},
    "CONSUMER.CREATE.PUSH": {"stream_name": "PUSH", "config": {"durable_name": "mine"}},
    "CONSUMER.DELETE.CRM.notifier": {},
    "CONSUMER.PAUSE.CRM.notifier": {"pause_until": "2100-01-01T00:00:00Z"},
    "CONSUMER.INFO.CRM.notifier": {},
    "CONSUMER.MSG.NEXT.CRM.notifier": {"batch": 1, "no_wait": True},
    "CONSUMER.MSG.NEXT.WEBHOOKS.sender": {"batch": 1, "no_wait": True},
}


@pytest.fixture(params=ACK_FORMATS)
def nats(request: pytest.FixtureRequest, new_nats: Callable[..., NatsServer], tmp_path: Path) -> NatsServer:
    server = new_nats(configuration(tmp_path, addition=ACK_FORMATS[request.param]))
    server.ensure_streams()
    return server


async def publish(js: JetStreamContext, *positions: int) -> None:
    for position in positions:
        await js.publish(f"crm.c1.lead.l{position}.created", f"{position}".encode())


async def everything(operator: Client) -> Any:
    """Return all that a listener could harm: what the streams hold, and where their consumers stand."""
    js = operator.jetstream()
    found: dict[str, Any] = {}
    for stream in await js.streams_info():
        name = stream.config.name
        assert name is not None
        consumers = await js.consumers_info(name)
        found[name] = (
            stream.config,
            stream.state.messages,
            {each.name: (each.config, each.num_pending, each.num_ack_pending) for each in consumers},
        )
    return found


@asynccontextmanager
async def overhearing(operator: Client, subjects: Iterable[str]) -> Any:
    """Listen as our services do, and return what is heard."""
    heard: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(f"{message.subject}: {message.data!r}")

    for subject in subjects:
        await operator.subscribe(subject, cb=hear)
    await barrier(operator)
    yield heard


@pytest.mark.parametrize("user", EXAMPLES)
async def test_a_listener_reads_through_its_own_consumer_one_fact_at_a_time(nats: NatsServer, user: str) -> None:
    async with nats.client() as operator, nats.client(user) as listener:
        await publish(operator.jetstream(), 1, 2, 3)
        pull = await listener.jetstream(prefix=PREFIX).pull_subscribe("crm.>", durable=user, stream=streams.CRM)
        read = []
        for _ in range(3):
            (message,) = await pull.fetch(2, timeout=0.5)
            read.append(message.data)
            await message.ack_sync()

        info = await operator.jetstream().consumer_info(streams.CRM, user)

    assert read == [b"1", b"2", b"3"]
    assert info.ack_floor is not None
    assert (info.ack_floor.stream_seq, info.num_pending, info.num_ack_pending) == (3, 0, 0)


async def test_a_fact_that_comes_again_is_not_overtaken(nats: NatsServer) -> None:
    async with nats.client() as operator, nats.client("example-node") as listener:
        await publish(operator.jetstream(), 1, 2)
        pull = await listener.jetstream(prefix=PREFIX).pull_subscribe_bind("example-node", streams.CRM)
        (message,) = await pull.fetch(1, timeout=5)
        await message.nak(delay=0.5)

        (again,) = await pull.fetch(1, timeout=5)

    assert again.data == b"1"
    assert again.metadata.num_delivered == 2


@pytest.mark.parametrize("user", EXAMPLES)
async def test_what_a_listener_publishes_reaches_nobody(nats: NatsServer, user: str) -> None:
    async with nats.client() as operator, nats.client(user) as listener, overhearing(operator, SUBJECTS) as heard:
        before = await everything(operator)
        for subject in SUBJECTS:
            await listener.publish(subject, b"forged")
        await barrier(listener)

        await barrier(operator)
        assert await everything(operator) == before
        assert heard == []


@pytest.mark.parametrize("user", EXAMPLES)
async def test_a_listener_hears_nothing_but_its_consumer(nats: NatsServer, user: str) -> None:
    async with nats.client() as operator, nats.client(user) as listener, overhearing(listener, [">"]) as heard:
        js = operator.jetstream()
        await publish(js, 1)
        for subject in ("push.4242.private-x", "dead.notifier", "state.4242.x.node", "webhook.4242"):
            await js.publish(subject, b"x")
        await operator.publish("rpc.leads.stats.c1", b"{}")
        await barrier(operator)

        await barrier(listener)
        assert heard == []


@pytest.mark.parametrize("user", EXAMPLES)
@pytest.mark.parametrize("prefix", ["$JS.API", PREFIX])
async def test_a_listener_manages_nothing(nats: NatsServer, user: str, prefix: str) -> None:
    answers = {}
    async with nats.client() as operator, nats.client(user) as listener:
        await publish(operator.jetstream(), 1)
        before = await everything(operator)
        for operation, request in OPERATIONS.items():
            try:
                answer = await listener.request(f"{prefix}.{operation}", json.dumps(request).encode(), timeout=5)
            except NoRespondersError:
                continue
            answers[operation] = json.loads(answer.data)["error"]["description"]

        assert await everything(operator) == before

    assert set(answers.values()) <= {"JetStream not enabled for account"}


@pytest.mark.parametrize("reply", ["crm.c1.lead.l1.created", "push.4242.private-x", "live.4242.private-x", "dead.x"])
async def test_a_listener_cannot_have_the_server_publish_for_it(nats: NatsServer, reply: str) -> None:
    # The server checks no permission of a reply subject: with users of one account this stores a fact where it says.
    async with (
        nats.client() as operator,
        nats.client("example-node") as listener,
        overhearing(operator, [reply]) as heard,
    ):
        await publish(operator.jetstream(), 1)
        before = {name: messages for name, (_, messages, _) in (await everything(operator)).items()}
        heard.clear()
        own = await listener.subscribe(reply)  # the server hands nothing out to where nobody listens
        await listener.publish(f"{PREFIX}.CONSUMER.MSG.NEXT.CRM.example-node", b"1", reply=reply)

        assert (await own.next_msg(timeout=10)).data == b"1"
        await barrier(operator)
        assert heard == []
        assert {name: messages for name, (_, messages, _) in (await everything(operator)).items()} == before


async def test_who_creates_consumers_could_write_where_it_may_not(nats: NatsServer) -> None:
    # Why consumers are declared, and made by the migrate step alone.
    channel = "live.4242.private-x"
    async with (
        nats.client() as operator,
        nats.client("gateway") as gateway,
        nats.client("migrate") as creator,
        overhearing(gateway, [channel]) as heard,
    ):
        await creator.publish(channel, b"refused")
        await barrier(creator)
        await barrier(gateway)
        assert heard == []
        mine = ConsumerConfig(
            durable_name="mine",
            deliver_subject=channel,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.NONE,
        )
        await creator.jetstream().add_consumer(streams.CRM, mine)
        await publish(operator.jetstream(), 1)

        await until(lambda: heard)


async def refusal(nats: NatsServer, *commands: str) -> bytes:
    """Log in as a listener, send commands, and return the first line that is an error."""
    reader, writer = await asyncio.open_connection(nats.host, nats.port)
    login = {"verbose": False, "user": "example-node", "pass": nats.credentials.nats["example-node"]}
    try:
        writer.write("".join([f"CONNECT {json.dumps(login)}\r\n", *commands]).encode())
        while not (line := await asyncio.wait_for(reader.readline(), 10)).startswith(b"-ERR"):
            assert line
        return line.strip().lower()
    finally:
        writer.close()


async def test_a_listener_cannot_use_up_the_server(nats: NatsServer) -> None:
    assert await refusal(nats, f"PUB own {16 * 1024 + 1}\r\n") == b"-err 'maximum payload violation'"
    too_many = (f"SUB own.{number} {number}\r\n" for number in range(257))
    assert await refusal(nats, *too_many) == b"-err 'maximum subscriptions exceeded'"
    async with AsyncExitStack() as stack:
        for _ in range(16):
            await stack.enter_async_context(nats.client("example-node"))
        assert await refusal(nats) == b"-err 'maximum account active connections exceeded'"


def test_an_account_cannot_import_the_consumer_of_another(credentials: Credentials, tmp_path: Path) -> None:
    text = paths.NATS_CONFIG.read_text()
    before, found, last = text.rpartition("\n  example-node {")
    assert found
    theirs = tmp_path / "nats.conf"
    theirs.write_text(f"{before}{found}{last.replace('CRM.example-node', 'CRM.notifier')}")

    said = subprocess.run(
        [
            *moved_clock.launcher(),
            paths.NATS_SERVER,
            "--config",
            theirs,
            "--addr",
            "127.0.0.1",
            "--port",
            "-1",
            "--store_dir",
            tmp_path,
        ],
        env={**os.environ, **credentials.nats_environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert said.returncode == 1
    for service in (
        *("CONSUMER.INFO.CRM.notifier", "CONSUMER.MSG.NEXT.CRM.notifier"),
        *("$JS.ACK.CRM.notifier.>", "$JS.ACK._.0GdAKPEe.CRM.notifier.>"),
    ):
        assert f'{service}": service import not authorized' in said.stderr
