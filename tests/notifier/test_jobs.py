"""Bulk jobs: one signal a second, the last state always; and nothing else waits for it."""

import itertools

import pytest

from contracts import streams
from contracts.events import Change, ImportFinished, ImportStarted, LeadAssigned
from support.notifiers import ACME, ANA, BEN, GLOBEX, Stored, World, imported, summary
from support.waiting import until


async def signals(world: World, company_id: str = ACME) -> list[Stored]:
    return [push for push in await world.company_pushes(company_id) if push.frame["event"] == "leads.changed"]


async def says(world: World, count: int, job_id: str = "j1") -> bool:
    """Whether the last signal of a job tells of so many facts."""
    told = [push.data for push in await signals(world) if push.data["job_id"] == job_id]
    return bool(told) and told[-1]["count"] == count


async def test_a_bulk_job_is_told_as_a_few_signals_and_the_last_is_right(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        for _ in range(10):
            await world.leads.commit(ACME, 100, jobid="j1")
        await world.leads.commit(GLOBEX, 1)
        await world.reaches(GLOBEX, 1)
        await until(lambda: says(world, 1000))

    told = await signals(world)
    assert told[-1].data == {"job_id": "j1", "count": 1000, "position": 1000, "epoch": "epoch-1"}
    assert [push.frame["event"] for push in await world.company_pushes(ACME)] == ["leads.changed"] * len(told)
    gaps = [(after.time - before.time).total_seconds() for before, after in itertools.pairwise(told)]
    assert all(gap >= 0.95 for gap in gaps)
    assert not [push for push in await world.stored(streams.PUSH) if "presence-lead" in push.subject]
    assert await world.positions(GLOBEX) == [1]


async def test_other_facts_of_the_company_are_told_at_once(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        await world.leads.commit(ACME, 50, jobid="j1")
        await world.leads.commit(ACME, 1)
        await world.leads.commit(ACME, 50, jobid="j1")
        await until(lambda: says(world, 100))

    single = [
        push.data["position"] for push in await world.company_pushes(ACME) if push.frame["event"] != "leads.changed"
    ]
    assert single == [51]


async def test_two_jobs_at_once_are_both_told_to_the_end(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        for _ in range(5):
            await world.leads.commit(ACME, 10, jobid="j1")
            await world.leads.commit(ACME, 7, jobid="j2")
        await until(lambda: says(world, 50, "j1"))
        await until(lambda: says(world, 35, "j2"))


async def test_a_recipient_is_notified_once_of_a_job(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        for number in range(1, 41):
            fact = LeadAssigned(
                lead=summary(number, assigned_to=BEN), changes={"assigned_to": Change(old=None, new=BEN)}
            )
            await world.leads.tell(fact, actor=ANA, jobid="j1")
        await world.reaches(ACME, 40)
        await until(lambda: says(world, 40))

    [push] = await world.user_pushes(BEN)
    assert (push.data["kind"], push.data["job_id"], push.data["position"]) == ("assigned", "j1", 1)


async def test_an_import_tells_how_it_goes_and_its_author_when_it_is_done(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        await world.leads.tell(ImportStarted(imported=imported(version=1)), actor=ANA, jobid="i1")
        await world.leads.commit(ACME, 7, jobid="i1")
        done = imported(created=7, duplicates=2, failed=1)
        await world.leads.tell(ImportFinished(imported=done), actor=ANA, jobid="i1")
        await world.reaches(ACME, 9)
        await until(lambda: says(world, 7, "i1"))

    progress = [push.data for push in await world.company_pushes(ACME) if push.frame["event"] == "import.progress"]
    assert [(push["state"], push["created"]) for push in progress] == [("started", 0), ("finished", 7)]
    [push] = await world.user_pushes(ANA)
    assert (push.data["kind"], push.data["details"]["created"]) == ("import_finished", 7)


@pytest.mark.faults
async def test_a_signal_that_a_killed_process_owed_is_sent_by_the_next(world: World) -> None:
    await world.leads.commit(ACME, 30, jobid="j1")
    async with world.leads.answering():
        first = world.notifier("kill", "before a job is told", "1")
        first.start()
        await first.died()
        await world.leads.commit(ACME, 30, jobid="j1")

        await world.running_notifier()
        await until(lambda: says(world, 60))
        await until(lambda: not world.rows("SELECT FROM jobs WHERE signalled < position"))

    assert [push.data["count"] for push in await signals(world)] in ([30, 60], [30, 30, 60])
