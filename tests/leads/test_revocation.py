"""What an admin takes back counts at once in every process, also in one that has the settings of before in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import httpx
import pytest

from .attempts import made
from .conftest import Company, Processes

pytestmark = pytest.mark.clock


@pytest.fixture
async def urls(acme: Company, processes: Processes) -> list[str]:
    return [await processes.start("api", role="leads_app", user="leads-api") for _ in range(2)]


@pytest.fixture
async def here_and_there(urls: list[str], acme: Company) -> AsyncIterator[dict[tuple[str, int], httpx.AsyncClient]]:
    """Clients by role and process."""
    async with AsyncExitStack() as clients:
        yield {
            (role, number): await clients.enter_async_context(
                httpx.AsyncClient(
                    base_url=url,
                    headers={"Authorization": f"Bearer {acme.token(role, now=datetime.now(UTC))}"},
                    timeout=60,
                )
            )
            for role in ("agent", "manager", "admin")
            for number, url in enumerate(urls)
        }


Clients = dict[tuple[str, int], httpx.AsyncClient]


async def test_a_deactivated_user_can_do_nothing_through_any_process(here_and_there: Clients, acme: Company) -> None:
    admin, agent = here_and_there["admin", 0], here_and_there["agent", 1]
    key = {"Idempotency-Key": "once"}
    lead = (await agent.post("/leads", json={"name": "Ada"}, headers=key)).json()["data"]
    url = f"/leads/{lead['id']}"

    assert (await admin.post(f"/users/{acme.users['agent']}/deactivate")).status_code == 200

    answers = [
        await agent.post("/leads", json={"name": "Bob"}),
        await agent.post("/leads", json={"name": "Ada"}, headers=key),
        await agent.post("/leads", json={"name": ""}),
        await agent.patch(url, json={"name": "Bob"}),
        await agent.patch(url, json={"name": "Ada"}),
        await agent.delete(url),
        await agent.post("/views", json={"name": "Mine", "query": {}}),
        await agent.post("/broadcasting/auth", json={"socket_id": "1.2", "channel_name": f"private-company.{acme.id}"}),
        await agent.get("/leads"),
        await agent.get("/auth/me"),
    ]
    assert [answer.status_code for answer in answers] == [401] * len(answers)
    left = (await admin.get(url)).json()["data"]
    assert (left["name"], left["version"]) == ("Ada", 1)


async def test_a_lower_role_counts_in_a_process_that_remembers_the_higher_one(
    here_and_there: Clients, acme: Company
) -> None:
    admin, agent = here_and_there["admin", 0], here_and_there["agent", 1]
    lead = await made(agent, "/leads", {"name": "Ada"})

    await admin.patch(f"/users/{acme.users['agent']}", json={"role": "viewer"})

    answers = [await agent.post("/leads", json={"name": "Bob"}), await agent.delete(f"/leads/{lead['id']}")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert (await agent.get(f"/leads/{lead['id']}")).status_code == 200


async def test_a_removed_stage_is_used_by_nobody_any_more(here_and_there: Clients) -> None:
    admin, agent = here_and_there["admin", 0], here_and_there["agent", 1]
    lead = await made(agent, "/leads", {"name": "Ada"})
    stages = (await agent.get("/pipeline")).json()["data"]["stages"]
    fewer = [stage for stage in stages if stage["key"] != "contacted"]

    assert (await admin.put("/pipeline", json={"stages": fewer}, headers={"If-Match": "*"})).status_code == 200

    answers = [
        await agent.post("/leads", json={"name": "Bob", "status": "contacted"}),
        await agent.patch(f"/leads/{lead['id']}", json={"status": "contacted"}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(422, "unknown_stage")] * 2


async def test_no_fact_of_a_user_follows_their_deactivation(here_and_there: Clients, acme: Company) -> None:
    admin = here_and_there["admin", 0]
    started = asyncio.Event()

    async def write(client: httpx.AsyncClient) -> int:
        """Create leads until it is refused; return how the last try was answered."""
        while (answer := await client.post("/leads", json={"name": "Ada"})).status_code == 201:
            started.set()
        return answer.status_code

    writers = [asyncio.create_task(write(here_and_there["agent", number])) for number in (0, 1, 1, 1)]
    await started.wait()
    assert (await admin.post(f"/users/{acme.users['agent']}/deactivate")).status_code == 200
    outcomes = await asyncio.gather(*writers)

    feed = await whole_feed(admin)
    end = next(number for number, fact in enumerate(feed) if fact["type"] == "user.deactivated")
    assert set(outcomes) == {401}
    assert [fact["position"] for fact in feed] == list(range(1, len(feed) + 1))
    assert feed[end:] == [feed[end]]


async def test_two_admins_who_remove_each_other_leave_one(here_and_there: Clients, acme: Company) -> None:
    first, second = here_and_there["admin", 0], here_and_there["manager", 1]
    admin_url, other_url = f"/users/{acme.users['admin']}", f"/users/{acme.users['manager']}"
    await first.patch(other_url, json={"role": "admin"})

    answers = await asyncio.gather(first.post(f"{other_url}/deactivate"), second.post(f"{admin_url}/deactivate"))

    assert sorted(answer.status_code for answer in answers) == [200, 401]
    winner = first if answers[0].is_success else second
    users = (await winner.get("/users")).json()["data"]
    assert [user["active"] for user in users if user["role"] == "admin"].count(True) == 1


async def whole_feed(client: httpx.AsyncClient) -> list[dict[str, object]]:
    facts: list[dict[str, object]] = []
    url: str | None = "/changes?limit=500"
    while url:
        page = (await client.get(url)).json()
        facts += page["data"]
        url = page["links"]["next"]
    return facts
