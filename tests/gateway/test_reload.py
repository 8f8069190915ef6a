"""The apps file changes while clients are connected: new rules count, nobody is dropped who may stay."""

import json
import os
import signal

import httpx

from support.gateways import APP, OTHER_APP, QUERY, SUCCEEDED, Client, channel_auth, checked, signed_query
from support.waiting import until

NEW_APP = {"id": "5151", "key": "gwkey0051", "secret": "gwsecret0051"}


async def replace(gateway, *apps, text=None):
    """Put another file in place, ask for it, and wait until it was read."""
    before = await gateway.metric("gateway_apps_reloads_total")
    gateway.apps_file.write_text(json.dumps(apps) if text is None else text)
    os.kill(gateway.pid, signal.SIGHUP)
    await until(lambda: read_again(gateway, before))


async def read_again(gateway, before):
    return await gateway.metric("gateway_apps_reloads_total") > before


async def code_of_refusal(gateway, app):
    async with gateway.open(f"/app/{app['key']}?{QUERY}") as socket:
        frame = checked(await socket.recv())
        assert frame["data"]["code"] == (await Client(socket, APP).closing())[0]
        return frame["data"]["code"]


async def test_an_app_is_added_and_nobody_notices(new_gateway, nats):
    gateway = new_gateway(nats, apps_reload_seconds="60")
    async with gateway.connect() as old:
        await old.join("news")
        await replace(gateway, APP, NEW_APP)

        async with gateway.connect(NEW_APP) as new:
            await new.hears_nothing()
        assert (await gateway.trigger("news", "still", app=APP)).status_code == 200
        assert (await old.event())[0] == "still"


async def test_connections_of_a_removed_app_are_closed_and_so_is_its_api(new_gateway, nats):
    gateway = new_gateway(nats, apps_reload_seconds="60")
    async with gateway.connect() as stays, gateway.connect(OTHER_APP) as goes:
        await replace(gateway, APP)

        assert (await goes.closing())[0] == 4001
        await stays.hears_nothing()
    assert await code_of_refusal(gateway, OTHER_APP) == 4001
    assert (await gateway.trigger("news", app=OTHER_APP)).status_code == 404


async def test_connections_of_a_disabled_app_are_closed_with_4003(new_gateway, nats):
    gateway = new_gateway(nats, apps_reload_seconds="60")
    async with gateway.connect() as stays, gateway.connect(OTHER_APP) as goes:
        await replace(gateway, APP, OTHER_APP | {"enabled": False})

        assert (await goes.closing())[0] == 4003
        await stays.hears_nothing()
    assert await code_of_refusal(gateway, OTHER_APP) == 4003
    assert (await gateway.trigger("news", app=OTHER_APP)).status_code == 403


async def test_new_limits_and_secrets_count_for_connections_that_stay(new_gateway, nats):
    gateway = new_gateway(nats, apps_reload_seconds="60")
    async with gateway.connect() as client:
        await client.join("private-a")
        changed = APP | {"secret": "another", "enableClientMessages": False}
        await replace(gateway, changed)

        await client.send("client-x", channel="private-a", data={})
        assert "not enabled" in (await client.frame())["data"]["message"]
        await client.subscribe("private-b", auth=channel_auth(client.socket_id, "private-b", APP))
        assert (await client.frame())["event"] == "pusher:subscription_error"
        assert (await client.frame())["event"] == "pusher:error"
        await client.subscribe("private-b", auth=channel_auth(client.socket_id, "private-b", changed))
        assert (await client.frame())["event"] == SUCCEEDED
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        path, body = f"/apps/{APP['id']}/events", b'{"name":"x","channel":"private-b","data":"1"}'
        assert (await http.post(f"{path}?{signed_query('POST', path, body, APP)}", content=body)).status_code == 401


async def test_the_web_screen_is_told_the_new_key(new_gateway, nats, tmp_path):
    gateway = new_gateway(nats, apps_reload_seconds="60", web_dir=str(tmp_path))
    await replace(gateway, NEW_APP)

    async with httpx.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get("/config.json")).json()["appKey"] == NEW_APP["key"]


async def test_a_wrong_file_is_refused_and_the_old_one_stays(new_gateway, nats):
    gateway = new_gateway(nats, apps_reload_seconds="60")
    async with gateway.connect() as client:
        await replace(gateway, text=json.dumps([APP | {"secrett": "x"}]))
        await replace(gateway, text="{")

        await client.hears_nothing()
        async with gateway.connect(OTHER_APP) as another:
            await another.hears_nothing()
    reasons = [line["reason"] for line in gateway.log() if "refused, the old one stays" in line["event"]]
    assert ["secrett" in reasons[0], len(reasons)] == [True, 2]
    assert APP["secret"] not in str(gateway.log())


async def test_a_changed_file_is_noticed_without_a_signal(new_gateway, nats):
    gateway = new_gateway(nats, apps_reload_seconds="0.1")
    async with gateway.connect(OTHER_APP) as goes:
        other = gateway.apps_file.with_name("next.json")
        other.write_text(json.dumps([APP]))
        other.replace(gateway.apps_file)

        assert (await goes.closing())[0] == 4001
    await until(lambda: "apps file loaded" in [line["event"] for line in gateway.log()])
    loaded = next(line for line in gateway.log() if line["event"] == "apps file loaded")
    assert (OTHER_APP["id"] in loaded["removed"], loaded["added"], loaded["changed"]) == (True, [], [])
