"""Dead letters in an operator's hands."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from contracts import streams
from contracts.events import Change, LeadAssigned, LeadStatusChanged
from notifier import dead
from notifier.retries import APPLIED, EARLY, FAILS, MISSING, REPEATED
from support.notifiers import ACME, ANA, BEN, World, created, summary
from support.waiting import until


def command(world: World, *arguments: str, program: str = "notifier") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", program, "dead", *arguments],
        env={**os.environ, "NATS_URL": world.nats.url("operator")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def assign(world: World, count: int) -> None:
    for number in range(1, count + 1):
        changes = {"assigned_to": Change(old=None, new=BEN)}
        await world.leads.tell(LeadAssigned(lead=summary(number, assigned_to=BEN), changes=changes), actor=ANA)
    await world.reaches(ACME, count)


async def letters(world: World, count: int) -> None:
    async def there() -> bool:
        return len(await world.stored(streams.DEAD)) == count

    await until(there, why=f"{count} dead letters")


async def test_a_fact_on_which_a_rule_failed_is_shown_and_applied_once_after_the_repair(world: World) -> None:
    async with world.leads.answering():
        mistaken = await world.running_notifier("refuse", "2")
        await assign(world, 4)
        await letters(world, 1)
        listed = await asyncio.to_thread(command, world, "list")
        as_json = await asyncio.to_thread(command, world, "list", "--json")
        shown = await asyncio.to_thread(command, world, "show", "1")
        fails = await dead.retry(world.operator, 1)
        mistaken.stop()
        nobody = await asyncio.to_thread(command, world, "retry", "1")
        await world.running_notifier()
        await until(lambda: world.rows("SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"))
        applied = await asyncio.to_thread(command, world, "retry", "1")
        again = await asyncio.to_thread(command, world, "retry", "1")
        await letters(world, 0)

    assert "crm.lead.assigned.v1" in listed.stdout
    assert "RuntimeError in the rules" in listed.stdout
    [letter] = json.loads(as_json.stdout)
    assert letter["headers"]["Dead-Company"] == ACME
    assert letter["headers"]["Dead-Position"] == "2"
    assert letter["headers"]["Original-Nats-Msg-Id"]
    assert "altered" in shown.stdout
    assert '"name":"Ada 2"' in shown.stdout
    assert fails == (FAILS, "RuntimeError in the rules")
    assert (nobody.returncode, nobody.stdout) == (1, "1: no notifier is active: try again\n")
    assert (applied.returncode, applied.stdout) == (0, f"1: {APPLIED}\n")
    assert (again.returncode, again.stdout) == (1, f"1: {MISSING}\n")
    assert await world.positions(ACME) == [1, 3, 4, 2]
    told = [push.data for push in await world.user_pushes(BEN)]
    assert [(push["position"], push["number"]) for push in told] == [(1, 1), (3, 2), (4, 3), (2, 4)]


async def test_asked_for_by_many_at_once_it_is_applied_once(world: World) -> None:
    async with world.leads.answering():
        mistaken = await world.running_notifier("refuse", "2")
        await assign(world, 3)
        await letters(world, 1)
        mistaken.stop()
        active = await world.running_notifier()
        await until(lambda: is_active(active.url, world))

        outcomes = await asyncio.gather(*(dead.retry(world.operator, 1) for _ in range(8)))

    assert sorted({outcome for outcome, _cause in outcomes} - {REPEATED, MISSING}) == [APPLIED]
    assert [outcome for outcome, _cause in outcomes].count(APPLIED) == 1
    assert await world.positions(ACME) == [1, 3, 2]
    assert len(await world.user_pushes(BEN)) == 3


async def is_active(url: str, world: World) -> bool:
    [process] = [process for process in world.processes if process.url == url]
    return await process.metric("notifier_active") == 1


async def test_what_is_dropped_is_gone(world: World) -> None:
    await world.running_notifier()
    await world.leads.relay.jetstream().publish("crm.x.lead.y.created", b"{")
    await letters(world, 1)

    dropped = await asyncio.to_thread(command, world, "drop", "1", program="leadwire")
    again = await asyncio.to_thread(command, world, "drop", "1")
    listed = await asyncio.to_thread(command, world, "list", program="leadwire")

    assert (dropped.returncode, dropped.stdout) == (0, "1: dropped\n")
    assert (again.returncode, again.stdout) == (1, "1: is not there\n")
    assert listed.stdout == "There are no dead letters.\n"


async def test_a_fact_whose_turn_comes_is_not_applied_before(world: World) -> None:
    await world.running_notifier()
    broken = json.dumps({"companyid": ACME, "feedposition": 999}).encode()
    async with world.leads.answering():
        await world.leads.relay.jetstream().publish("crm.x.lead.y.created", broken)
        await letters(world, 1)
        whole = created(ACME, 999).to_json()
        await world.operator.jetstream().publish("dead.notifier", whole)

        assert (await dead.retry(world.operator, 1))[0] == FAILS
        assert (await dead.retry(world.operator, 2))[0] == EARLY
        assert (await dead.retry(world.operator, 3))[0] == MISSING


async def test_a_fact_that_had_its_effect_is_not_applied_again(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        await assign(world, 2)
        await world.operator.jetstream().publish("dead.notifier", world.leads.feeds[ACME][0].to_json())

        assert (await dead.retry(world.operator, 1))[0] == REPEATED
    assert await world.positions(ACME) == [1, 2]
    assert await world.stored(streams.DEAD) == []


@pytest.mark.parametrize("request_body", [b"", b"{", b"[]", b'{"sequence": "1"}', b'{"sequence": -1}'])
async def test_a_request_that_makes_no_sense_is_answered(world: World, request_body: bytes) -> None:
    active = await world.running_notifier()
    await until(lambda: is_active(active.url, world))

    answer = await world.operator.request("rpc.notifier.retry", request_body, timeout=5)

    assert json.loads(answer.data) == {"outcome": MISSING, "cause": ""}


async def test_what_the_database_refuses_is_put_aside_and_stops_nobody(world: World) -> None:
    notifier = await world.running_notifier()
    changes = {"status": Change(old="\0", new="won")}  # PostgreSQL holds no such character
    poison = LeadStatusChanged(lead=summary(2, assigned_to=BEN), changes=changes)
    async with world.leads.answering():
        facts = [*world.leads.append(ACME), world.leads.add(poison, actor=ANA), *world.leads.append(ACME)]
        fine = LeadAssigned(lead=summary(4, assigned_to=BEN), changes={})
        facts.append(world.leads.add(fine, actor=ANA))
        await world.leads.publish(*facts)
        await world.reaches(ACME, 4)
        await letters(world, 1)

    [letter] = await world.stored(streams.DEAD)
    assert letter.headers["Dead-Cause"] == "UntranslatableCharacter"
    assert "store.py" in letter.headers["Dead-Stack"]
    assert letter.headers["Dead-Position"] == "2"
    assert await world.positions(ACME) == [1, 2, 3, 4]
    assert [push.data["position"] for push in await world.user_pushes(BEN)] == [4]
    assert world.rows("SELECT position FROM passed_over") == [(2,)]
    assert (await notifier.readiness())["code"] == 200
