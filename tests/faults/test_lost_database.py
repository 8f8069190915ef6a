"""Every session of every process is ended by the server, again and again, in the middle of whatever it does.

No process ends for that, and what they had to do is done.
"""

import asyncio

import httpx
import psycopg
import pytest

from support.log_and_stream import in_the_log, on_the_stream
from support.stack import Stack
from support.waiting import until
from support.watchers import create_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

LEADS = 300
CUTS = 25
PAUSE = 0.23
"""Seconds between two cuts: no multiple of any interval of the processes."""
END_ALL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = ANY(%s) AND pid <> pg_backend_pid() AND usename <> current_user
"""


def end_all_sessions(stack: Stack) -> None:
    databases = [stack.topology.leads_database, stack.topology.notifier_database]
    with psycopg.connect(stack.topology.superuser_url) as connection:
        connection.execute(END_ALL, [databases])


async def state_of(api: httpx.AsyncClient, job: str) -> str:
    try:
        answer = await api.get(job)
    except httpx.TransportError:
        return ""
    return str(answer.json()["data"]["state"]) if answer.is_success else ""


async def test_no_process_ends_when_its_sessions_do(stack: Stack) -> None:
    stack.start("worker")
    await stack.ready("worker")
    over = asyncio.Event()
    async with stack.client("manager") as api:
        for number in range(LEADS):
            assert (await api.post("/leads", json={"name": f"Tagged {number}"})).status_code == httpx.codes.CREATED
        writing = asyncio.create_task(create_until(api, over.is_set, pause=0.02))
        meant = {"filter": {"q": "Tagged"}, "expected_count": LEADS}
        body = {"leads": meant, "change": {"action": "tag", "add": ["cut"]}}
        ordered = await api.post("/leads/bulk", json=body)
        assert ordered.status_code == httpx.codes.ACCEPTED, ordered.text
        for _ in range(CUTS):
            await asyncio.to_thread(end_all_sessions, stack)
            await asyncio.sleep(PAUSE)
        over.set()
        await writing

        async def has_ended() -> bool:
            return await state_of(api, ordered.headers["Location"]) == "done"

        await until(has_ended, within=120)
    await stack.ready("worker", *stack.names)
    assert not stack.ended()
    log = in_the_log(stack, stack.acme)

    async def all_published() -> bool:
        return len(await on_the_stream(stack, stack.acme)) >= len(log)

    await until(all_published)
    assert await on_the_stream(stack, stack.acme) == log
    stack.stop("worker")
