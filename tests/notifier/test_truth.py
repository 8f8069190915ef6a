"""What is on the stream and not in the log, and a log that was set back: every screen ends right."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from contracts import streams, subjects
from contracts.envelope import Envelope
from contracts.events import Change, LeadAssigned, LeadCreated, UserDeactivated
from notifier.cursors import Cursor, Feed, agreed
from support.notifiers import ACME, ANA, BEN, GLOBEX, Stored, World, created, summary, user, wrapped
from support.waiting import until

STRANGER = "dddddddd-0000-4000-8000-000000000001"


def forged(company_id: str, position: int, **attributes: Any) -> Envelope:
    """Return a fact that nobody recorded."""
    attributes = {"id": str(uuid.uuid4()), "feedposition": position, "companyid": company_id, **attributes}
    return wrapped(LeadCreated(lead=summary(666, name="Forged")), **attributes)


def altered(fact: Envelope) -> Envelope:
    """Return a fact of the log that says something else."""
    return fact.model_copy(update={"data": {"lead": {**fact.data["lead"], "name": "Forged"}}})


def subject(fact: Envelope) -> str:
    return subjects.fact(fact.companyid, fact.subject, fact.type)


def plainly(fact: Envelope) -> tuple[str, bytes]:
    return subject(fact), fact.to_json()


def changed(fact: Envelope, **attributes: Any) -> tuple[str, bytes]:
    return subject(fact), json.dumps({**json.loads(fact.to_json()), **attributes}).encode()


Forge = Callable[[str, Envelope], tuple[str, bytes]]
FORGERIES: dict[str, Forge] = {
    "another id at a position that the log has": lambda company, _next: plainly(forged(company, 1)),
    "another content under the id of an applied fact": lambda company, _next: plainly(altered(created(company, 2))),
    "the next position": lambda company, _next: plainly(forged(company, 3)),
    "the next fact with another content": lambda _company, following: plainly(altered(following)),
    "a far higher position": lambda company, _next: plainly(forged(company, 1000)),
    "the highest position": lambda company, _next: plainly(forged(company, 2**63 - 1)),
    "another epoch": lambda company, _next: plainly(forged(company, 3, feedepoch="forged")),
    "a subject of another company": lambda _company, following: (
        subject(following.model_copy(update={"companyid": STRANGER})),
        following.to_json(),
    ),
    "a subject of another type": lambda _company, following: (
        subject(following).replace("created", "deleted"),
        following.to_json(),
    ),
    "a name that is none": lambda company, _next: changed(forged(company, 3), type="x"),
    "no JSON": lambda company, _next: (f"crm.{company}.lead.x.created", b'{"companyid":'),
    "deep JSON": lambda company, _next: (f"crm.{company}.lead.x.created", b"[" * 100_000),
    "a body of nothing but its place": lambda company, _next: (
        f"crm.{company}.lead.x.created",
        json.dumps({"companyid": company, "feedposition": 3}).encode(),
    ),
    "a NUL in its id": lambda company, _next: changed(forged(company, 3), id="a\x00"),
    "what an upcaster fails on": lambda company, _next: (
        f"crm.{company}.lead.x.tagged",
        changed(forged(company, 3), type="crm.lead.tagged.v1", data={}, subject="x")[1],
    ),
    "a fact of a later release": lambda company, _next: (
        f"crm.{company}.lead.x.cloned",
        changed(forged(company, 3), type="crm.lead.cloned.v1", subject="x")[1],
    ),
    "a dismissal": lambda company, _next: plainly(
        forged(company, 3).model_copy(
            update={
                "type": "crm.user.deactivated.v1",
                "subject": ANA,
                "data": wrapped(UserDeactivated(user=user(ANA, active=False))).data,
            }
        )
    ),
    "a notification": lambda company, _next: plainly(
        forged(company, 3).model_copy(
            update={
                "type": "crm.lead.assigned.v1",
                "data": wrapped(
                    LeadAssigned(
                        lead=summary(666, assigned_to=BEN), changes={"assigned_to": Change(old=None, new=BEN)}
                    ),
                    actor=ANA,
                ).data,
            }
        )
    ),
}


def is_reset(push: Stored) -> bool:
    return "reset" in push.data


async def shown(world: World, company_id: str) -> list[str | None]:
    """Return the event ids that a screen shows that loads everything again when it is told to, and else listens."""
    heard: list[str | None] = []
    for push in await world.company_pushes(company_id):
        if is_reset(push):
            heard = [fact.id for fact in world.leads.feeds[company_id][: push.data["position"]]]
        elif push.data["event_id"] not in heard:
            heard.append(push.data["event_id"])
    return heard


async def test_whatever_is_forged_every_screen_ends_with_what_the_log_says(world: World) -> None:
    companies = {kind: str(uuid.uuid4()) for kind in FORGERIES}
    notifier = await world.running_notifier()
    js = world.leads.relay.jetstream()
    async with world.leads.answering():
        for kind, company_id in companies.items():
            await world.leads.commit(company_id, 2)
            await js.publish(*FORGERIES[kind](company_id, created(company_id, 3, feedepoch=world.leads.epoch)))
        for company_id in companies.values():
            await world.reaches(company_id, 2, within=60)
        for company_id in companies.values():
            await world.leads.commit(company_id)
        for company_id in companies.values():
            await world.reaches(company_id, 3, within=60)

        async def right() -> bool:
            screens = [await shown(world, company_id) == ids(world, company_id) for company_id in companies.values()]
            dead = await world.stored(streams.DEAD)
            return all(screens) and len(dead) >= len(FORGERIES)

        await until(right, within=60, why="every screen shows what the log says, and each forgery is put aside")

    assert world.rows("SELECT DISTINCT position, epoch FROM cursors") == [(3, world.leads.epoch)]
    assert world.rows("SELECT company_id FROM ended_tokens") == []
    assert world.rows("SELECT id FROM notifications") == []
    causes = [letter.headers["Dead-Cause"] for letter in await world.stored(streams.DEAD)]
    assert sum("forged" in cause for cause in causes) >= 10
    assert await notifier.metric("notifier_foreign_facts_total") >= 10
    assert [line for line in notifier.lines() if line["level"] == "error"]


def ids(world: World, company_id: str) -> list[str | None]:
    return [fact.id for fact in world.leads.feeds[company_id]]


async def test_a_company_that_the_log_does_not_have_is_forgotten(world: World) -> None:
    world.leads.unknown.add(STRANGER)
    await world.running_notifier()
    async with world.leads.answering():
        await world.leads.relay.jetstream().publish(*plainly(forged(STRANGER, 1)))
        await world.leads.commit(ACME)
        await world.reaches(ACME, 1)

        await until(lambda: world.rows("SELECT company_id::text FROM cursors") == [(ACME,)], why="its cursor is gone")


async def test_a_forged_fact_that_is_alone_does_not_stay(world: World) -> None:
    """Nothing comes after it: the log is asked all the same."""
    await world.running_notifier()
    async with world.leads.answering():
        await world.leads.commit(ACME, 2)
        await world.reaches(ACME, 2)
        await world.leads.relay.jetstream().publish(*plainly(forged(ACME, 3)))

        async def told() -> bool:
            return any(map(is_reset, await world.company_pushes(ACME)))

        await until(told, why="screens are told")
        await world.reaches(ACME, 2)

    assert await shown(world, ACME) == ids(world, ACME)
    [letter] = await world.stored(streams.DEAD)
    assert b"Forged" in letter.body


@pytest.mark.parametrize("epoch", ["epoch-2", None])
async def test_a_log_that_was_set_back_is_told_while_nobody_writes(world: World, epoch: str | None) -> None:
    """With another epoch, and before the relay has noticed."""
    await world.running_notifier()
    async with world.leads.answering():
        await world.leads.commit(ACME, 5)
        await world.leads.commit(GLOBEX, 2)
        await world.reaches(ACME, 5)
        await world.reaches(GLOBEX, 2)

        world.leads.set_back(ACME, 2, epoch=epoch)

        async def told() -> bool:
            return any(map(is_reset, await world.company_pushes(ACME)))

        await until(told, why="screens are told")
        lost = {push.data["event_id"] for push in await world.company_pushes(ACME) if not is_reset(push)}
        world.leads.feeds[ACME] += [forged(ACME, at, feedepoch=world.leads.epoch) for at in (3, 4)]
        await world.leads.publish(*world.leads.feeds[ACME][2:])
        await world.reaches(ACME, 4)
        await until(lambda: world.rows("SELECT FROM cursors WHERE position = 4"), why="the new facts are applied")

        async def counted() -> bool:
            return bool((await world.stats_pushes(ACME))[-1].data["position"] == 4)

        await until(counted, why="the figures go back, too")

    pushes = await world.company_pushes(ACME)
    [reset] = [push for push in pushes if is_reset(push)]
    assert reset.data["reset"] == ("correction" if epoch is None else "epoch")
    after = [push.data["event_id"] for push in pushes if push.sequence > reset.sequence]
    assert after == ids(world, ACME)[2:]
    assert not lost & set(after)
    assert await shown(world, ACME) == ids(world, ACME)


async def test_more_than_is_remembered_was_lost(world: World) -> None:
    await world.running_notifier()
    async with world.leads.answering():
        await world.leads.commit(ACME, 100)
        await world.reaches(ACME, 100)
        world.leads.set_back(ACME, 10, epoch="epoch-2")
        world.leads.feeds[ACME] += [forged(ACME, at, feedepoch="epoch-2") for at in range(11, 131)]
        await world.leads.publish(*world.leads.feeds[ACME][10:])
        await until(lambda: world.rows("SELECT FROM cursors WHERE position = 130 AND epoch = 'epoch-2'"))

    pushes = await world.company_pushes(ACME)
    [reset] = [push for push in pushes if is_reset(push)]
    assert [push.data["event_id"] for push in pushes if push.sequence > reset.sequence] == ids(world, ACME)[10:]


async def test_late_facts_of_an_epoch_that_has_ended_change_nothing(world: World) -> None:
    async with world.leads.answering():
        old = world.leads.append(ACME, 5)
        notifier = await world.running_notifier()
        await world.leads.publish(*old[:2])
        await world.reaches(ACME, 2)
        world.leads.set_back(ACME, 2, epoch="epoch-2")
        await until(lambda: world.rows("SELECT FROM cursors WHERE epoch = 'epoch-2'"))
        await world.leads.publish(*old[2:])
        world.leads.feeds[ACME] += [forged(ACME, 3, feedepoch="epoch-2")]
        await world.leads.publish(world.leads.feeds[ACME][2])
        await world.reaches(ACME, 3)

    assert await shown(world, ACME) == ids(world, ACME)
    assert await world.stored(streams.DEAD) == []
    assert await notifier.metric("notifier_abandoned_facts_total") == 3


def log(*digests: bytes) -> dict[int, bytes]:
    return dict(enumerate(digests, 1))


def digest(number: int) -> bytes:
    return number.to_bytes(8)


CURSOR = Cursor(epoch="a").after(map(digest, range(1, 51)), "a")


@pytest.mark.parametrize(
    ("facts", "feed", "position"),
    [
        (range(1, 51), Feed(position=50, epoch="a", shared={"a": None}), 50),
        (range(1, 51), Feed(position=60, epoch="b", shared={"a": 50, "b": None}), 50),
        (range(1, 41), Feed(position=40, epoch="a", shared={"a": None}), 40),
        ([*range(1, 31), *range(90, 100)], Feed(position=40, epoch="a", shared={"a": None}), 30),
        (range(1, 11), Feed(position=10, epoch="b", shared={"a": 10, "b": None}), 10),
        (range(90, 150), Feed(position=60, epoch="b", shared={"a": 10, "b": None}), 10),
        (range(90, 150), Feed(position=60, epoch="b", shared={"b": None}, shared_with_others=7), 7),
        (range(90, 150), Feed(position=60, epoch="a", shared={"a": None}), 18),
        ([], Feed(position=0, shared={}), 0),
    ],
)
def test_where_the_log_and_what_was_applied_part(facts: Any, feed: Feed, position: int) -> None:
    known = {at: found for at, found in log(*map(digest, facts)).items() if at >= CURSOR.known_from}

    assert agreed(CURSOR, known, feed) == position
