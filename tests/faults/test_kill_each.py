"""Each process is killed with -9 while leads are being created. Nothing accepted may be lost or doubled, anywhere."""

import uuid

import httpx
import pytest

from support.browser import chromium, live, open_screen, shown_ids
from support.log_and_stream import in_the_log, on_the_stream, pushed
from support.stack import Stack
from support.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.browser]

CREATES = 200
KILL_AT = 60
START_AT = 100


async def create(api: httpx.AsyncClient, number: int) -> str:
    """Create a lead as a careful client does: the same Idempotency-Key until there is an answer."""
    key = str(uuid.uuid4())
    while True:
        try:
            answer = await api.post("/leads", json={"name": f"Lead {number:03}"}, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            continue
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            assert answer.status_code == httpx.codes.CREATED, answer.text
            lead_id: str = answer.json()["data"]["id"]
            return lead_id


@pytest.mark.parametrize("victim", ["relay", "notifier", "gateway", "nats"])
async def test_nothing_accepted_is_lost_or_doubled(stack: Stack, victim: str) -> None:
    async with chromium() as browser, stack.client("agent") as api:
        page = await open_screen(browser, stack, stack.acme.users["manager"])
        accepted = []
        for number in range(CREATES):
            if number == KILL_AT:
                stack.kill(victim)
            if number == START_AT:
                stack.start(victim)
            accepted.append(await create(api, number))
        await stack.ready()

        log = in_the_log(stack, stack.acme)
        assert [position for position, _, _ in log] == list(range(1, CREATES + 1))
        assert [lead_id for _, _, lead_id in log] == accepted

        async def all_on_the_stream() -> bool:
            return len(await on_the_stream(stack, stack.acme)) >= CREATES

        await until(all_on_the_stream, within=60)
        assert await on_the_stream(stack, stack.acme) == log

        async def all_pushed() -> bool:
            return len(await pushed(stack, stack.acme)) >= CREATES

        await until(all_pushed, within=60)
        assert await pushed(stack, stack.acme) == [event_id for _, event_id, _ in log]

        await live(page, within=120)  # an official client waits 15 s and more after a refused connection
        listed = (await api.get("/leads", params={"limit": 500})).json()
        expected = [lead["id"] for lead in listed["data"]]

        async def equal() -> bool:
            return await shown_ids(page) == expected

        await until(equal, within=60, why="the browser's list equals GET /leads")
