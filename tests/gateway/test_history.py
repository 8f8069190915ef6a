"""`GET /apps/{id}/channels/{name}/history`."""

import json
from itertools import count

import httpx
import pytest

from contracts import streams
from contracts.push import Push
from support.gateways import APP, OTHER_APP, signed_query
from support.resuming import join, place

CHANNEL = "private-past"
keys = count()


async def ask(gateway, channel, app=APP, **query):
    path = f"/apps/{app['id']}/channels/{channel}/history"
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        return await http.get(f"{path}?{signed_query('GET', path, app=app, **query)}")


async def page(gateway, channel=CHANNEL, **query):
    answer = await ask(gateway, channel, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def store(client, name, channel=CHANNEL, **fields):
    push = Push(app_id=APP["id"], channel=channel, event=name, data='{"a":1}', key=f"past-{next(keys)}", **fields)
    return (await client.jetstream().publish(push.subject, push.body, headers=push.headers)).seq


async def test_a_channels_past_is_read_page_by_page(new_gateway, nats):
    gateway = new_gateway(nats)
    async with nats.client() as backend:
        empty = await page(gateway)
        numbers = [await store(backend, str(number)) for number in range(5)]
        await store(backend, "elsewhere", "private-other")
        last = await store(backend, "own", except_socket="1.2")

        first = await page(gateway, limit="3")
        second = await page(gateway, after=str(first["offset"]), epoch=first["epoch"])

    assert empty == {"events": [], "epoch": empty["epoch"], "offset": 0, "complete": True, "more": False}
    assert first["events"] == [
        {"offset": number, "event": str(index), "data": '{"a":1}'} for index, number in enumerate(numbers[:3])
    ]
    assert (first["offset"], first["more"], first["complete"]) == (numbers[2], True, True)
    assert [event["event"] for event in second["events"]] == ["3", "4", "own"]
    assert second["events"][-1]["socket_id"] == "1.2"
    assert (second["offset"], second["more"], second["complete"]) == (last, False, True)


async def test_its_offsets_are_those_of_sockets(gateway, nats_server):
    async with nats_server.client() as backend, gateway.connect() as client:
        _, position = await join(client, CHANNEL)
        await store(backend, "missed")
        query = {name: str(value) for name, value in place(position).items()}
        found = await page(gateway, after=query["offset"], epoch=query["epoch"])

        async with gateway.connect() as back:
            heard, again = await join(back, CHANNEL, epoch=found["epoch"], offset=found["offset"])
    assert [event["event"] for event in found["events"]] == ["missed"]
    assert (heard, again["resumed"]) == ([], True)


async def test_it_says_when_it_is_not_complete(new_gateway, nats):
    gateway = new_gateway(nats)
    async with nats.client() as backend:
        first, second = [await store(backend, name) for name in ("1", "2")]
        await backend.jetstream().purge_stream(streams.PUSH, seq=second)

        assert not (await page(gateway, after=str(first - 1)))["complete"]
        assert (await page(gateway, after=str(first)))["complete"]
        for strange in ({"after": "1", "epoch": "another"}, {"after": "99999"}):
            found = await page(gateway, **strange)
            assert (found["events"], found["complete"], found["offset"]) == ([], False, second)


async def test_a_page_is_bounded_in_bytes(gateway, nats_server):
    channel = "private-large"
    frame = json.dumps({"event": "large", "channel": channel, "data": "x" * 60_000}).encode()
    async with nats_server.client() as backend:
        for _ in range(30):
            await backend.jetstream().publish(f"push.{APP['id']}.{channel}", frame)

    found, events = {"offset": 0, "more": True}, []
    while found["more"]:
        found = await page(gateway, channel, after=str(found["offset"]))
        assert sum(len(event["data"]) for event in found["events"]) < 1_200_000
        events += found["events"]
    assert len(events) == 30


async def test_nobody_reads_another_apps_past(gateway, nats_server):
    async with nats_server.client() as backend:
        await store(backend, "secret", "private-ours")

    assert (await ask(gateway, "private-ours", OTHER_APP)).json()["events"] == []
    path = f"/apps/{APP['id']}/channels/private-ours/history"
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get(path)).status_code == 401
        forged = await http.get(f"{path}?{signed_query('GET', path, app=OTHER_APP)}")
    assert forged.status_code == 401


@pytest.mark.parametrize(
    ("channel", "query"),
    [
        ("%23server-to-user-7", {}),
        ("a b", {}),
        ("news", {"after": "-1"}),
        ("news", {"after": "x"}),
        ("news", {"after": "9223372036854775808"}),
        ("news", {"limit": "0"}),
        ("news", {"limit": "1001"}),
        ("news", {"limit": "9" * 5000}),
        ("news", {"epoch": "e" * 65}),
    ],
)
async def test_what_makes_no_sense_is_refused(gateway, channel, query):
    assert (await ask(gateway, channel, **query)).status_code == 400


async def test_while_nats_is_away_it_says_so(new_gateway, nats):
    gateway = new_gateway(nats)
    nats.kill()

    assert (await ask(gateway, CHANNEL)).status_code == 503
