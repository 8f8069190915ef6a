"""Figures: at once, at most once a second, the last state always."""

import asyncio
import itertools
import random
import time

import pytest

from contracts import envelope
from contracts.events import Change, LeadUpdated
from contracts.push import StatsPush
from notifier.leads_client import LeadsClient, LeadsUnavailable
from notifier.stats import StatsPusher
from notifier.store import connected
from notifier.waiting import Backoff
from support.notifiers import ACME, APP_ID, GLOBEX, NOW, World, summary
from support.waiting import until

pytestmark = pytest.mark.clock


async def last_total(world: World, company_id: str) -> int:
    pushes = await world.stats_pushes(company_id)
    return pushes[-1].data["total"] if pushes else 0


async def test_a_busy_company_hears_at_most_once_a_second_and_the_last_state(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        for _ in range(60):
            await world.leads.commit(ACME, 2)
            await asyncio.sleep(0.05)  # facts that come over three seconds: that is the case itself
        await until(lambda: is_total(world, ACME, 120))

    pushes = await world.stats_pushes(ACME)
    gaps = [(after.time - before.time).total_seconds() for before, after in itertools.pairwise(pushes)]
    assert 3 <= len(pushes) <= 6
    assert min(gaps) >= 0.95
    assert pushes[0].data["total"] <= 10
    assert [push.data["position"] for push in pushes] == [push.data["total"] for push in pushes]


async def is_total(world: World, company_id: str, total: int) -> bool:
    return await last_total(world, company_id) == total


async def test_figures_wait_for_the_leads_service_and_hold_nothing_else_up(world: World) -> None:
    await world.running_notifier()
    await world.leads.commit(ACME, 3)
    await world.leads.commit(GLOBEX, 3)
    await world.reaches(ACME, 3)
    await world.reaches(GLOBEX, 3)
    assert await world.stats_pushes(ACME) == []

    async with world.leads.answering():
        await until(lambda: is_total(world, ACME, 3))
        await until(lambda: is_total(world, GLOBEX, 3))


async def test_figures_that_a_killed_process_owed_are_pushed_by_the_next(world: World) -> None:
    first = await world.running_notifier()
    await world.leads.commit(ACME, 3)
    await world.reaches(ACME, 3)
    first.kill()

    async with world.leads.answering():
        second = await world.running_notifier()
        await until(lambda: is_total(world, ACME, 3))
        second.kill()
        asked = len(world.leads.stats_requests)

        await world.running_notifier()
        await world.leads.commit(GLOBEX)
        await until(lambda: is_total(world, GLOBEX, 1))

    assert world.leads.stats_requests[asked:] == [GLOBEX]


async def test_a_change_of_nothing_counted_pushes_no_figures(world: World) -> None:
    await world.running_notifier()
    renamed = envelope.wrap(
        LeadUpdated(lead=summary(1), changes={"name": Change(old="Ada", new="Eda")}),
        time=NOW,
        id="e1",
        companyid=ACME,
        feedposition=1,
        streamversion=1,
    )
    async with world.leads.answering():
        await world.leads.publish(renamed)
        await world.reaches(ACME, 1)
        await world.leads.commit(GLOBEX)
        await until(lambda: is_total(world, GLOBEX, 1))

    assert world.leads.stats_requests == [GLOBEX]


class SwallowsCancellation(LeadsClient):
    """Answers a cancellation with a refusal, as `asyncio.wait_for` of Python 3.11 may."""

    def __init__(self, asked: asyncio.Event) -> None:
        self._asked = asked

    async def stats(self, company_id: str) -> StatsPush:
        self._asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise LeadsUnavailable(company_id) from None
        raise AssertionError


async def test_told_to_stop_it_ends_even_if_a_cancellation_is_swallowed(world: World) -> None:
    asked = asyncio.Event()
    async with (
        connected(world.database.url("notifier_writer")) as store,
        asyncio.timeout(5),
        asyncio.TaskGroup() as tasks,
    ):
        leads = SwallowsCancellation(asked)
        backoff = Backoff(time.monotonic, chance=random.random)
        js = world.operator.jetstream()
        stats = StatsPusher(js, leads, store, app_id=APP_ID, spawn=tasks.create_task, backoff=backoff)
        stats.mark(ACME)
        await asked.wait()
        stats.stop()
        stats.mark(GLOBEX)
