"""Reads that cost next to nothing, and reads that wait for news."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from leads import watch as watching
from leads.api.context import Services
from leads.command import Feed
from leads.store.database import Database, DatabaseAway
from leads.store.directory import FEED, Directory
from leads.watch import FeedWatch, TooManyOfOne, TooManyWaiting
from runtime.coalescing import Coalesced
from support.databases import Database as Databases
from support.servers import NatsServer
from support.waiting import until

from .conftest import NOW, Clock, Company, Connect, Processes

pytestmark = pytest.mark.clock


async def post(api: httpx.AsyncClient, name: str = "Ada", **values: Any) -> dict[str, Any]:
    answer = await api.post("/leads", json={"name": name, **values})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


@pytest.fixture
def statements(database: Database) -> list[str]:
    """What is sent to PostgreSQL, apart from the beginnings and ends of transactions."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(database._engine.sync_engine, "before_cursor_execute", note)
    return seen


@pytest.mark.parametrize("path", ["/leads", "/leads?status=new&sort=name&limit=10", "/stats"])
async def test_what_has_not_changed_costs_one_row(
    api: httpx.AsyncClient, statements: list[str], path: str, leads_database: Databases, acme: Company
) -> None:
    await post(api)
    first = await api.get(path)
    statements.clear()

    again = await api.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    entering, reading = statements
    assert entering.startswith("SELECT set_config('app.company'")
    assert reading == " ".join(str(FEED).replace(":company_id", "%(company_id)s").split())
    assert "Index Scan using feeds_pkey on feeds (actual rows=1.00 loops=1)" in plan_of_the_feed(leads_database, acme)


def plan_of_the_feed(database: Databases, company: Company) -> str:
    with psycopg.connect(database.url("leads_app")) as app:
        app.execute("SELECT set_config('app.company', %s, true)", [str(company.id)])
        app.execute("SET LOCAL enable_seqscan = off")  # a table of two rows is not worth its index
        query = str(FEED).replace(":company_id", "%s")
        plan = app.execute(f"EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) {query}".encode(), [company.id])
        return "\n".join(line for (line,) in plan)


async def test_an_answer_to_one_company_is_not_anothers(
    api: httpx.AsyncClient, connect: Connect, globex: Company
) -> None:
    other = connect(company=globex)
    for client in (api, other):
        await post(client)

    for path in ("/leads", "/stats"):
        ours = (await api.get(path)).headers["ETag"]
        assert (await other.get(path, headers={"If-None-Match": ours})).status_code == 200


async def test_any_change_makes_the_answer_a_new_one(api: httpx.AsyncClient, connect: Connect, clock: Clock) -> None:
    lead = await post(api)
    tags = {}
    for path in ("/leads", "/leads?status=won", "/stats"):
        tags[path] = (await api.get(path)).headers["ETag"]

    assert len(set(tags.values())) == 3
    assert (await connect("manager").get("/leads")).headers["ETag"] != tags["/leads"]
    await api.patch(f"/leads/{lead['id']}", json={"name": "Bob"})
    for path, tag in tags.items():
        assert (await api.get(path, headers={"If-None-Match": tag})).status_code == 200
    figures = (await api.get("/stats")).headers["ETag"]
    clock.now += timedelta(days=1)
    assert (await api.get("/stats", headers={"If-None-Match": figures})).status_code == 200


async def test_a_lead_that_the_client_has_is_not_sent_again(api: httpx.AsyncClient) -> None:
    url = f"/leads/{(await post(api))['id']}"
    known = (await api.get(url)).headers["ETag"]

    assert (await api.get(url, headers={"If-None-Match": known})).status_code == 304
    assert (await api.get(url, headers={"If-None-Match": f'W/"7", W/{known}'})).status_code == 304
    await api.patch(url, json={"name": "Bob"})
    assert (await api.get(url, headers={"If-None-Match": known})).status_code == 200


async def test_a_read_waits_for_the_position_it_is_to_reflect(api: httpx.AsyncClient, services: Services) -> None:
    services.watch.hears = lambda: True
    paths = ["/leads", "/stats", "/changes", "/users", "/leads/deleted"]
    reads = [asyncio.create_task(api.get(path, params={"min_position": 1})) for path in paths]
    await until(lambda: services.watch.count == len(paths), why="all wait")

    await post(api)
    services.watch.stir()

    for read in reads:
        assert (await read).json()["meta"]["position"] == 1


async def test_a_position_that_never_comes_is_a_clear_refusal(
    app: FastAPI, api: httpx.AsyncClient, services: Services
) -> None:
    object.__setattr__(services, "patience", 0.01)

    answer = await api.get("/leads?min_position=5")

    assert (answer.status_code, answer.json()["code"]) == (409, "position_not_reached")


