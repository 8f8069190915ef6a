"""`where` and `tail`: run as an operator runs them, with a relay's credentials and no others."""

import asyncio
import json
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from contracts import streams, subjects
from contracts.dead import COMPANY_HEADER, POSITION_HEADER
from contracts.where import ORDER, Applied, Deliveries, DeliveriesAsked, Pushed
from gateway.memory import Memory
from leads.journey import Journey, Relayed, text
from leads.store.facts import Recorded
from support.screens import screen
from support.stack import Stack
from support.waiting import until

SECRETS = {"name": "Katherine Johnson", "email": "katherine@nasa.example", "phone": "+1 555 0142"}
NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, UTC)


async def run(stack: Stack, *arguments: str) -> tuple[int, str, str]:
    """Run `python -m leads …` with what the relay is told."""
    process = stack.topology.relay_service()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "leads", *arguments,
        **{**process.options(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
    )  # fmt: skip
    output, complaint = await child.communicate()
    return child.returncode or 0, output.decode(), complaint.decode()


async def journeys(stack: Stack, sought: str, *options: str) -> list[dict[str, Any]]:
    code, output, complaint = await run(stack, "where", sought, "--json", *options)
    assert code == 0, complaint
    return [json.loads(line) for line in output.splitlines()]


async def arrived(stack: Stack, sought: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until the last facts of a lead were applied, then return their journeys."""
    with psycopg.connect(stack.topology.superuser_url) as leads:
        row = leads.execute(
            "SELECT company_id, max(feed_position), count(*) FROM events WHERE stream_id = %s GROUP BY 1", [sought]
        ).fetchone()
    assert row is not None
    assert row[2] == count
    url = stack.topology.database_url("notifier_writer")

    def applied() -> bool:
        with psycopg.connect(url) as notifier:
            cursor = notifier.execute("SELECT position FROM cursors WHERE company_id = %s", [row[0]]).fetchone()
        return cursor is not None and cursor[0] >= row[1]

    await until(lambda: asyncio.to_thread(applied), why="the facts are applied")
    return await journeys(stack, sought)


@pytest.mark.system
async def test_a_fact_is_followed_from_the_log_to_the_sockets(watched: Stack) -> None:
    acme = watched.acme
    agent, manager = acme.users["agent"], acme.users["manager"]
    async with (
        screen("echo", watched, agent, acme) as first,
        screen("pusher", watched, manager, acme) as second,
        watched.client("manager") as api,
    ):
        for client in (first, second):
            await client.hears("subscribed")
        lead = (await api.post("/leads", json={**SECRETS, "assigned_to": agent.id})).json()["data"]
        for client in (first, second):
            await client.hears("lead.created")
    (journey,) = await arrived(watched, lead["id"])

    assert (journey["subject"], journey["company_id"], journey["in_outbox"]) == (lead["id"], acme.id, False)
    pushes = {push["channel"]: push for push in journey["applied"]["pushes"]}
    assert pushes.keys() == {f"private-company.{acme.id}", f"private-user.{agent.id}"}
    company, inbox = pushes.values()
    times = [journey["stored_at"], journey["relayed"]["at"], company["at"]]
    assert [datetime.fromisoformat(at) for at in times] == sorted(map(datetime.fromisoformat, times))
    assert journey["applied"]["at"] is not None
    (gateway,) = journey["gateways"]
    assert gateway["nodes"] == [gateway["node"]]
    (delivered,) = gateway["delivered"]
    assert delivered["message_id"] == company["message_id"]
    assert (delivered["sockets"], delivered["sequence"]) == (2, company["sequence"])
    assert inbox["event"] == "notification.created"
    assert inbox["sequence"] is not None

    code, output, _ = await run(watched, "where", journey["event_id"])
    assert code == 0
    assert f"PUSH {company['sequence']}  lead.created on private-company.{acme.id}" in output
    assert f"2 sockets on gateway {gateway['node']}" in output
    assert "nobody listened: none of 1 gateways had a subscription" in output
    assert not [value for value in SECRETS.values() if value in output]


@pytest.mark.system
async def test_the_last_facts_of_a_lead_are_followed_in_their_order(watched: Stack) -> None:
    async with watched.client("agent") as api:
        lead = (await api.post("/leads", json={"name": "Many"})).json()["data"]
        for number in range(3):
            await api.patch(f"/leads/{lead['id']}", json={"name": f"Many {number}"})
    assert [journey["version"] for journey in await arrived(watched, lead["id"], 4)] == [1, 2, 3, 4]

    assert [journey["version"] for journey in await journeys(watched, lead["id"], "--last", "2")] == [3, 4]


@pytest.mark.system
async def test_what_is_not_there_is_said(watched: Stack) -> None:
    nobody = str(uuid.uuid4())
    code, output, complaint = await run(watched, "where", nobody)

    assert (code, output) == (1, "")
    assert complaint == f"leads: {nobody} is neither a fact of the log nor anything that has facts\n"
    assert (await run(watched, "where", "no-id"))[0] == 2


@pytest.mark.system
async def test_what_nats_or_a_dead_letter_holds_up_is_said(stack: Stack) -> None:
    async with stack.client("agent") as api:
        lead = (await api.post("/leads", json={"name": "Fine"})).json()["data"]
        (journey,) = await arrived(stack, lead["id"])
        with psycopg.connect(stack.topology.database_url("notifier_writer")) as database:
            place = (stack.acme.id, journey["position"])
            database.execute("INSERT INTO passed_over (company_id, position) VALUES (%s, %s)", place)
        async with stack.nats.client("notifier") as nats:
            headers = {COMPANY_HEADER: stack.acme.id, POSITION_HEADER: str(journey["position"])}
            letter = await nats.jetstream().publish(subjects.dead(streams.NOTIFIER), b"", headers=headers)
        assert (await journeys(stack, lead["id"]))[0]["applied"]["dead_letter"] == letter.seq
        _, output, _ = await run(stack, "where", lead["id"])
        assert f"dropped: dead letter {letter.seq}" in output

        stack.stop("relay", "notifier")
        waiting = (await api.post("/leads", json={"name": "Waits"})).json()["data"]
    _, output, _ = await run(stack, "where", waiting["id"])
    assert "not yet: it is in the outbox" in output
    assert "unknown: no notifier is active" in output
    stack.kill("nats")
    code, _, complaint = await run(stack, "where", waiting["id"])
    assert (code, complaint) == (1, "leads: NATS does not answer: TimeoutError\n")
    stack.start("nats", "relay", "notifier")
    await stack.ready()


@pytest.mark.system
async def test_tail_shows_facts_as_they_come_and_no_personal_data_unless_asked(watched: Stack) -> None:
    secrets = {"name": "Mary Jackson", "email": "mary@nasa.example", "phone": "+1 555 0177"}
    async with watched.client("agent") as api, watched.client("agent", watched.globex) as other:
        lead = (await api.post("/leads", json=secrets)).json()["data"]
        of_lead = ("--company", watched.acme.id, "--lead", lead["id"], "--since", "3600")
        tailing = asyncio.create_task(run(watched, "tail", *of_lead, "--count", "3"))
        await other.post("/leads", json={"name": "Globex's"})
        await api.patch(f"/leads/{lead['id']}", json={"status": "contacted"})
        await api.delete(f"/leads/{lead['id']}")
        code, output, _ = await tailing

    lines = [line.split() for line in output.splitlines()]
    assert code == 0
    assert [words[1] for words in lines] == ["CRM"] * 3
    assert [words[3] for words in lines] == [
        "crm.lead.created.v1", "crm.lead.status_changed.v1", "crm.lead.deleted.v1",
    ]  # fmt: skip
    assert not [value for value in secrets.values() if value in output]
    _, output, _ = await run(watched, "tail", *of_lead, "--type", "deleted", "--json", "--data", "--count", "1")
    shown = json.loads(output)
    assert (shown["type"], shown["stream"], shown["subject"]) == ("crm.lead.deleted.v1", "CRM", lead["id"])
    assert shown["data"]["lead"]["name"] == secrets["name"]


def journey(**given: Any) -> Journey:
    fact = Recorded(
        company_id=uuid.UUID(int=1), feed_position=7, event_id=uuid.UUID(int=2), stream_id=uuid.UUID(int=3),
        stream_version=1, type="crm.lead.created.v1", data=dict(SECRETS), metadata={}, recorded_at=NOW, epoch="e1",
    )  # fmt: skip
    return Journey(**{"fact": fact, "waits": False, "relayed": None, "applied": None, **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"waits": True}, "not yet: it is in the outbox"),
        ({}, "the stream does not keep it any more"),
        ({"relayed": Relayed(9, NOW + timedelta(milliseconds=4))}, "12:00:00.254      +4 ms  CRM 9"),
        ({"applied": Applied(cursor=6)}, "not yet: the notifier is at position 6"),
        ({"applied": Applied(cursor=7)}, "before what the notifier remembers  no pushes"),
        ({"applied": Applied(cursor=7, is_known=False)}, "this notifier's release does not know such facts"),
        ({"applied": Applied(cursor=7, job_id="j1")}, "part of job j1, told by `leads.changed`"),
        ({"applied": Applied(cursor=7, passed_over=True)}, "dropped: a dead letter"),
    ],
)
def test_each_end_of_a_way_is_told_with_its_reason(given: dict[str, Any], said: str) -> None:
    shown = text([journey(**given)], json_lines=False)

    assert said in shown
    assert SECRETS["name"] not in shown


def test_an_order_to_the_gateways_is_not_said_to_reach_nobody() -> None:
    order = Pushed(channel="#server-to-user-u1", event=ORDER, message_id="m", sequence=4, at=NOW)
    shown = text([journey(applied=Applied(cursor=7, at=NOW, pushes=(order,)))], json_lines=False)

    assert "PUSH 4  (closes the user's sockets) on #server-to-user-u1" in shown
    assert shown.endswith("#server-to-user-u1")


def test_a_gateway_remembers_the_last_pushes_and_says_since_when() -> None:
    times = iter([100.0, 101.0, 102.0, 103.0])
    memory = Memory(lambda: next(times), most=2)
    for number in range(3):
        memory.note(f"m{number}", {"Nats-Sequence": str(number), "Except-Socket": "1.1"}, number)
    question = DeliveriesAsked(message_ids=("m0", "m2")).model_dump_json().encode()
    answer = Deliveries.model_validate_json(memory.answer(question, "n1", ("n1", "n2")))

    assert [(each.message_id, each.sequence, each.sockets, each.has_author) for each in answer.delivered] == [
        ("m2", 2, 2, True)
    ]
    assert answer.since == datetime.fromtimestamp(101.0, UTC)
    assert Deliveries.model_validate_json(memory.answer(b"{", "n1", ("n1",))).delivered == ()
