"""What cannot be processed is put aside with its cause, and stops nobody."""

import json

from contracts import streams
from support.notifiers import ACME, GLOBEX, World, created
from support.waiting import until


async def dead(world: World, count: int) -> list[dict[str, str]]:
    """Wait for so many dead letters and return their headers."""

    async def there() -> bool:
        return len(await world.stored(streams.DEAD)) >= count

    await until(there, why=f"{count} dead letters")
    letters = await world.stored(streams.DEAD)
    assert len(letters) == count
    assert {letter.subject for letter in letters} == {"dead.notifier"}
    return [letter.headers for letter in letters]


async def test_garbage_is_put_aside_and_the_others_go_on(world: World) -> None:
    js = world.leads.relay.jetstream()
    async with world.leads.answering():
        await world.leads.commit(ACME, 2)
        await js.publish("crm.x.lead.y.created", b"\xff not json, ada@example.org")
        await js.publish("crm.x.lead.y.created", b"{", headers={"content-type": "application/json"})
        await world.leads.commit(ACME, 2)
        await world.leads.commit(GLOBEX, 2)
        await world.running_notifier()
        await world.reaches(ACME, 4)
        await world.reaches(GLOBEX, 2)
        first, second = await dead(world, 2)

    assert await world.positions(ACME) == [1, 2, 3, 4]
    assert first["Dead-Subject"] == "crm.x.lead.y.created"
    assert (first["Dead-Stream-Sequence"], second["Dead-Stream-Sequence"]) == ("3", "4")
    assert first["Dead-Cause"].startswith("envelope: Invalid JSON")
    assert "ada" not in first["Dead-Cause"]
    assert [letter.body for letter in await world.stored(streams.DEAD)] == [b"\xff not json, ada@example.org", b"{"]


async def test_a_fact_that_does_not_fit_its_type_is_put_aside_and_its_company_goes_on(world: World) -> None:
    notifier = await world.running_notifier()
    misfit = created(ACME, 2).model_copy(update={"data": {"lead": {"name": "Ada"}}})
    async with world.leads.answering():
        await world.leads.commit(ACME)
        world.leads.feeds[ACME].append(misfit)
        await world.leads.publish(misfit)
        await world.leads.commit(ACME, 2)
        await world.reaches(ACME, 4)
        [headers] = await dead(world, 1)

    assert await world.positions(ACME) == [1, 3, 4]
    assert "lead.id: " in headers["Dead-Cause"]
    assert headers["Correlation-Id"] == "request-2"
    assert await notifier.metric("notifier_dead_letters_total") == 1


async def test_a_broken_envelope_does_not_take_the_place_of_a_fact(world: World) -> None:
    await world.running_notifier()
    broken = json.dumps({"companyid": ACME, "feedposition": 2}).encode()
    async with world.leads.answering():
        await world.leads.commit(ACME)
        await world.leads.relay.jetstream().publish("crm.x.lead.y.created", broken)
        world.leads.append(ACME)
        await world.leads.commit(ACME)
        await world.reaches(ACME, 3)
        await dead(world, 1)

    assert await world.positions(ACME) == [1, 2, 3]


async def test_a_broken_envelope_far_ahead_moves_no_cursor(world: World) -> None:
    await world.running_notifier()
    broken = json.dumps({"companyid": ACME, "feedposition": 999}).encode()
    async with world.leads.answering():
        await world.leads.relay.jetstream().publish("crm.x.lead.y.created", broken)
        await dead(world, 1)
        await world.leads.commit(ACME, 3)
        await world.reaches(ACME, 3)

    assert await world.positions(ACME) == [1, 2, 3]


async def test_a_broken_fact_that_was_fetched_is_put_aside_too(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        facts = world.leads.append(ACME, 3)
        world.leads.feeds[ACME][1] = facts[1].model_copy(update={"data": {}})
        await world.leads.publish(facts[2])
        await world.reaches(ACME, 3)
        [headers] = await dead(world, 1)

    assert await world.positions(ACME) == [1, 3]
    assert headers["Dead-Subject"] == f"rpc.leads.changes.{ACME}"
    assert "Dead-Stream-Sequence" not in headers


async def test_a_fact_of_a_later_release_is_passed_over_and_named_once(world: World) -> None:
    notifier = await world.running_notifier()
    async with world.leads.answering():
        facts = [fact.model_copy(update={"type": "crm.lead.cloned.v1"}) for fact in world.leads.append(ACME, 3)]
        world.leads.feeds[ACME] = facts
        await world.leads.publish(*facts)
        await world.leads.commit(ACME)
        await world.reaches(ACME, 4)

    assert await world.positions(ACME) == [4]
    assert await world.stored(streams.DEAD) == []
    warned = [line for line in notifier.lines() if line["level"] == "warning" and "passed over" in line["event"]]
    assert [line["name"] for line in warned] == ["crm.lead.cloned.v1"]


async def test_the_largest_message_there_can_be_is_put_aside_with_its_beginning(world: World) -> None:
    notifier = await world.running_notifier()
    body = b"x" * (1024 * 1024)
    async with world.leads.answering():
        await world.leads.relay.jetstream().publish("crm.x.lead.y.created", body)
        await world.leads.commit(ACME)
        await world.reaches(ACME, 1)
        await dead(world, 1)

    [letter] = await world.stored(streams.DEAD)
    assert letter.body == body[:1_000_000]
    assert (await notifier.readiness())["code"] == 200