async def test_changes_are_answered_as_soon_as_there_are_any(api: httpx.AsyncClient, services: Services) -> None:
    services.watch.hears = lambda: True  # nobody looks by the clock
    waiting = asyncio.create_task(api.get("/changes?after=0&wait=60"))
    await until(lambda: services.watch.count == 1, why="the request waits")

    lead = await post(api)
    services.watch.heard(f"crm.{lead['id']}.lead.x.created")  # of another company: nobody looks
    services.watch.heard("crm.nonsense")
    services.watch.heard(f"crm.{(await api.get('/auth/me')).json()['data']['company_id']}.lead.x.created")

    answer = (await waiting).json()
    assert [entry["lead"]["id"] for entry in answer["data"]] == [lead["id"]]
    assert services.watch.count == 0


async def test_a_wait_without_news_ends_empty(api: httpx.AsyncClient) -> None:
    answer = await api.get("/changes?after=0&wait=1")

    assert (answer.status_code, answer.json()["data"], answer.json()["meta"]["position"]) == (200, [], 0)


async def test_what_is_there_already_is_not_waited_for(api: httpx.AsyncClient, services: Services) -> None:
    await post(api)

    assert len((await api.get("/changes?after=0&wait=60")).json()["data"]) == 1


async def test_who_was_deactivated_while_waiting_is_told_nothing(
    api: httpx.AsyncClient, services: Services, superuser: psycopg.Connection, acme: Company, connect: Connect
) -> None:
    services.watch.hears = lambda: True
    waiting = asyncio.create_task(api.get("/changes?after=0&wait=60"))
    await until(lambda: services.watch.count == 1, why="the request waits")

    superuser.execute("UPDATE users SET active = false WHERE id = %s", [acme.users["agent"]])
    superuser.execute("UPDATE feeds SET settings_version = settings_version + 1 WHERE company_id = %s", [acme.id])
    await post(connect("manager"))
    services.watch.stir()

    assert (await waiting).status_code == 401


# The watch by itself.


class Feeds(Directory):
    """Feeds that the test moves, and that say when they are looked at."""

    def __init__(self) -> None:
        self.position = 0
        self.looks = 0
        self.look: Callable[[], None] = lambda: None

    async def feed(self, company_id: UUID) -> Feed:
        self.looks += 1
        position = self.position
        await asyncio.sleep(0)
        self.look()
        return Feed(position, 0, "e", NOW)


ONE, TWO, USER = UUID(int=1), UUID(int=2), UUID(int=9)


@pytest.fixture
def feeds() -> Feeds:
    return Feeds()


@pytest.fixture
async def watch(feeds: Feeds) -> AsyncIterator[FeedWatch]:
    watch = FeedWatch(feeds, most=100, most_of_one=50)
    watch.hears = lambda: True
    yield watch
    watch.close()


async def test_a_fact_that_comes_during_the_look_is_not_missed(feeds: Feeds, watch: FeedWatch) -> None:
    def commit_behind_the_look() -> None:
        if feeds.position == 0:
            feeds.position = 1
            watch.heard(f"crm.{ONE}.lead.x.created")

    feeds.look = commit_behind_the_look

    assert await watch.wait(ONE, USER, epoch="e", after=0, seconds=60) == Feed(1, 0, "e", NOW)
    assert feeds.looks == 2


async def test_one_look_serves_everybody_of_a_company(feeds: Feeds, watch: FeedWatch) -> None:
    waiting = [
        asyncio.create_task(watch.wait(ONE, UUID(int=user), epoch="e", after=0, seconds=60)) for user in range(90)
    ]
    await until(lambda: watch.count == 90 and feeds.looks > 0, why="all wait")
    await asyncio.sleep(0.01)
    before = feeds.looks

    feeds.position = 1
    watch.heard(f"crm.{ONE}.lead.x.created")

    assert set(await asyncio.gather(*waiting)) == {Feed(1, 0, "e", NOW)}
    assert feeds.looks == before + 1


async def test_a_fact_of_another_company_wakes_nobody(feeds: Feeds, watch: FeedWatch) -> None:
    waiting = asyncio.create_task(watch.wait(ONE, USER, epoch="e", after=0, seconds=60))
    await until(lambda: feeds.looks > 0, why="it looked")
    await asyncio.sleep(0.01)
    before = feeds.looks

    watch.heard(f"crm.{TWO}.lead.x.created")
    await asyncio.sleep(0.01)

    assert feeds.looks == before
    watch.close()
    assert await waiting is None


