"""The NATS users from the attacker's side: what a stolen password of one service does not open.

This is the second barrier, inside a service's account; test_accounts.py is about the first one.
"""

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
    "dead.other": set(),
    "state.4242.private-x.node": {"gateway"},
    "roster.4242.private-x.node": set(),
    "webhook.4242": {"gateway"},
    "gateway.ask.4242": {"gateway"},
    "gateway.anything": set(),
    "gateway.where": {"leads-relay"},
    "rpc.notifier.where": {"leads-relay"},
    "rpc.leads.stats.c1": {"notifier"},
    "rpc.leads.changes.c1": {"notifier"},
    "rpc.notifier.retry": set(),
    "rpc.leads": set(),
    "rpc.other.x": set(),
    "anything": set(),
    "_INBOX_gateway.x": {"gateway"},
    "_INBOX_notifier.x": set(),
    "_INBOX_leads-api.x": set(),
    "$JS.API.INFO": set(),
    "$JS.API.STREAM.NAMES": set(),
    "$JS.API.STREAM.CREATE.MINE": set(),
    "$JS.API.STREAM.CREATE.CRM": {"migrate"},
    "$JS.API.STREAM.UPDATE.CRM": {"migrate"},
    "$JS.API.STREAM.DELETE.CRM": set(),
    "$JS.API.STREAM.PURGE.PUSH": set(),
    "$JS.API.STREAM.MSG.GET.CRM": set(),
    "$JS.API.STREAM.MSG.DELETE.CRM": set(),
    "$JS.API.STREAM.MSG.DELETE.DEAD": {"notifier"},
    "$JS.API.STREAM.MSG.DELETE.PUSH": set(),
    "$JS.API.STREAM.INFO.CRM": {"migrate", "leads-api", "leads-relay"},
    "$JS.API.STREAM.INFO.PUSH": {"migrate", "notifier", "gateway"},
    "$JS.API.STREAM.INFO.DEAD": {"migrate", "notifier"},
    "$JS.API.STREAM.INFO.STATE": {"migrate", "gateway"},
    "$JS.API.STREAM.PURGE.STATE": {"gateway"},
    "$JS.API.STREAM.DELETE.STATE": set(),
    "$JS.API.DIRECT.GET.STATE": {"gateway"},
    "$JS.API.STREAM.INFO.WEBHOOKS": {"migrate", "gateway"},
    "$JS.API.CONSUMER.MSG.NEXT.WEBHOOKS.sender": {"gateway"},
    "$JS.ACK.WEBHOOKS.sender.1.1.1.1.1": {"gateway"},
    "$JS.ACK._.0GdAKPEe.WEBHOOKS.sender.1.1.1.1.1": {"gateway"},
    "$JS.API.DIRECT.GET.CRM": {"leads-relay", "migrate"},
    "$JS.API.DIRECT.GET.CRM.crm.c1.lead.l1.created": set(),
    "$JS.API.DIRECT.GET.DEAD": {"notifier"},
    "$JS.API.DIRECT.GET.PUSH": {"notifier", "gateway"},
    "$JS.API.DIRECT.GET.PUSH.push.4242.private-x": {"gateway"},
    "$JS.API.CONSUMER.CREATE.CRM": set(),
    "$JS.API.CONSUMER.CREATE.CRM.mine": set(),
    "$JS.API.CONSUMER.CREATE.PUSH.mine.push.>": set(),
    "$JS.API.CONSUMER.DURABLE.CREATE.PUSH.mine": set(),
    "$JS.API.CONSUMER.LIST.CRM": {"migrate"},
    "$JS.API.CONSUMER.DURABLE.CREATE.CRM.notifier": {"migrate"},
    "$JS.API.CONSUMER.DELETE.CRM.notifier": set(),
    "$JS.API.CONSUMER.INFO.CRM.notifier": {"notifier"},
    "$JS.API.CONSUMER.INFO.CRM.other": set(),
    "$JS.API.CONSUMER.MSG.NEXT.CRM.notifier": {"notifier"},
    "$JS.API.CONSUMER.MSG.NEXT.CRM.other": set(),
    "$JS.ACK.CRM.notifier.1.1.1.1.1": {"notifier"},
    "$JS.ACK._.0GdAKPEe.CRM.notifier.1.1.1.1.1": {"notifier"},
    "$JS.ACK._.0GdAKPEe.CRM.other.1.1.1.1.1": set(),
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
    "gateway.>": set(),
    "gateway.ask.*": {"gateway"},
    "gateway.where": {"gateway"},
    "_R_.>": set(),
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


async def test_an_answer_is_given_once_and_nowhere_but_to_who_asks(nats: NatsServer) -> None:
    async with listening_to_refusals(nats, "leads-api") as (api, refusals), nats.client("notifier") as notifier:
        requests = await api.subscribe("rpc.leads.stats.*")
        answers = await notifier.subscribe(notifier.new_inbox())
        await barrier(api)
        await barrier(notifier)
        await notifier.publish("rpc.leads.stats.c1", b"{}", reply=answers.subject)
        request = await requests.next_msg()

        await request.respond(b"first")
        await request.respond(b"second")
        await api.publish(answers.subject, b"third")
        await barrier(api)
        assert any("publish" in refusal for refusal in refusals)
        assert (await answers.next_msg()).data == b"first"
        await barrier(notifier)
        assert answers.pending_msgs == 0


async def test_no_service_can_answer_itself_elsewhere(nats: NatsServer) -> None:
    # A user that may answer wherever it is asked to answer asks itself, and answers on any subject.
    for user in SERVICES:
        async with listening_to_refusals(nats, user) as (client, refusals):
            own = [subject for subject, users in SUBSCRIBE.items() if user in users and subject.count(">") == 0]
            for subject in (*own, f"_INBOX_{user}.x", "live.4242.x", "gateway.ask.4242"):
                await client.subscribe(subject)
                await client.publish(subject, b"", reply="crm.c1.user.u1.deactivated")
            await barrier(client)
            refusals.clear()
            await client.publish("crm.c1.user.u1.deactivated", b"forged")
            await barrier(client)
            assert bool(refusals) == (user != "leads-relay")


@pytest.mark.parametrize("login", ["", "gateway:wrong@", "stranger:x@", "gateway@", "sys:sys@", "route:route@"])
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
