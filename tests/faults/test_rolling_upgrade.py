"""Two of each process, and each in turn is replaced, first in order and then by `kill -9`, while leads are written and
500 clients listen. Everybody must have heard every lead, once and in order."""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable, Iterator

import pytest

from support.databases import Database, cloned
from support.servers import NatsServer
from support.stack import Company, Stack, provision, running
from support.waiting import until
from support.watchers import OneOf, Watcher, create_until, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

COMPANIES = 5
LISTENERS = 100
"""Of each company."""
PAUSE = 0.2
"""Seconds between two leads of a company: 2,500 frames a second are what one test's event loop reads."""


@pytest.fixture
def pair(
    nats: NatsServer, notifier_database: Database, _companies: tuple[Database, tuple[Company, Company]]
) -> Iterator[Stack]:
    template, companies = _companies
    with (
        cloned(template) as leads_database,
        running(nats, leads_database, notifier_database, companies, replicas=2) as stack,
    ):
        yield stack


def gateway_in_turn(stack: Stack) -> Callable[[], Awaitable[str]]:
    """Return what says where to connect: one gateway after the other, as a balancer that knows of no failure."""
    key = stack.topology.credentials.pusher_app_key
    addresses = itertools.cycle([f"{url.replace('http', 'ws', 1)}/app/{key}" for url in stack.urls("gateway")])

    async def address() -> str:
        return next(addresses)

    return address


async def replace_each(stack: Stack, end: Callable[[str], None]) -> None:
    """End each process, start it again, and go on with the next when it is ready."""
    for name in stack.names:
        await asyncio.to_thread(end, name)
        stack.start(name)
        await stack.ready(name)


async def test_everybody_hears_everything_once_while_each_process_is_replaced(
    pair: Stack, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    companies = [provision(pair.topology, f"Company{number}", str(uuid.uuid4())) for number in range(COMPANIES)]
    clients = [pair.client(company=company, transport=OneOf(pair.urls("api"))) for company in companies]
    address = gateway_in_turn(pair)
    watchers = [
        [Watcher(address, client, company.id) for _ in range(LISTENERS)]
        for company, client in zip(companies, clients, strict=True)
    ]
    everybody = list(itertools.chain(*watchers))
    async with watching(everybody):
        await until(lambda: all(watcher.connections for watcher in everybody), why="all listen")

        async def replaced() -> None:
            await replace_each(pair, pair.stop)
            await replace_each(pair, pair.kill)

        replacing = asyncio.create_task(replaced())
        written = await asyncio.gather(*(create_until(client, replacing.done, pause=PAUSE) for client in clients))
        await replacing
        for positions, listening in zip(written, watchers, strict=True):
            for watcher in listening:
                await until(lambda watcher=watcher, last=positions[-1:]: watcher.heard[-1:] == last, within=90)
    for client in clients:
        await client.aclose()

    summary = {
        "events": sum(map(len, written)),
        "clients": len(everybody),
        "reconnections": sum(watcher.connections - 1 for watcher in everybody),
        "refetches": sum(watcher.refetches for watcher in everybody),
        "deliveries": sum(len(watcher.heard) for watcher in everybody),
        "lost": sum(
            len(set(positions) - set(watcher.heard))
            for positions, listening in zip(written, watchers, strict=True)
            for watcher in listening
        ),
        "duplicated": sum(len(watcher.heard) - len(set(watcher.heard)) for watcher in everybody),
    }
    with capsys.disabled():
        print("\nrolling upgrade:", ", ".join(f"{name} {value}" for name, value in summary.items()))  # noqa: T201 - it is wanted
    for name, value in summary.items():
        record_property(name, value)
    assert (summary["lost"], summary["duplicated"], summary["refetches"]) == (0, 0, 0)
    for positions, listening in zip(written, watchers, strict=True):
        assert positions == list(range(1, len(positions) + 1))
        assert all(watcher.heard == positions for watcher in listening)