async def test_without_nats_the_feed_is_looked_at_by_the_clock(
    feeds: Feeds, watch: FeedWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_AGAIN", 0.01)
    watch.hears = lambda: False
    waiting = asyncio.create_task(watch.wait(ONE, USER, epoch="e", after=0, seconds=60))
    await until(lambda: feeds.looks > 2, why="it looks again and again")

    feeds.position = 1

    assert await waiting == Feed(1, 0, "e", NOW)


async def test_places_are_few_and_given_back(watch: FeedWatch) -> None:
    full = [asyncio.create_task(watch.wait(ONE, USER, epoch="e", after=0, seconds=60)) for _ in range(50)]
    await until(lambda: watch.count == 50, why="one user's places are taken")
    with pytest.raises(TooManyOfOne):
        await watch.wait(ONE, USER, epoch="e", after=0, seconds=60)
    others = [asyncio.create_task(watch.wait(TWO, UUID(int=20 + n), epoch="e", after=0, seconds=60)) for n in range(50)]
    await until(lambda: watch.count == 100, why="all places are taken")
    with pytest.raises(TooManyWaiting):
        await watch.wait(TWO, UUID(int=1000), epoch="e", after=0, seconds=60)

    for task in full:
        task.cancel()
    await asyncio.gather(*full, return_exceptions=True)
    assert watch.count == 50
    watch.close()

    assert set(await asyncio.gather(*others)) == {None}
    assert watch.count == 0


async def test_a_client_that_leaves_gives_its_place_back(watch: FeedWatch) -> None:
    leave: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(watch.wait(ONE, USER, epoch="e", after=0, seconds=60, leave=leave))
    await until(lambda: watch.count == 1, why="it waits")

    leave.set_result(None)

    assert await waiting is None
    assert watch.count == 0


async def test_everybody_hears_that_nobody_can_look(feeds: Feeds, watch: FeedWatch) -> None:
    def away() -> None:
        raise DatabaseAway

    feeds.look = away
    waiting = [asyncio.create_task(watch.wait(ONE, USER, epoch="e", after=0, seconds=60)) for _ in range(3)]

    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(answer) for answer in answers} == {DatabaseAway}
    feeds.look, feeds.position = lambda: None, 1
    assert await watch.wait(ONE, USER, epoch="e", after=0, seconds=60) == Feed(1, 0, "e", NOW)


async def test_thousands_who_ask_at_once_cost_two_reads_none_older_than_its_asker() -> None:
    begun: list[asyncio.Event] = []
    coalesced = Coalesced[int]()

    async def read() -> int:
        begun.append(asyncio.Event())
        number = len(begun)
        await begun[-1].wait()
        return number

    first = asyncio.create_task(coalesced.read("key", read))
    await until(lambda: len(begun) == 1, why="the first read is under way")
    later = [asyncio.create_task(coalesced.read("key", read)) for _ in range(1000)]
    later[0].cancel()
    begun[0].set()
    await until(lambda: len(begun) == 2, why="the second one is")
    begun[1].set()

    assert await first == 1
    assert set(await asyncio.gather(*later[1:])) == {2}
    assert not coalesced._running
    assert not coalesced._next


async def test_settings_are_read_once_for_all_who_need_them_at_the_same_time(
    directory: Directory, statements: list[str], acme: Company
) -> None:
    found = await asyncio.gather(*(directory.company(acme.id) for _ in range(500)))

    assert {company.id for company in found} == {str(acme.id)}
    assert len([statement for statement in statements if "FROM custom_fields" in statement]) == 1


# Real processes.


async def test_facts_on_nats_wake_those_who_wait_and_leaving_frees_their_place(
    leads_database: Databases, nats: NatsServer, acme: Company, processes: Processes
) -> None:
    api = await processes.start("api", role="leads_app", user="leads-api")
    await processes.start("relay", role="leads_relay", user="leads-relay")
    headers = {"Authorization": f"Bearer {acme.token(now=datetime.now(UTC))}"}
    async with httpx.AsyncClient(base_url=api, headers=headers, timeout=90) as client:
        waiting = asyncio.create_task(client.get("/changes?after=0&wait=60"))
        leaving = asyncio.create_task(client.get("/changes?after=0&wait=60"))
        await until(lambda: waits(processes.admin_url(api), 2), why="both wait")
        leaving.cancel()
        await until(lambda: waits(processes.admin_url(api), 1), why="a place is free again")
        await client.post("/leads", json={"name": "Ada"})

        assert [entry["lead"]["name"] for entry in (await waiting).json()["data"]] == ["Ada"]

        last = asyncio.create_task(client.get("/changes?after=1&wait=60"))
        await until(lambda: waits(processes.admin_url(api), 1), why="one waits")
        stopped = await asyncio.to_thread(processes.stop, api)

        assert (stopped, (await last).json()["data"]) == (0, [])


async def waits(admin_url: str, count: int) -> bool:
    async with httpx.AsyncClient(base_url=admin_url) as admin:
        metrics = (await admin.get("/metrics")).text
    return f"leads_waiting_requests {float(count)}" in metrics
