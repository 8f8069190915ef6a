"""What the running process stores for a company's channels."""

import json
from uuid import UUID

from contracts import streams
from contracts.channels import StatsChannel
from support.notifiers import ACME, APP_ID, GLOBEX, World
from support.waiting import until


async def test_a_push_is_the_finished_frame_exactly_as_agreed(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        [fact] = await world.leads.commit(ACME, actor="u1", socketid="12.34")
        await world.reaches(ACME, 1)

    [push] = await world.company_pushes(ACME)
    data = (
        '{"id":"00000000-0000-4000-8000-000000000001","name":"Ada 1","email":"ada1@example.org","phone":null,'
        '"organisation":null,"title":null,"source":"web","status":"new","status_since":null,"lost_reason":null,'
        '"assigned_to":null,"value":null,"currency":null,"score":null,"tags":[],"custom":{},"messages":0,'
        '"contact_id":null,"deal_id":null,"converted_at":null,"created_at":"2026-03-01T12:00:00Z",'
        f'"updated_at":"2026-03-01T12:00:00Z","version":1,"position":1,"epoch":"epoch-1","event_id":"{fact.id}","actor":"u1"}}'
    )
    assert push.subject == f"push.{APP_ID}.private-company=2E{ACME}"
    assert push.body.decode() == (
        f'{{"event":"lead.created","channel":"private-company.{ACME}","data":{json.dumps(data)}}}'
    )
    sent = {name: value for name, value in push.headers.items() if not name.startswith(("Nats-S", "Nats-T"))}
    assert sent == {
        "Nats-Msg-Id": f"{fact.id}:private-company=2E{ACME}",
        "Except-Socket": "12.34",
        "Correlation-Id": "request-1",
    }


async def test_figures_follow_a_new_lead(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        await world.leads.commit(ACME)
        [push] = await until(lambda: world.stats_pushes(ACME))

    assert push.frame["event"] == "stats.updated"
    assert push.frame["channel"] == str(StatsChannel(ACME))
    assert push.data == {
        "total": 1,
        "new_this_month": 1,
        "by_status": {"new": 1},
        "by_source": {"web": 1},
        "by_assignee": {},
        "conversion": 0.0,
        "new_last_month": 0,
        "new_per_day": {},
        "won": 0,
        "lost": 0,
        "funnel": [],
        "position": 1,
        "epoch": "epoch-1",
    }
    assert push.headers["Nats-Msg-Id"] == f"stats:epoch-1:1:private-cache-company=2E{ACME}=2Estats"


async def test_companies_hear_of_themselves_in_the_order_of_their_feeds(world: World) -> None:
    notifier = await world.running_notifier()
    acme, globex = world.leads.append(ACME, 300), world.leads.append(GLOBEX, 300)
    async with world.leads.answering():
        await world.leads.publish(*(fact for pair in zip(acme, globex, strict=True) for fact in pair))
        await world.reaches(ACME, 300)
        await world.reaches(GLOBEX, 300)

    assert await world.positions(ACME) == list(range(1, 301))
    assert await world.positions(GLOBEX) == list(range(1, 301))
    assert await notifier.metric("notifier_facts_applied_total") == 600
    assert world.leads.changes_requests == []


async def test_a_fact_delivered_again_is_pushed_once(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        facts = await world.leads.commit(ACME, 3)
        await world.leads.publish(facts[1], facts[0], facts[2], facts[2])
        await world.leads.commit(ACME)
        await world.reaches(ACME, 4)

    assert await world.positions(ACME) == [1, 2, 3, 4]


async def test_a_missing_fact_is_fetched_before_what_follows_it(world: World) -> None:
    notifier = await world.running_notifier()
    async with world.leads.answering():
        facts = world.leads.append(ACME, 500)
        await world.leads.publish(facts[0], facts[498])
        await world.reaches(ACME, 499)
        await world.leads.publish(facts[499])
        await world.reaches(ACME, 500)

    assert await world.positions(ACME) == list(range(1, 501))
    assert [request["after"] for request in world.leads.changes_requests] == [1, 201, 401]
    assert await notifier.metric("notifier_facts_fetched_total") > 0


async def test_facts_in_the_wrong_order_are_pushed_in_the_right_one(world: World) -> None:
    async with world.leads.answering():
        facts = world.leads.append(ACME, 50)
        await world.leads.publish(*reversed(facts))
        await world.running_notifier()
        await world.reaches(ACME, 50)

    assert await world.positions(ACME) == list(range(1, 51))
    assert world.leads.changes_requests == []


async def test_what_cannot_be_fetched_waits_and_nobody_else_does(world: World) -> None:
    await world.running_notifier()
    facts = world.leads.append(ACME, 1200)
    await world.leads.publish(*facts[1:])  # more than the server hands out unacknowledged
    await world.leads.commit(GLOBEX, 20)
    await world.reaches(GLOBEX, 20)

    assert await world.positions(GLOBEX) == list(range(1, 21))
    assert await world.positions(ACME) == []

    async with world.leads.answering():
        await world.reaches(ACME, 1200)
    assert await world.positions(ACME) == list(range(1, 1201))


async def test_an_answer_without_the_missing_fact_is_no_answer(world: World) -> None:
    await world.running_notifier()
    facts = world.leads.append(ACME, 3)
    world.leads.withholds_facts = True
    async with world.leads.answering():
        await world.leads.publish(facts[2])
        await until(lambda: len(world.leads.changes_requests) >= 2)
        assert await world.positions(ACME) == []
        assert await world.stored(streams.DEAD) == []

        world.leads.withholds_facts = False
        await world.reaches(ACME, 3)
    assert await world.positions(ACME) == [1, 2, 3]


async def test_the_request_is_traced_into_the_log_and_the_log_holds_no_personal_data(world: World) -> None:
    notifier = await world.running_notifier()
    async with world.leads.answering():
        [fact] = await world.leads.commit(ACME)
        await world.reaches(ACME, 1)

    [line] = [line for line in notifier.lines() if line["event"] == "fact applied"]
    assert line["correlation_id"] == "request-1"
    assert (line["company_id"], line["position"], UUID(line["event_id"])) == (ACME, 1, UUID(fact.id))
    assert "Ada" not in notifier.log.read_text()
    assert "ada1@" not in notifier.log.read_text()


async def test_the_consumer_is_bound_as_the_migrate_step_made_it(world: World) -> None:
    js = world.operator.jetstream()
    consumer = (await js.consumer_info(streams.CRM, streams.NOTIFIER)).config
    stream = (await js.stream_info(streams.CRM)).config
    names = {info.name for info in await js.consumers_info(streams.CRM)}

    await world.running_notifier()
    async with world.leads.answering():
        await world.leads.commit(ACME)
        await world.reaches(ACME, 1)

    assert (await js.consumer_info(streams.CRM, streams.NOTIFIER)).config == consumer
    assert (await js.stream_info(streams.CRM)).config == stream
    assert {info.name for info in await js.consumers_info(streams.CRM)} == names


async def test_a_lone_fact_is_not_kept_waiting_for_others(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        for position in range(1, 11):
            await world.leads.commit(ACME)
            await world.reaches(ACME, position)

    facts = {fact.sequence: fact.time for fact in await world.stored(streams.CRM)}
    waits = sorted(
        (push.time - facts[push.data["position"]]).total_seconds() for push in await world.company_pushes(ACME)
    )
    assert waits[5] < 0.2
