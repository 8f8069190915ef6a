"""What NATS holds is purged, or lost with its disk, while people look at their screens: a reseed brings it all back.

Every screen ends equal to the server, and nothing is shown twice.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts import streams
from support.browser import chromium, live, open_screen, shown_ids
from support.databases import run
from support.screens import Screen, screen
from support.stack import NATS, Stack
from support.waiting import until

from .test_kill_each import create, in_the_log, on_the_stream, pushed

pytestmark = [pytest.mark.faults, pytest.mark.browser]

Lose = Callable[[Stack], Awaitable[None]]


async def purge(stack: Stack) -> None:
    """Purge the facts that the notifier has not seen."""
    async with stack.nats.client("operator") as nats:
        await nats.jetstream().purge_stream(streams.CRM)


async def lose_the_disk(stack: Stack) -> None:
    """Lose everything that NATS has stored, and make the streams anew."""
    stack.kill(NATS)
    stack.nats.lose()
    await asyncio.to_thread(stack.start, NATS)
    await asyncio.to_thread(run, stack.topology.migrate_leads())


@pytest.mark.parametrize("lose", [purge, lose_the_disk])
async def test_after_a_reseed_every_screen_equals_the_server(stack: Stack, lose: Lose) -> None:
    numbers = itertools.count()
    agent, manager = stack.acme.users["agent"], stack.acme.users["manager"]
    async with (
        chromium() as browser,
        screen("echo", stack, agent, stack.acme) as echo,
        screen("pusher", stack, agent, stack.acme) as pusher,
        stack.client("agent") as api,
    ):
        page = await open_screen(browser, stack, manager)
        for client in (echo, pusher):
            await client.hears("subscribed")

        async def create_some(count: int) -> None:
            for _ in range(count):
                await create(api, next(numbers))

        await create_some(10)
        await echo.hears("lead.created", count=10)
        stack.kill("notifier")
        await create_some(20)
        await until(lambda: is_on_the_stream(stack, 30))
        await lose(stack)
        stack.start("notifier")
        await stack.ready(within=120)
        assert positions(echo) == list(range(1, 11))

        await asyncio.to_thread(run, stack.topology.leads_command("reseed"))
        log = in_the_log(stack, stack.acme)
        await until(lambda: is_pushed(stack, log[-1][1]), within=60, why="the notifier is there")
        await live(page, within=120)
        for client in (echo, pusher):
            await until(lambda client=client: positions(client)[-1:] == [30], why="it hears the last lead")
        listed = [lead["id"] for lead in (await api.get("/leads", params={"limit": 500})).json()["data"]]

        async def equal() -> bool:
            return await shown_ids(page) == listed

        await until(equal, within=60, why="the browser's list equals GET /leads")

    held = await on_the_stream(stack, stack.acme)
    assert held[-30:] == log
    assert positions(echo) == positions(pusher) == list(range(1, 31))


def positions(client: Screen) -> list[int]:
    """Return the feed positions that a client has heard, in the order in which it heard them."""
    return [line["data"]["position"] for line in client.events("lead.created")]


async def is_on_the_stream(stack: Stack, count: int) -> bool:
    return len(await on_the_stream(stack, stack.acme)) >= count


async def is_pushed(stack: Stack, event_id: str) -> Any:
    return event_id in await pushed(stack, stack.acme)
