"""The NATS users from the attacker's side: what a stolen password of one service does not open."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import nats as nats_py
import pytest
from nats.aio.client import Client

from runtime.broker import barrier, connection_options
from support.servers import NatsServer

SERVICES = ("migrate", "leads-api", "leads-relay", "notifier", "gateway")

PUBLISH: dict[str, set[str]] = {
    # subject → who may publish to it
    "crm.c1.lead.l1.created": {"leads-relay"},
    "push.4242.private-x": {"notifier", "gateway"},
    "live.4242.private-x": {"gateway"},
    "dead.notifier": {"notifier"},
    "state.4242.private-x.node": {"gateway"},
    "roster.4242.private-x.node": set(),
    "webhook.4242": {"gateway"},
    "gateway.ask": {"gateway"},
    "gateway.where": {"gateway", "leads-relay"},
    "rpc.notifier.where": {"leads-relay"},
    "rpc.leads.stats.c1": {"notifier"},
    "rpc.leads.changes.c1": {"notifier"},
    "rpc.notifier.retry": set(),
    "rpc.leads": set(),
    "rpc.other.x": set(),
    "anything": set(),
    "_INBOX_gateway.x": set(),
    "_INBOX_notifier.x": set(),
    "_INBOX_leads-api.x": set(),
    "$JS.API.INFO": {"migrate"},
    "$JS.API.STREAM.NAMES": {"migrate"},
    "$JS.API.STREAM.CREATE.MINE": {"migrate"},
    "$JS.API.STREAM.UPDATE.CRM": {"migrate"},
    "$JS.API.STREAM.DELETE.CRM": {"migrate"},
    "$JS.API.STREAM.PURGE.PUSH": {"migrate"},
    "$JS.API.STREAM.MSG.GET.CRM": {"migrate"},
    "$JS.API.STREAM.MSG.DELETE.CRM": {"migrate"},
    "$JS.API.STREAM.MSG.DELETE.DEAD": {"migrate", "notifier"},
    "$JS.API.STREAM.MSG.DELETE.PUSH": {"migrate"},
    "$JS.API.STREAM.INFO.CRM": {"migrate", "leads-api", "leads-relay"},
    "$JS.API.STREAM.INFO.PUSH": {"migrate", "notifier", "gateway"},
    "$JS.API.STREAM.INFO.DEAD": {"migrate", "notifier"},
    "$JS.API.STREAM.INFO.STATE": {"migrate", "gateway"},
    "$JS.API.STREAM.PURGE.STATE": {"migrate", "gateway"},
    "$JS.API.STREAM.DELETE.STATE": {"migrate"},
    "$JS.API.DIRECT.GET.STATE": {"gateway"},
    "$JS.API.STREAM.INFO.WEBHOOKS": {"migrate", "gateway"},
    "$JS.API.CONSUMER.MSG.NEXT.WEBHOOKS.sender": {"migrate", "gateway"},
    "$JS.ACK.WEBHOOKS.sender.1.1.1.1.1": {"gateway"},
    "$JS.API.DIRECT.GET.CRM": {"leads-relay"},
    "$JS.API.DIRECT.GET.CRM.crm.c1.lead.l1.created": set(),
    "$JS.API.DIRECT.GET.DEAD": {"notifier"},
    "$JS.API.DIRECT.GET.PUSH": {"notifier", "gateway"},
    "$JS.API.DIRECT.GET.PUSH.push.4242.private-x": {"gateway"},
    "$JS.API.CONSUMER.CREATE.CRM": {"migrate"},
    "$JS.API.CONSUMER.CREATE.CRM.mine": {"migrate"},
    "$JS.API.CONSUMER.CREATE.PUSH.mine.push.>": {"migrate"},
    "$JS.API.CONSUMER.DURABLE.CREATE.CRM.notifier": {"migrate"},
    "$JS.API.CONSUMER.DELETE.CRM.notifier": {"migrate"},
    "$JS.API.CONSUMER.INFO.CRM.notifier": {"migrate", "notifier"},
    "$JS.API.CONSUMER.INFO.CRM.other": {"migrate"},
    "$JS.API.CONSUMER.MSG.NEXT.CRM.notifier": {"migrate", "notifier"},
    "$JS.API.CONSUMER.MSG.NEXT.CRM.other": {"migrate"},
    "$JS.ACK.CRM.notifier.1.1.1.1.1": {"notifier"},
    "$JS.API.ACCOUNT.PURGE.X": set(),
    "$JS.API.SERVER.REMOVE": set(),
    "$SYS.REQ.SERVER.PING": set(),
}

SUBSCRIBE: dict[str, set[str]] = {
    # subject → who may subscribe to it
    ">": set(),
    "*": set(),
    "crm.>": {"leads-api"},
    "push.>": set(),
    "live.>": {"gateway"},
    "live.4242.private-x": {"gateway"},
    "roster.>": {"gateway"},
    "state.>": set(),
    "webhook.>": set(),
    "gateway.>": {"gateway"},
    "dead.>": set(),
    "rpc.>": set(),
    "rpc.leads.stats.*": {"leads-api"},
    "rpc.leads.changes.*": {"leads-api"},
    "rpc.notifier.retry": {"notifier"},
    "_INBOX.>": set(),
    **{f"_INBOX_{user}.>": {user} for user in SERVICES},
    "$JS.API.>": set(),
    "$JS.ACK.>": set(),
    "$JS.EVENT.>": set(),
    "$SYS.>": set(),
}


@contextlib.asynccontextmanager
async def listening_to_refusals(server: NatsServer, user: str) -> AsyncIterator[tuple[Client, list[str]]]:
    refusals: list[str] = []

    async def on_error(error: Exception) -> None:
        refusals.append(str(error).lower())

    options = connection_options(server.url(user), f"test {user}")
    client = await nats_py.connect(**{**options, "inbox_prefix": options["inbox_prefix"].encode()}, error_cb=on_error)
    try:
        yield client, refusals
    finally:
        await client.close()


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_publishes_where_it_must_and_nowhere_else(nats: NatsServer, user: str) -> None:
    opened = set()
    async with listening_to_refusals(nats, user) as (client, refusals):
        for subject in PUBLISH:
            refusals.clear()
            await client.publish(subject, b"")
            await barrier(client)
            if not any(f'publish to "{subject.lower()}"' in refusal for refusal in refusals):
                opened.add(subject)

    assert opened == {subject for subject, users in PUBLISH.items() if user in users}


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_hears_what_it_must_and_nothing_else(nats: NatsServer, user: str) -> None:
    opened = set()
    async with listening_to_refusals(nats, user) as (client, refusals):
        for subject in SUBSCRIBE:
            refusals.clear()
            await client.subscribe(subject)
            await barrier(client)
            if not any(f'subscription to "{subject.lower()}"' in refusal for refusal in refusals):
                opened.add(subject)

    assert opened == {subject for subject, users in SUBSCRIBE.items() if user in users}


async def test_an_answer_is_given_once_and_only_when_asked(nats: NatsServer) -> None:
    async with listening_to_refusals(nats, "leads-api") as (api, refusals), nats.client("notifier") as notifier:
        requests = await api.subscribe("rpc.leads.stats.*")
        await barrier(api)
        asking = asyncio.create_task(notifier.request("rpc.leads.stats.c1", b"{}", timeout=5))
        request = await requests.next_msg()

        await request.respond(b"first")
        assert (await asking).data == b"first"
        await barrier(api)
        assert refusals == []
        await request.respond(b"second")
        await barrier(api)
        assert any("publish" in refusal for refusal in refusals)


@pytest.mark.parametrize("login", ["", "gateway:wrong@", "stranger:x@", "gateway@"])
async def test_nobody_comes_in_without_a_password(nats: NatsServer, login: str) -> None:
    reader, writer = await asyncio.open_connection(nats.host, nats.port)
    user, _, password = login.removesuffix("@").partition(":")
    connect = {"verbose": False, **({"user": user, "pass": password} if login else {})}
    try:
        await reader.readline()  # INFO
        writer.write(f"CONNECT {json.dumps(connect)}\r\nPING\r\n".encode())

        assert await reader.readline() == b"-ERR 'Authorization Violation'\r\n"
    finally:
        writer.close()
        await writer.wait_closed()
