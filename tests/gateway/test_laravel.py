"""What a Laravel application sends and Echo expects; the requests are those of its `pusher` and `reverb` drivers."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import pusher
import pytest

from leadwire import paths, web
from support import node_clients
from support.gateways import APP, SUCCEEDED

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
CHUNK = 100  # channels of one request, as Laravel splits them


@asynccontextmanager
async def page(node, gateway):
    configuration = {"port": gateway.port, "app": APP, "masterKey": MASTER_KEY}
    async with node_clients.running(node, "laravel.mjs", json.dumps(configuration)) as listener:
        subscribed = {(await listener.said("subscribed"))["name"] for _ in range(3)}
        assert subscribed == {"orders", "user", "secret"}
        yield listener


async def trigger(gateway, channel, event, data):
    sdk = pusher.Pusher(
        app_id=APP["id"],
        key=APP["key"],
        secret=APP["secret"],
        host="127.0.0.1",
        port=gateway.port,
        ssl=False,
        encryption_master_key_base64=MASTER_KEY,
    )
    assert await asyncio.to_thread(sdk.trigger, channel, event, data) == {}


async def test_144_146_echo_hears_events_and_notifications_by_laravels_names(node, gateway):
    async with page(node, gateway) as listener:
        await trigger(gateway, "private-orders.1", "App\\Events\\OrderShipped", {"order": 1})
        assert (await listener.said("listened"))["data"] == {"order": 1}

        await trigger(gateway, "private-orders.1", "order.paid", {"order": 2})
        assert (await listener.said("listened as"))["data"] == {"order": 2}

        notification = {"id": "n1", "type": "App\\Notifications\\LeadAssigned", "lead": 7}
        created = "Illuminate\\Notifications\\Events\\BroadcastNotificationCreated"
        await trigger(gateway, "private-App.Models.User.1", created, notification)
        assert (await listener.said("notified"))["data"] == notification


async def test_150_a_wrong_signature_reaches_echos_error_handler(node, gateway):
    configuration = {"port": gateway.port, "app": APP, "masterKey": MASTER_KEY}
    async with node_clients.running(node, "laravel.mjs", json.dumps(configuration)) as listener:
        refused = await listener.said("refused")

    assert refused == {"what": "refused", "name": "forged", "type": "AuthError", "status": 401}


async def test_151_a_broadcast_to_250_channels_is_three_requests(gateway):
    channels = [f"private-orders.{number}" for number in range(250)]
    async with gateway.connect() as client:
        for channel in (channels[0], channels[100], channels[249]):
            await client.join(channel)

        for start in range(0, len(channels), CHUNK):
            answer = await gateway.trigger(channels[start : start + CHUNK], "App\\Events\\PriceChanged")
            assert (answer.status_code, answer.text) == (200, "{}")

        assert [(await client.event())[1] for _ in range(3)] == [channels[0], channels[100], channels[249]]


@pytest.mark.parametrize("sdk", ["python", "node"])
async def test_152_an_encrypted_event_is_read_by_the_client_alone(node, gateway, sdk):
    channel, event, data = "private-encrypted-notes", "note.written", {"text": "só para você"}
    async with page(node, gateway) as listener, gateway.connect() as eavesdropper:
        await eavesdropper.join(channel)

        if sdk == "python":
            await trigger(gateway, channel, event, data)
        else:
            request = {"port": gateway.port, "app": APP, "channels": [channel], "event": event, "data": data}
            assert await node_clients.answer(node, "trigger.mjs", request | {"masterKey": MASTER_KEY}) == {
                "status": 200,
                "body": "{}",
            }

        assert (await listener.said("decrypted"))["data"] == data
        _, _, sealed = await eavesdropper.event()
        assert set(json.loads(sealed)) == {"nonce", "ciphertext"}
        assert "você" not in sealed


async def test_073_another_tab_of_the_same_user_hears_a_whisper(gateway):
    channel, member = "presence-chat", json.dumps({"user_id": "7"})
    async with gateway.connect() as tab, gateway.connect() as other:
        for client in (tab, other):
            await client.subscribe(channel, channel_data=member)
            assert (await client.frame())["event"] == SUCCEEDED

        await tab.send("client-typing", channel=channel, data={})

        heard = await other.frame()
        assert (heard["event"], heard["user_id"]) == ("client-typing", "7")
        await tab.hears_nothing()


async def test_the_laravel_example_keeps_a_page_of_leads_live(node, gateway, tmp_path):
    for project in (paths.WEB, paths.CHECKOUT / "examples"):
        await web.install(project, tmp_path)
    configuration = {"port": gateway.port, "app": APP, "company": 7}
    async with node_clients.running(node, "laravel-app.mjs", json.dumps(configuration)) as page:
        assert (await page.said("loads", within=120))["times"] == 1  # Vite starts first
        lead = {"id": 1, "name": "Ada", "status": "new"}

        await trigger(gateway, "private-company.7", "lead.created", lead)
        await trigger(gateway, "private-company.7", "lead.updated", lead | {"status": "won"})
        await trigger(gateway, "private-company.7", "lead.deleted", lead)

        shown = [await page.said("shows") for _ in range(6)]
        assert [[one["status"] for one in said["leads"]] for said in shown] == [["new"]] * 3 + [["won"], [], []]
        assert shown[-1]["stats"] == {"total": 0, "new_this_month": 1}
        page.tell("leave")
        assert (await page.said("left"))["channels"] == []
