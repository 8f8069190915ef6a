"""The inbox over HTTP, on the real process: what a user was told, and what all of their tabs agree on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts.events import Change, LeadAssigned, LeadMessagePosted, UserDeactivated
from notifier.api.app import openapi
from support.notifiers import ACME, ANA, BEN, EVA, GLOBEX, NotifierProcess, World, message, summary, user
from support.waiting import until

pytestmark = pytest.mark.clock


@pytest.fixture
async def notifier(world: World) -> AsyncIterator[NotifierProcess]:
    async with world.leads.answering():
        yield await world.running_notifier()


@pytest.fixture
async def ben(world: World, notifier: NotifierProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client(notifier, BEN) as client:
        yield client


async def assign(world: World, count: int = 1, company_id: str = ACME, to: str = BEN) -> None:
    """Let Ana assign leads, and wait until who gets them is notified."""
    position = len(world.leads.feeds.get(company_id, []))
    for number in range(position + 1, position + count + 1):
        changes = {"assigned_to": Change(old=None, new=to)}
        fact = LeadAssigned(lead=summary(number, assigned_to=to), changes=changes)
        await world.leads.tell(fact, company_id, actor=ANA)
    await world.reaches(company_id, position + count)


def numbers(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [one["number"] for one in answer.json()["data"]]


async def heard(world: World, count: int, user_id: str = BEN) -> list[dict[str, Any]]:
    """Wait for so many pushes to a user and return their events and data, without those of notifications."""

    async def there() -> bool:
        return len(await world.user_pushes(user_id)) >= count

    await until(there, why=f"{count} pushes")
    pushes = await world.user_pushes(user_id)
    assert len(pushes) == count
    return [{"event": push.frame["event"], **push.data} for push in pushes]


async def test_what_no_operation_knows_is_refused_by_each(ben: httpx.AsyncClient) -> None:
    answers = {}
    for path, methods in openapi()["paths"].items():
        url = path.replace("{notification_id}", str(uuid4()))
        for method in methods:
            asked = [await ben.request(method, url, params={"surplus": 1})]
            asked.append(await ben.request(method, url, json={"surplus": 1}))
            answers[method, path] = {(answer.status_code, answer.json()["code"]) for answer in asked}
    answers["limit", "twice"] = {
        ((answer := await ben.get("/notifications?limit=1&limit=2")).status_code, answer.json()["code"])
    }

    assert len(answers) > 5
    assert set().union(*answers.values()) == {(422, "invalid_request")}


async def test_an_empty_inbox(ben: httpx.AsyncClient) -> None:
    answer = await ben.get("/notifications")

    assert answer.json() == {
        "data": [],
        "meta": {"unread": 0, "revision": 0, "number": 0},
        "links": {"next": None},
    }


async def test_a_notification_is_kept_and_pushed_the_same(world: World, ben: httpx.AsyncClient) -> None:
    await assign(world)

    answer = (await ben.get("/notifications")).json()
    [push] = await heard(world, 1)
    [kept] = answer["data"]
    assert answer["meta"] == {"unread": 1, "revision": 1, "number": 1}
    assert (kept["kind"], kept["critical"], kept["actor"], kept["number"]) == ("assigned", True, ANA, 1)
    assert kept["lead"] == {"id": summary(1).id, "name": "Ada 1"}
    assert kept["read_at"] is None
    del kept["read_at"]
    assert push == {"event": "notification.created", **kept, "unread": 1, "revision": 1, "epoch": push["epoch"]}


async def test_pages_are_newest_first_and_end(world: World, ben: httpx.AsyncClient) -> None:
    await assign(world, 7)

    found, target = [], "/notifications?limit=3"
    while target is not None:
        answer = await ben.get(target)
        found.append(numbers(answer))
        target = answer.json()["links"]["next"]

    assert found == [[7, 6, 5], [4, 3, 2], [1]]


async def test_what_is_read_in_one_tab_is_read_in_all(world: World, ben: httpx.AsyncClient) -> None:
    await assign(world, 3)
    [newest, *_] = (await ben.get("/notifications")).json()["data"]

    answer = await ben.post(f"/notifications/{newest['id']}/read", headers={"X-Socket-ID": "12.34"})

    assert answer.json()["data"]["read_at"] is not None
    assert answer.json()["meta"] == {"unread": 2, "revision": 4, "number": 3}
    *_created, read = await heard(world, 4)
    assert read == {
        "event": "notification.read",
        "ids": [newest["id"]],
        "read": True,
        "unread": 2,
        "revision": 4,
    }
    assert (await world.user_pushes(BEN))[-1].headers["Except-Socket"] == "12.34"
    assert numbers(await ben.get("/notifications?unread=true")) == [2, 1]


async def test_reading_twice_is_reading_once_and_can_be_taken_back(world: World, ben: httpx.AsyncClient) -> None:
    await assign(world)
    [only] = (await ben.get("/notifications")).json()["data"]
    path = f"/notifications/{only['id']}"

    first, again = await ben.patch(f"{path}/read"), await ben.post(f"{path}/read")
    back = await ben.post(f"{path}/unread")
    back_again = await ben.patch(f"{path}/unread")

    assert first.json() == again.json()
    assert (back.json()["data"]["read_at"], back.json()["meta"]["unread"]) == (None, 1)
    assert back_again.json() == back.json()
    pushes = await heard(world, 3)
    assert [(push["revision"], push.get("read"), push["unread"]) for push in pushes] == [
        (1, None, 1),
        (2, True, 0),
        (3, False, 1),
    ]


async def test_read_all_leaves_what_the_page_did_not_show(world: World, ben: httpx.AsyncClient) -> None:
    await assign(world, 5)

    some = await ben.post("/notifications/read-all", json={"before": 4})
    rest = await ben.post("/notifications/read-all")
    none = await ben.post("/notifications/read-all")

    assert [answer.json()["meta"]["unread"] for answer in (some, rest, none)] == [2, 0, 0]
    *_created, first, second = await heard(world, 7)
    assert (first["all_before"], first["unread"], first["revision"]) == (4, 2, 6)
    assert (second["all_before"], second["unread"], second["revision"]) == (6, 0, 7)


async def test_an_unchanged_page_is_not_sent_again(world: World, ben: httpx.AsyncClient) -> None:
    await assign(world)
    seen = await ben.get("/notifications")

    unchanged = await ben.get("/notifications", headers={"If-None-Match": seen.headers["ETag"]})
    await ben.post("/notifications/read-all")
    changed = await ben.get("/notifications", headers={"If-None-Match": seen.headers["ETag"]})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert changed.status_code == 200
    assert changed.headers["ETag"] != seen.headers["ETag"]


async def test_nobody_sees_the_inbox_of_another(
    world: World, notifier: NotifierProcess, ben: httpx.AsyncClient
) -> None:
    await assign(world)
    await assign(world, 1, GLOBEX)
    page = await ben.get("/notifications")
    [only] = page.json()["data"]
    seen = {"If-None-Match": page.headers["ETag"]}

    for user_id, company_id in ((EVA, ACME), (ANA, ACME), (EVA, GLOBEX)):
        async with world.client(notifier, user_id, company_id) as other:
            assert numbers(await other.get("/notifications")) == []
            assert (await other.post(f"/notifications/{only['id']}/read")).status_code == 404
    async with world.client(notifier, BEN, GLOBEX) as same_id_elsewhere:
        [theirs] = (await same_id_elsewhere.get("/notifications", headers=seen)).json()["data"]
        assert theirs["id"] != only["id"]
        await same_id_elsewhere.post("/notifications/read-all")
    assert (await ben.get("/notifications")).json()["meta"]["unread"] == 1


async def test_what_a_user_does_not_want_is_not_made(world: World, ben: httpx.AsyncClient) -> None:
    before = (await ben.get("/notifications/preferences")).json()
    answer = await ben.put("/notifications/preferences", json={"assigned": False, "message": False})
    await assign(world)
    for mentions in ((), (BEN,)):
        posted = LeadMessagePosted(lead=summary(), message=message(mentions=mentions), participants=(ANA, BEN))
        await world.leads.tell(posted, actor=ANA)
    await world.reaches(ACME, 3)

    assert set(before["data"].values()) == {True}
    assert before["meta"] == {"critical": ["assigned", "mentioned"]}
    assert answer.json() == await kept_preferences(ben)
    assert [push["kind"] for push in await heard(world, 1)] == ["mentioned"]

    await ben.put("/notifications/preferences", json={"message": False})
    await world.leads.tell(LeadAssigned(lead=summary(1, assigned_to=BEN), changes={}), actor=ANA)
    await world.reaches(ACME, 4)
    assert [push["kind"] for push in await heard(world, 2)] == ["mentioned", "assigned"]


async def kept_preferences(client: httpx.AsyncClient) -> Any:
    kept = (await client.get("/notifications/preferences")).json()
    assert {kind for kind, wanted in kept["data"].items() if not wanted} == {"assigned", "message"}
    return kept


async def test_every_change_of_an_inbox_has_its_number_however_many_come_at_once(
    world: World, notifier: NotifierProcess, ben: httpx.AsyncClient
) -> None:
    await assign(world, 20)
    ids = [one["id"] for one in (await ben.get("/notifications")).json()["data"]]
    async with world.client(notifier, BEN) as other_tab:
        calls = [tab.post(f"/notifications/{one}/read") for one in ids for tab in (ben, other_tab)]
        await asyncio.gather(*calls, assign(world, 20))

    pushes = await heard(world, 60)
    unread = 0
    for revision, push in enumerate(pushes, start=1):
        unread += 1 if push["event"] == "notification.created" else -1
        assert (push["revision"], push["unread"]) == (revision, unread)
    assert (await ben.get("/notifications")).json()["meta"] == {"unread": 20, "revision": 60, "number": 40}


async def test_a_standby_answers_too_and_what_it_is_told_is_pushed(world: World, ben: httpx.AsyncClient) -> None:
    standby = await world.running_notifier()
    await assign(world)
    async with world.client(standby, BEN) as other:
        [only] = (await other.get("/notifications")).json()["data"]
        await other.post(f"/notifications/{only['id']}/read")

    assert [push["event"] for push in await heard(world, 2)] == ["notification.created", "notification.read"]
    assert await standby.metric("notifier_active") == 0


async def test_days_offline_are_made_up_for_page_by_page(world: World, ben: httpx.AsyncClient) -> None:
    for _ in range(3):
        facts = [
            world.leads.add(LeadAssigned(lead=summary(1, assigned_to=BEN), changes={}), actor=ANA) for _ in range(300)
        ]
        await world.leads.publish(*facts)
    await world.reaches(ACME, 900)

    found, target = [], "/notifications?limit=200"
    while target is not None:
        answer = await ben.get(target)
        found += numbers(answer)
        target = answer.json()["links"]["next"]
    assert found == list(range(900, 0, -1))
    assert answer.json()["meta"]["unread"] == 900


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/notifications?limit=0", None, 422, "invalid_request"),
        ("GET", "/notifications?limit=201", None, 422, "invalid_request"),
        ("GET", "/notifications?cursor=%F0%9F%98%80", None, 400, "malformed_cursor"),
        ("GET", "/notifications?cursor=LTE", None, 400, "malformed_cursor"),
        ("POST", "/notifications/first/read", None, 404, "not_found"),
        ("POST", f"/notifications/{ACME}/read", None, 404, "not_found"),
        ("POST", "/notifications/read-all", b"{", 400, "malformed_json"),
        ("POST", "/notifications/read-all", b'{"before": 0}', 422, "invalid_request"),
        ("PUT", "/notifications/preferences", b'{"birthdays": true}', 422, "invalid_request"),
        ("PUT", "/notifications/preferences", b'{"message": "' + b"x" * 70_000 + b'"}', 413, "body_too_large"),
        ("DELETE", "/notifications", None, 405, "method_not_allowed"),
        ("GET", "/nothing", None, 404, "not_found"),
    ],
)
async def test_what_cannot_be_served_is_a_problem(
    ben: httpx.AsyncClient, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    answer = await ben.request(method, path, content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_malformed_socket_id_is_refused(ben: httpx.AsyncClient) -> None:
    answer = await ben.post("/notifications/read-all", headers={"X-Socket-ID": "me"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_header")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic QTpC"}])
async def test_without_a_valid_token_nobody_gets_in(notifier: NotifierProcess, header: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=notifier.url) as stranger:
        answer = await stranger.get("/notifications", headers=header)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_deactivated_users_tokens_end_and_later_ones_count(
    world: World, notifier: NotifierProcess, ben: httpx.AsyncClient
) -> None:
    assert (await ben.get("/notifications")).status_code == 200

    await world.leads.tell(UserDeactivated(user=user(BEN)), time=datetime.now(UTC))
    await world.reaches(ACME, 1)

    assert (await ben.get("/notifications")).status_code == 401
    assert (await ben.post("/notifications/read-all")).status_code == 401
    async with world.client(notifier, BEN) as reactivated, world.client(notifier, BEN, GLOBEX) as elsewhere:
        assert (await reactivated.get("/notifications")).status_code == 200
        assert (await elsewhere.get("/notifications")).status_code == 200


async def test_an_inbox_keeps_as_many_as_it_may_and_screens_hear_what_goes(world: World) -> None:
    async with world.leads.answering():
        before = await world.running_notifier()
        await assign(world, 5)
        await heard(world, 5)
        before.kill()
        notifier = await world.running_notifier(NOTIFIER_KEPT_NOTIFICATIONS="2")
        *_created, gone = await heard(world, 6)
        async with world.client(notifier, BEN) as ben:
            answer = await ben.get("/notifications")

    assert (gone["event"], gone["all_before"], gone["unread"]) == ("notification.read", 4, 2)
    assert (numbers(answer), answer.json()["meta"]["unread"]) == ([5, 4], 2)


async def test_it_describes_itself(notifier: NotifierProcess) -> None:
    async with httpx.AsyncClient(base_url=notifier.url) as http:
        document = (await http.get("/openapi.json")).json()

    assert sorted(document["paths"]) == [
        "/notifications",
        "/notifications/preferences",
        "/notifications/read-all",
        "/notifications/{notification_id}/read",
        "/notifications/{notification_id}/unread",
    ]
    assert document["components"]["schemas"]["NotificationPage"]["example"]["meta"]["unread"] == 3


async def test_pages_of_other_origins_may_ask_when_they_are_listed(world: World) -> None:
    notifier = await world.running_notifier(NOTIFIER_CORS_ORIGINS='["https://crm.example"]')
    async with world.client(notifier, BEN) as ben:
        mine = await ben.get("/notifications", headers={"Origin": "https://crm.example"})
        others = await ben.get("/notifications", headers={"Origin": "https://evil.example"})

    assert mine.headers["Access-Control-Allow-Origin"] == "https://crm.example"
    assert "ETag" in mine.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in others.headers
