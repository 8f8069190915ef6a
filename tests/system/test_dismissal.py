"""A dismissed user hears nothing, whatever was prepared: kept signatures, idle sockets, a stream that forgets."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from contracts import streams
from support.gateways import SUCCEEDED, Client, connected
from support.resuming import POSITION
from support.stack import Stack
from support.waiting import until

TARGET = "/app/{key}?protocol=7&client=js&version=8.6.0&flash=false"


@dataclass
class Prepared:
    """A socket and what was signed for it."""

    client: Client
    channel: str
    signed: dict[str, Any]

    async def subscribe(self) -> None:
        await self.client.send("pusher:subscribe", data={"channel": self.channel, **self.signed})

    async def listen(self) -> None:
        await self.subscribe()
        assert (await self.client.frame())["event"] == SUCCEEDED

    async def ends(self) -> None:
        """See it closed; nothing but the reason, positions and its own figures comes before."""
        frame = await self.client.frame()
        while frame["event"] in {POSITION, "stats.updated", "pusher:cache_miss"}:
            frame = await self.client.frame()
        assert frame["event"] == "pusher:error", frame
        assert frame["data"]["code"] in {4009, 4200}
        await self.client.closing()


@asynccontextmanager
async def connection(stack: Stack) -> AsyncIterator[Client]:
    credentials = stack.topology.credentials
    app = {"key": credentials.pusher_app_key, "secret": credentials.pusher_app_secret}
    async with connected(stack.topology.gateway.port, app, TARGET.format(**app)) as client:
        yield client


@asynccontextmanager
async def preparing(stack: Stack, role: str) -> AsyncIterator[Any]:
    """Connect and have a channel signed: `await prepare(channel, heard)`."""
    async with AsyncExitStack() as exits, stack.client(role) as api:

        async def prepare(channel: str, heard: dict[str, Any] | None = None) -> Prepared:
            client = await exits.enter_async_context(connection(stack))
            values = {"socket_id": client.socket_id, "channel_name": channel}
            if heard is not None:
                values["leadwire"] = json.dumps(heard)
            answer = (await api.post("/broadcasting/auth", data=values)).raise_for_status()
            return Prepared(client, channel, answer.json())

        yield prepare


async def forget(stack: Stack) -> None:
    async with stack.nats.client() as nats:
        await nats.jetstream().purge_stream(streams.PUSH)


async def nothing(stack: Stack) -> None:
    pass


@pytest.mark.parametrize("then", [nothing, forget], ids=["kept", "forgotten"])
@pytest.mark.parametrize("how", ["deactivated", "signed out", "restarted"])
async def test_no_socket_outlives_the_dismissal_of_its_user(stack: Stack, how: str, then: Any) -> None:
    user, company = stack.acme.users["agent"], f"private-company.{stack.acme.id}"
    async with (
        stack.client("admin") as admin,
        stack.client("agent") as own,
        preparing(stack, "agent") as prepare,
        preparing(stack, "manager") as colleagues,
    ):
        lead = (await admin.post("/leads", json={"name": "Before"})).json()["data"]["id"]
        colleague = await colleagues(company)
        await colleague.listen()
        names = [
            company,
            f"private-cache-company.{stack.acme.id}.stats",
            f"presence-lead.{lead}",
            f"private-user.{user.id}",
        ]
        kept = [await prepare(name, heard) for name in names for heard in (None, {})]
        listening = [await prepare(company), await prepare(f"presence-lead.{lead}"), await prepare(company)]
        for each in listening:
            await each.listen()
        left = listening.pop()
        await left.client.send("pusher:unsubscribe", data={"channel": company})
        await left.client.hears_nothing()

        match how:
            case "deactivated":
                assert (await admin.post(f"/users/{user.id}/deactivate")).is_success
            case "signed out":
                assert (await own.post("/auth/logout")).is_success
            case _:
                assert (await admin.post(f"/users/{user.id}/deactivate")).is_success
                stack.restart("notifier")
                await stack.ready("notifier")
        for each in (*listening, left):
            await each.ends()
        await then(stack)
        assert (await admin.post("/leads", json={"name": "After"})).is_success
        for each in kept:
            await each.subscribe()
        for each in kept:
            await each.ends()

        assert (await admin.post("/leads", json={"name": "Later"})).is_success
        for _ in range(2):
            assert (await colleague.client.event())[0] == "lead.created"
        refused = await own.post("/broadcasting/auth", data={"socket_id": "1.2", "channel_name": company})
        assert refused.status_code == 401


async def test_who_changes_the_role_or_comes_back_is_let_in(stack: Stack) -> None:
    user, company = stack.acme.users["agent"], f"private-company.{stack.acme.id}"
    async with stack.client("admin") as admin, preparing(stack, "agent") as prepare:
        before, waiting = await prepare(company), await prepare(company)
        await before.listen()
        assert (await admin.patch(f"/users/{user.id}", json={"role": "viewer"})).is_success
        await waiting.listen()
        await (await prepare(company)).listen()
        await before.client.hears_nothing()

        assert (await admin.post(f"/users/{user.id}/deactivate")).is_success
        await before.ends()
        assert (await admin.post(f"/users/{user.id}/reactivate")).is_success
        login = await admin.post("/auth/login", json={"email": user.email, "password": user.password})
        token = login.json()["access_token"]

    async with connection(stack) as client, stack.client("agent") as api:
        values = {"socket_id": client.socket_id, "channel_name": company}
        headers = {"Authorization": f"Bearer {token}"}
        answer = (await api.post("/broadcasting/auth", data=values, headers=headers)).raise_for_status()
        await Prepared(client, company, answer.json()).listen()
        await client.hears_nothing()


async def test_who_is_authorised_for_nothing_does_not_stay(stack: Stack) -> None:
    app = json.loads(stack.topology.apps_file.read_text())
    app[0]["authorizationTimeoutSeconds"] = 1
    stack.topology.apps_file.write_text(json.dumps(app))
    reloaded = stack.log("gateway")
    await until(lambda: "apps file loaded" in reloaded.read_text())
    async with connection(stack) as client, connection(stack) as public:
        await public.subscribe("news")
        assert (await public.frame())["event"] == SUCCEEDED
        for each in (client, public):
            assert (await each.closing())[0] == 4009


async def test_a_plain_signature_opens_what_is_not_of_the_crm(stack: Stack) -> None:
    async with connection(stack) as client:
        await client.join("private-orders.7")
        await client.subscribe(f"private-company.{stack.acme.id}")
        frame = await client.frame()
        assert frame["event"] == "pusher:subscription_error"
        assert json.loads(frame["data"])["status"] == 401
