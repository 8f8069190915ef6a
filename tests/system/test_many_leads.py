"""Very many leads at once, end to end: a file of ten thousand rows is a few frames on an official client's screen."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from support.screens import screen
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.system

ROWS = 10_000


async def ended(api: httpx.AsyncClient, path: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        job: dict[str, Any] = (await api.get(path)).json()["data"]
        return job if job["finished_at"] else None

    job: dict[str, Any] = await until(look, within=120, why=f"{path} ends")
    return job


async def test_ten_thousand_rows_are_a_few_frames_and_so_is_taking_them_back(stack: Stack) -> None:
    stack.start("worker")
    rows = "".join(f"Lead {number},lead{number}@example.com\n" for number in range(ROWS))
    async with (
        screen("echo", stack, stack.acme.users["agent"], stack.acme) as client,
        stack.client("manager") as api,
    ):
        await client.hears("subscribed")
        path = (await api.post("/imports?name=fair.csv", content=f"name,email\n{rows}")).headers["Location"]
        imported = await ended(api, (await api.post(f"{path}/start")).headers["Location"])
        await until(lambda: states(client, "import.progress")[-1:] == ["finished"], why="the import's end is heard")
        await until(lambda: told(client) == {imported["id"]: ROWS}, why="the last signal of the import")
        undone = await ended(api, (await api.post(f"{path}/revert")).headers["Location"])
        await until(lambda: states(client, "import.progress")[-1:] == ["reverted"], why="the revert's end is heard")
        await until(lambda: told(client).get(undone["id"]) == ROWS, why="the last signal of the revert")
        total = (await api.get("/stats")).json()["data"]["total"]
        position = (await api.get("/leads")).json()["meta"]["position"]

    assert (imported["changed"], undone["changed"], total) == (ROWS, ROWS, 0)
    seconds = sum(seconds_of(job) for job in (imported, undone))
    assert not [line for line in client.heard if line["event"] in {"lead.created", "lead.deleted", "lead.updated"}]
    heard = [line for line in client.heard if line["event"] in {"leads.changed", "import.progress", "job.progress"}]
    # At most a signal and a progress a second of each job, and the first and last of each.
    assert len(heard) <= 3 * (seconds + 10), [line["event"] for line in heard]
    assert states(client, "import.progress")[0] == "started"
    assert states(client, "job.progress")[::-1][:1] == ["finished"]
    positions = [line["data"]["position"] for line in heard if line["event"] != "leads.changed"]
    assert positions == sorted(positions)
    assert position == positions[-1]
    notified = client.events("import.progress")[-2]["data"]
    assert (notified["state"], notified["done"], notified["created"], notified["outcome"]) == (
        *("finished", ROWS, ROWS, "done"),
    )


def states(client: Any, event: str) -> list[str]:
    return [line["data"]["state"] for line in client.events(event)]


def told(client: Any) -> dict[str, int]:
    """Return what the last signal of each job counted."""
    return {line["data"]["job_id"]: line["data"]["count"] for line in client.events("leads.changed")}


def seconds_of(job: dict[str, Any]) -> float:
    start, end = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    return (end - start).total_seconds()
