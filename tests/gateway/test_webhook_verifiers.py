"""The official server SDKs accept every kind of webhook as it came, and nothing else (item 131)."""

import asyncio
import json

import pusher

from support.endpoints import HOOKED_APP, only
from support.node_clients import SCRIPTS

KINDS = ("channel_occupied", "channel_vacated", "member_added", "member_removed")
KINDS += ("client_event", "cache_miss", "subscription_count")


async def verify_by_node(node, posted, body=None):
    question = {"app": HOOKED_APP, "headers": posted.headers, "body": (body or posted.body).decode()}
    process = await asyncio.create_subprocess_exec(
        node, SCRIPTS / "verify-webhook.mjs", json.dumps(question), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return json.loads(output)


def verify_by_python(posted, body=None):
    sdk = pusher.Pusher(app_id=HOOKED_APP["id"], key=HOOKED_APP["key"], secret=HOOKED_APP["secret"])
    key, signature = posted.headers["x-pusher-key"], posted.headers["x-pusher-signature"]
    return sdk.validate_webhook(key, signature, (body or posted.body).decode())


async def test_131_the_sdks_accept_all_kinds_and_refuse_a_changed_body(node, new_hooked, endpoint):
    gateway = new_hooked([only(endpoint, *KINDS)], enableSubscriptionCounting=True)
    async with gateway.connect(HOOKED_APP) as client:
        await client.join("cache-empty")
        await client.enter("presence-räume".replace("ä", "ae"), "zoë", user_info={"name": "Zoë"})
        await client.send("client-typing", channel="presence-raeume", data={"näme": "Zoë \u2028 😀"})
        await endpoint.heard(6)

    told = await endpoint.heard(10)
    assert {event["name"] for event in told} == set(KINDS)
    (typing,) = [event for event in told if event["name"] == "client_event"]
    assert (typing["user_id"], typing["data"]) == ("zoë", '{"näme":"Zoë \u2028 😀"}')
    for posted in endpoint.posted:
        document = posted.document
        assert verify_by_python(posted) == document
        assert await verify_by_node(node, posted) == {
            "valid": True,
            "events": document["events"],
            "time": document["time_ms"],
        }
    first = endpoint.posted[0]
    changed = first.body.replace(b"channel", b"chamnel", 1)
    assert verify_by_python(first, changed) is None
    assert (await verify_by_node(node, first, changed))["valid"] is False
