"""What an attacker inside one NATS account can make the server, or another service, do for him.

The attacker here is worse than one with a stolen password: he has a user of the account that no permission restricts.
Observers in all accounts see what arrives where.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from contracts import streams
from leadwire import paths
from runtime.broker import barrier
from support.accounts import ACCOUNTS, ACK_FORMATS, configuration, observed, settled
from support.servers import NatsServer
from support.waiting import until

HASH = "0GdAKPEe"  # of the name LEADWIRE
STREAMS = [str(stream.name) for stream in streams.STREAMS]
ATTACKERS = ACCOUNTS[1:]

MAY: dict[str, tuple[str, ...]] = {
    # account → what it may publish outside itself. Everything else must stay inside.
    "leads-api": ("$JS.API.INFO", "$JS.API.STREAM.INFO.CRM"),
    "leads-relay": (
        *("crm.>", "rpc.notifier.where", "gateway.where"),
        *("$JS.API.INFO", "$JS.API.STREAM.INFO.CRM", "$JS.API.DIRECT.GET.CRM"),
    ),
    "notifier": (
        *("push.>", "dead.notifier", "rpc.leads.stats.*", "rpc.leads.changes.*"),
        *("$JS.API.INFO", "$JS.API.STREAM.INFO.PUSH", "$JS.API.STREAM.INFO.DEAD"),
        *("$JS.API.DIRECT.GET.PUSH", "$JS.API.DIRECT.GET.DEAD", "$JS.API.STREAM.MSG.DELETE.DEAD"),
        *("$JS.API.CONSUMER.INFO.CRM.notifier", "$JS.API.CONSUMER.MSG.NEXT.CRM.notifier"),
        *("$JS.ACK.CRM.notifier.>", f"$JS.ACK._.{HASH}.CRM.notifier.>"),
    ),
    "gateway": (
        *("push.>", "state.>", "webhook.>"),
        *("$JS.API.INFO", "$JS.API.STREAM.INFO.PUSH", "$JS.API.STREAM.INFO.STATE", "$JS.API.STREAM.INFO.WEBHOOKS"),
        *("$JS.API.DIRECT.GET.PUSH", "$JS.API.DIRECT.GET.PUSH.>"),
        *("$JS.API.DIRECT.GET.STATE", "$JS.API.DIRECT.GET.STATE.>", "$JS.API.STREAM.PURGE.STATE"),
        *("$JS.API.CONSUMER.INFO.WEBHOOKS.sender", "$JS.API.CONSUMER.MSG.NEXT.WEBHOOKS.sender"),
        *("$JS.ACK.WEBHOOKS.sender.>", f"$JS.ACK._.{HASH}.WEBHOOKS.sender.>"),
    ),
    "migrate": (
        *("$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.CREATE.*", "$JS.API.STREAM.UPDATE.*"),
        *("$JS.API.CONSUMER.LIST.*", "$JS.API.CONSUMER.DURABLE.CREATE.*.*", "$JS.API.DIRECT.GET.CRM"),
    ),
    "example-node": (
        *("leadwire.CONSUMER.INFO.CRM.example-node", "leadwire.CONSUMER.MSG.NEXT.CRM.example-node"),
        *("$JS.ACK.CRM.example-node.>", f"$JS.ACK._.{HASH}.CRM.example-node.>"),
    ),
    "example-replay": (
        *("leadwire.CONSUMER.INFO.CRM.example-replay", "leadwire.CONSUMER.MSG.NEXT.CRM.example-replay"),
        *("$JS.ACK.CRM.example-replay.>", f"$JS.ACK._.{HASH}.CRM.example-replay.>", "rpc.leads.changes.*"),
    ),
}

API = tuple(
    f"$JS.API.{operation}"
    for operation in (
        *("INFO", "ACCOUNT.PURGE.LEADWIRE", "STREAM.NAMES", "STREAM.LIST", "STREAM.CREATE.MINE", "SERVER.REMOVE"),
        *(f"STREAM.{verb}.{name}" for verb in ("INFO", "UPDATE", "DELETE", "PURGE", "MSG.GET") for name in STREAMS),
        *(f"STREAM.{verb}.{name}" for verb in ("MSG.DELETE", "SNAPSHOT", "LEADER.STEPDOWN") for name in STREAMS),
        *(f"DIRECT.GET.{name}" for name in STREAMS),
        *("DIRECT.GET.CRM.crm.c1.lead.l1.created", "DIRECT.GET.PUSH.push.4242.x", "DIRECT.GET.STATE.state.x"),
        *(f"CONSUMER.{verb}.{name}" for verb in ("CREATE", "LIST", "NAMES") for name in STREAMS),
        *(f"CONSUMER.{verb}.CRM.mine" for verb in ("CREATE", "DURABLE.CREATE", "DELETE", "PAUSE", "MSG.NEXT")),
        *("CONSUMER.CREATE.PUSH.mine.push.>", "CONSUMER.CREATE.CRM.mine.crm.>"),
        *(
            f"CONSUMER.{verb}.{consumer}"
            for verb in ("INFO", "DELETE", "PAUSE", "RESET", "UNPIN", "LEADER.STEPDOWN", "MSG.NEXT")
            for consumer in ("CRM.notifier", "CRM.example-node", "CRM.example-replay", "WEBHOOKS.sender")
        ),
    )
)
ACKS = tuple(
    f"$JS.ACK.{prefix}{consumer}.1.1.1.1.0"
    for prefix in ("", f"_.{HASH}.")
    for consumer in ("CRM.notifier", "CRM.example-node", "CRM.example-replay", "WEBHOOKS.sender")
)
FOREIGN = (
    *("crm.c1.lead.deputy.created", "push.4242.deputy", "live.4242.deputy", "dead.notifier", "dead.deputy"),
    *("state.topic.deputy", "roster.topic.deputy", "webhook.deputy", "gateway.ask.deputy", "gateway.where"),
    *("rpc.leads.stats.deputy", "rpc.leads.changes.deputy", "rpc.leads.deputy", "rpc.notifier.retry"),
    *("rpc.notifier.where", "anything", "leadwire.CONSUMER.INFO.CRM.notifier", "$SYS.REQ.SERVER.PING"),
    *("leadwire.CONSUMER.MSG.NEXT.CRM.notifier", "$JS.EVENT.ADVISORY.deputy", "$SYS.REQ.ACCOUNT.LEADWIRE.CONNZ"),
    # A reply subject of this form the server also reads out of its own headers, for streams that take fast batches.
    *(f"{subject}.uuid.1.ok.1.0.$FI" for subject in ("crm.c1.lead.deputy.created", "live.4242.deputy")),
    *(f"_INBOX_{account}.deputy" for account in ACCOUNTS),
    *API,
)
"""Subjects that belong to somebody."""

FIRST = json.dumps({"seq": 1}).encode()
BATCH = json.dumps({"seq": 1, "next_by_subj": ">", "batch": 3}).encode()
LAST = json.dumps({"multi_last": [">"], "batch": 3}).encode()
NEXT = json.dumps({"batch": 1, "expires": 100_000_000}).encode()  # nanoseconds
REQUESTS: dict[str, tuple[tuple[str, bytes], ...]] = {
    # account → requests that are answered: by the server, or by the service that it asks.
    "leads-api": (("$JS.API.INFO", b""), ("$JS.API.STREAM.INFO.CRM", b"")),
    "leads-relay": (
        *(("crm.c1.lead.legit.created", b"{}"), ("$JS.API.INFO", b""), ("$JS.API.STREAM.INFO.CRM", b"")),
        *(("$JS.API.DIRECT.GET.CRM", body) for body in (FIRST, BATCH, LAST)),
        *(("rpc.notifier.where", b"{}"), ("gateway.where", b"{}")),
    ),
    "notifier": (
        *(("push.4242.legit", b"{}"), ("dead.notifier", b"{}"), ("$JS.API.CONSUMER.INFO.CRM.notifier", b"")),
        *(("$JS.API.DIRECT.GET.PUSH", body) for body in (FIRST, BATCH, LAST)),
        *(("$JS.API.DIRECT.GET.DEAD", FIRST), ("$JS.API.STREAM.INFO.PUSH", b""), ("$JS.API.STREAM.INFO.DEAD", b"")),
        ("$JS.API.STREAM.MSG.DELETE.DEAD", json.dumps({"seq": 1 << 40}).encode()),
        *(("$JS.API.CONSUMER.MSG.NEXT.CRM.notifier", NEXT), ("$JS.ACK.CRM.notifier.1.1.1.1.0", b"+ACK")),
        (f"$JS.ACK._.{HASH}.CRM.notifier.1.1.1.1.0", b"+ACK"),
        *(("rpc.leads.stats.c1", b"{}"), ("rpc.leads.changes.c1", b"{}")),
    ),
    "gateway": (
        *(("push.4242.legit", b"{}"), ("state.topic.legit", b"{}"), ("webhook.legit", b"{}")),
        *((f"$JS.API.DIRECT.GET.{name}", body) for name in ("PUSH", "STATE") for body in (FIRST, BATCH, LAST)),
        *(("$JS.API.DIRECT.GET.PUSH.push.4242.x", b""), ("$JS.API.DIRECT.GET.STATE.state.x", b"")),
        *((f"$JS.API.STREAM.INFO.{name}", b"") for name in ("PUSH", "STATE", "WEBHOOKS")),
        ("$JS.API.STREAM.PURGE.STATE", json.dumps({"filter": "state.nothing"}).encode()),
        *(("$JS.API.CONSUMER.INFO.WEBHOOKS.sender", b""), ("$JS.API.CONSUMER.MSG.NEXT.WEBHOOKS.sender", NEXT)),
        ("$JS.ACK.WEBHOOKS.sender.1.1.1.1.0", b"+ACK"),
    ),
    "migrate": (
        *(("$JS.API.STREAM.INFO.CRM", b""), ("$JS.API.CONSUMER.LIST.CRM", b""), ("$JS.API.DIRECT.GET.CRM", BATCH)),
        *(("$JS.API.STREAM.CREATE.CRM", b"{}"), ("$JS.API.STREAM.UPDATE.CRM", b"{}")),
        ("$JS.API.CONSUMER.DURABLE.CREATE.CRM.mine", b"{}"),
    ),
    "example-node": (
        *(("leadwire.CONSUMER.INFO.CRM.example-node", b""), ("leadwire.CONSUMER.MSG.NEXT.CRM.example-node", NEXT)),
        ("$JS.ACK.CRM.example-node.1.1.1.1.0", b"+ACK"),
    ),
    "example-replay": (("rpc.leads.changes.c1", b"{}"),),
}


def matches(subject: str, pattern: str) -> bool:
    regex = re.escape(pattern).replace(r"\*", "[^.]+").replace(">", ".+")
    return re.fullmatch(regex, subject) is not None


def may(account: str, subject: str) -> bool:
    return any(matches(subject, pattern) for pattern in MAY[account])


@pytest.fixture(params=ACK_FORMATS)
def server(request: pytest.FixtureRequest, new_nats: Callable[..., NatsServer], tmp_path: Path) -> NatsServer:
    server = new_nats(configuration(tmp_path, addition=ACK_FORMATS[request.param], observed=True))
    server.ensure_streams()
    return server


async def everything(operator: Client) -> dict[str, Any]:
    """Return what the streams and their consumers are, and hold."""
    js = operator.jetstream()
    found: dict[str, Any] = {}
    for stream in await js.streams_info():
        consumers = await js.consumers_info(str(stream.config.name))
        states = {str(each.name): (each.config, each.num_ack_pending, each.ack_floor) for each in consumers}
        found[str(stream.config.name)] = stream.config, stream.state.messages, stream.state.first_seq, states
    return found


async def fill(operator: Client) -> None:
    """Store something in each stream."""
    js = operator.jetstream()
    for subject in ("crm.c1.lead.l1.created", "push.4242.x", "dead.notifier", "state.x", "webhook.x"):
        for _ in range(2):
            await js.publish(subject, f"stored on {subject}".encode())


@contextlib.asynccontextmanager
async def services(server: NatsServer) -> AsyncIterator[None]:
    """Answer what services answer, as their real users."""

    async def answer(message: Msg) -> None:
        await message.respond(b"answer to " + message.data)

    async with server.client("leads-api") as api, server.client("notifier") as notifier, server.client("gateway") as it:
        await api.subscribe("rpc.leads.>", queue="leads", cb=answer)
        await notifier.subscribe("rpc.notifier.>", cb=answer)
        await it.subscribe("gateway.where", cb=answer)
        for client in (api, notifier, it):
            await barrier(client)
        yield


@pytest.mark.parametrize("name", ATTACKERS)
async def test_what_an_account_publishes_arrives_where_it_may_and_nowhere_else(server: NatsServer, name: str) -> None:
    async with observed(server) as accounts:
        await fill(accounts["LEADWIRE"].client)
        before = await everything(accounts["LEADWIRE"].client)
        for account in accounts.values():
            account.heard.clear()
        subjects = {*FOREIGN, *ACKS}
        for subject in subjects:
            await accounts[name].client.publish(subject, f"forged on {subject}".encode())
        await settled({name: accounts[name]})
        await settled(accounts)

        others = [account for other, account in accounts.items() if other != name]
        arrived = {subject for subject in subjects if any(other.has(f"forged on {subject}") for other in others)}
        assert arrived == {subject for subject in subjects if may(name, subject)}
        after = await everything(accounts["LEADWIRE"].client)
        written = {f"{subject.partition('.')[0]}.>" for subject in arrived if "$" not in subject}
        for stream in streams.STREAMS:
            if not written & set(stream.subjects or ()) and stream.name in after:
                assert after[stream.name] == before[stream.name]


@pytest.mark.parametrize("name", ATTACKERS)
async def test_no_reply_subject_leads_out_of_an_account(server: NatsServer, name: str) -> None:
    own = {subject.replace("leadwire.", "$JS.API.") for subject, _ in REQUESTS[name]}
    replies = [subject for subject in FOREIGN if not may(name, subject) and subject not in own]
    async with observed(server) as accounts, services(server):
        attacker = accounts[name]
        others = [account for other, account in accounts.items() if other != name]
        await fill(accounts["LEADWIRE"].client)
        await settled(accounts)
        before = await everything(accounts["LEADWIRE"].client)
        for account in accounts.values():
            account.heard.clear()
        for subject, body in REQUESTS[name]:
            for reply in replies:
                await attacker.client.publish(subject, body, reply=reply)
            await until(
                lambda: len(set(replies) - attacker.subjects()) <= len(attacker.delivered()),
                within=20,
                why=f"{subject} is answered on each reply subject",
            )
            attacker.heard.clear()
        await settled(accounts)

        assert not set(replies) & set.union(*(other.subjects() for other in others))
        assert not any(account.delivered() for other, account in accounts.items() if other not in {name, "LEADWIRE"})
        after = await everything(accounts["LEADWIRE"].client)
        written = {stream for stream in STREAMS if after[stream] != before[stream]}
        stored = {subject.partition(".")[0] for subject, _ in REQUESTS[name] if "$" not in subject}
        owners = {"crm": "CRM", "push": "PUSH", "dead": "DEAD", "state": "STATE", "webhook": "WEBHOOKS"}
        read = {subject.split(".")[-2] for subject, _ in REQUESTS[name] if ".MSG.NEXT." in subject}
        assert written <= {owners[token] for token in stored & owners.keys()} | read
        assert {stream: each[-1].keys() for stream, each in after.items()} == {
            stream: each[-1].keys() for stream, each in before.items()
        }


@pytest.mark.parametrize("name", ATTACKERS)
async def test_no_trace_of_a_message_leads_out_of_an_account(server: NatsServer, name: str) -> None:
    # The server publishes what it did with a message to the subject that a header of the message names.
    targets = [target for target in FOREIGN if not may(name, target) and ">" not in target]
    async with observed(server) as accounts, services(server):
        attacker = accounts[name]
        for account in accounts.values():
            account.heard.clear()
        for subject, body in (("anything.else", b""), *REQUESTS[name][:1]):
            for target in targets:
                await attacker.client.publish(subject, body, headers={"Nats-Trace-Dest": target})
        await settled({name: attacker})
        await until(lambda: set(targets) <= attacker.subjects(), within=20, why="the attacker hears all traces")
        await settled(accounts)

        others = [account for other, account in accounts.items() if other != name]
        own = {subject.replace("leadwire.", "$JS.API.") for subject, _ in REQUESTS[name]}
        assert not set(targets) & set.union(*(other.subjects() for other in others)) - own


@pytest.mark.parametrize("name", ATTACKERS)
async def test_replies_that_the_server_keeps_for_itself_are_refused(server: NatsServer, name: str) -> None:
    # It passes a reply subject of $JS.ACK unchanged into the account of a service: a push of "+TERM" would end a fact.
    async with observed(server) as accounts, services(server):
        await fill(accounts["LEADWIRE"].client)
        before = await everything(accounts["LEADWIRE"].client)
        for subject, body in REQUESTS[name]:
            for reply in (*ACKS, "_R_.abcdef.ghijkl", "$GR.abcdef"):
                accounts[name].refused.clear()
                await accounts[name].publish(subject, body, reply=reply)
                assert any("reply" in refusal for refusal in accounts[name].refused), (subject, reply)

        assert await everything(accounts["LEADWIRE"].client) == before


@pytest.mark.parametrize(
    ("service", "asker", "subject"),
    [
        ("leads-api", "notifier", "rpc.leads.changes.c1"),
        ("leads-api", "example-replay", "rpc.leads.changes.c1"),
        ("notifier", "leads-relay", "rpc.notifier.where"),
        ("notifier", "LEADWIRE", "rpc.notifier.retry"),
        ("gateway", "leads-relay", "gateway.where"),
    ],
)
async def test_who_is_asked_answers_the_asker_and_nobody_else(
    server: NatsServer, service: str, asker: str, subject: str
) -> None:
    async with observed(server) as accounts:
        attacker = accounts[service]
        asked = asyncio.create_task(accounts[asker].client.request(subject, b"question", timeout=10))
        await until(lambda: attacker.has("question"))
        (question,) = (message for message in attacker.heard if message.body == b"question")
        assert question.reply.startswith("_R_.")
        for target in FOREIGN:
            if not may(service, target):
                await attacker.client.publish(question.reply, b"answer", reply=target)
                await attacker.client.publish(target, b"forged", reply=question.reply)
        await barrier(attacker.client)

        assert (await asked).data == b"answer"
        await settled(accounts)
        for other, account in accounts.items():
            if other != service:
                assert not account.has("forged")
                replies = {message.reply for message in account.heard if message.body == b"answer"}
                assert not replies & set(FOREIGN)


KNOWS: dict[str, set[str]] = {
    # account → what its users can learn at all, if they subscribe to everything there is.
    "leads-api": {"fact", "stats asked", "changes asked", "stats answered", "changes answered"},
    "leads-relay": {"fact", "where asked", "where answered", "deliveries asked", "deliveries answered"},
    "notifier": {
        *("push", "dead", "stats asked", "changes asked", "stats answered", "changes answered"),
        *("where asked", "where answered", "retry asked", "retry answered"),
    },
    "gateway": {"push", "state", "webhook", "client event", "gateways ask", "deliveries asked", "deliveries answered"},
    "migrate": set(),
    "example-node": set(),
    "example-replay": {"changes asked", "changes answered"},
}


@pytest.mark.parametrize("name", ATTACKERS)
async def test_an_account_hears_what_concerns_it_and_nothing_else(server: NatsServer, name: str) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(message.data.replace(b"asked", b"answered"))

    async def store(user: str, subject: str, kind: str) -> None:
        async with server.client(user) as client:
            await client.jetstream().publish(subject, kind.encode())

    async def ask(user: str, subject: str, kind: str) -> None:
        async with server.client(user) as client:
            answered = await client.request(subject, kind.encode(), timeout=10)
            assert answered.data == kind.replace("asked", "answered").encode()

    async with (
        observed(server, [name]) as accounts,
        server.client("leads-api") as api,
        server.client("notifier") as notifier,
        server.client("gateway") as gateway,
        server.client("operator") as operator,
    ):
        await api.subscribe("rpc.leads.>", queue="leads", cb=answer)
        await notifier.subscribe("rpc.notifier.>", cb=answer)
        await gateway.subscribe("gateway.where", cb=answer)
        for client in (api, notifier, gateway):
            await barrier(client)
        for user, subject, kind in (
            ("leads-relay", "crm.c1.lead.l1.created", "fact"),
            ("notifier", "push.4242.x", "push"),
            ("notifier", "dead.notifier", "dead"),
            ("gateway", "state.topic.x", "state"),
            ("gateway", "webhook.4242", "webhook"),
        ):
            await store(user, subject, kind)
        for user, subject, kind in (
            ("notifier", "rpc.leads.stats.c1", "stats asked"),
            ("notifier", "rpc.leads.changes.c1", "changes asked"),
            ("example-replay", "rpc.leads.changes.c1", "changes asked"),
            ("leads-relay", "rpc.notifier.where", "where asked"),
            ("leads-relay", "gateway.where", "deliveries asked"),
            ("operator", "rpc.notifier.retry", "retry asked"),
        ):
            await ask(user, subject, kind)
        await gateway.publish("live.4242.x", b"client event")
        await gateway.publish("gateway.ask.4242", b"gateways ask")
        js = operator.jetstream()
        await js.add_consumer(streams.CRM, ConsumerConfig(durable_name="short-lived"))  # the server tells of that
        await js.delete_consumer(streams.CRM, "short-lived")
        for client in (gateway, operator):
            await barrier(client)
        await settled(accounts)

        account = accounts[name]
        kinds = set.union(*KNOWS.values())
        assert {kind for kind in kinds if any(each.body == kind.encode() for each in account.heard)} == KNOWS[name]
        assert not any(subject.startswith(("$JS.EVENT", "$SYS")) for subject in account.subjects())


@pytest.mark.parametrize(
    ("user", "stream", "consumer", "subject"),
    [("notifier", "CRM", "notifier", "crm.c1.lead.l1.created"), ("gateway", "WEBHOOKS", "sender", "webhook.4242")],
)
async def test_a_service_acknowledges_in_the_servers_format(
    server: NatsServer, user: str, stream: str, consumer: str, subject: str
) -> None:
    async with server.client(user) as client, server.client() as operator:
        js = operator.jetstream()
        for _ in range(3):
            await js.publish(subject, b"x")
        pull = await client.jetstream().pull_subscribe_bind(consumer, stream)
        first, second, third = await pull.fetch(3, timeout=5)
        await first.ack_sync()
        await second.nak()
        (again,) = await pull.fetch(1, timeout=5)
        assert (again.metadata.sequence.stream, again.metadata.num_delivered) == (2, 2)
        await again.term()
        await third.ack_sync()

        info = await js.consumer_info(stream, consumer)
        assert info.ack_floor is not None
        assert (info.ack_floor.stream_seq, info.num_ack_pending) == (3, 0)


INTERPRETED = {
    # headers that JetStream interprets, and streams refuse unless they are configured for it
    "rollup of a subject": {"Nats-Rollup": "sub"},
    "rollup of a stream": {"Nats-Rollup": "all"},
    "expiry": {"Nats-TTL": "1s"},
    "schedule": {"Nats-Schedule": "@at 2000-01-01T00:00:00Z", "Nats-Schedule-Target": "crm.c1.lead.deputy.created"},
    "counter": {"Nats-Incr": "+1"},
    "batch": {"Nats-Batch-Id": "b", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"},
    "another stream": {"Nats-Expected-Stream": "ANOTHER"},
}


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("leads-relay", "crm.c1.lead.l1.created"),
        ("notifier", "push.4242.x"),
        ("notifier", "dead.notifier"),
        ("gateway", "state.x"),
        ("gateway", "webhook.x"),
    ],
)
async def test_no_header_makes_a_stream_lose_or_move_a_message(server: NatsServer, name: str, subject: str) -> None:
    async with observed(server, ["LEADWIRE", name]) as accounts:
        operator = accounts["LEADWIRE"].client
        await fill(operator)
        before = await everything(operator)
        for what, headers in INTERPRETED.items():
            request = accounts[name].client.request(subject, b"x", headers=headers, timeout=5)
            answer = json.loads((await request).data)
            if (what, subject) == ("expiry", "state.x"):  # what gateways are for each other ends by itself
                assert "error" not in answer
                before = await everything(operator)
            else:
                assert "error" in answer, what
                assert await everything(operator) == before


def test_no_import_can_be_taken_for_two_exports() -> None:
    # The server looks for the export of an import in random order, and takes the first one that fits.
    text = "\n".join(line.partition("#")[0] for line in paths.NATS_CONFIG.read_text().splitlines())
    exports: dict[str, list[str]] = {}
    imports: list[tuple[str, str]] = []
    account = ""
    for line in text.splitlines():
        if begin := re.fullmatch(r"  ([\w-]+) \{", line):
            account = begin[1]
        elif exported := re.search(r'\{ service: "([^"]+)"', line):
            exports.setdefault(account, []).append(exported[1])
        elif imported := re.search(r'service: \{ account: ([\w-]+), subject: "([^"]+)"', line):
            imports.append((imported[1], imported[2]))

    assert len(imports) > len(ATTACKERS)
    for exporter, subject in imports:
        fitting = [pattern for pattern in exports[exporter] if matches(subject, pattern)]
        assert subject in exports[exporter] or len(fitting) == 1, (subject, fitting)
