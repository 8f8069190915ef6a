"""A condition is kept or refused: no route ignores what it does not know, and a search for nothing finds nothing."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest

from leads.api.app import openapi
from leads.domain.jobs import tolerated_growth
from leads.store.database import Database

from .attempts import ATTEMPTS, EVERY_LEAD, OWN_ATTEMPTS, Attempt
from .conftest import NOBODY, PASSWORD, Company, Connect
from .working import Hand

DETAILS = {
    details["operationId"]: (method, details)
    for methods in openapi()["paths"].values()
    for method, details in methods.items()
}
OPERATIONS = sorted(DETAILS)
LOG_IN = Attempt("POST", "/auth/login", {"email": "agent@acme.example", "password": PASSWORD})
TOLERANT = "authorize_channel"
"""Its body is that of Laravel's and Pusher's clients, which have members of their own in it."""
CHOSEN_NAMES = frozenset({"custom", "query", "filter", "choose"})
"""Members whose own members have names that companies or users choose."""
NOTHING = (
    "%",
    "_",
    "'",
    "-",
    "--",
    "\U0001f525",
    "\u2764\ufe0f",
    "\u200b",
    "\u0301",
    "\u00a0",
    "...",
    "&|!()",
    "\\",
    "*",
    "@",
)
NOTHING += ("、。", "؟", "“”", "—", "€", "+", "\u3000.", "\U0001f1e7\U0001f1f7")


@pytest.fixture
def hand(database: Database) -> Hand:
    return Hand(database)


async def attempt_of(operation: str, admin: httpx.AsyncClient) -> Attempt:
    if operation == "log_in":
        return LOG_IN
    return await {**ATTEMPTS, **OWN_ATTEMPTS}[operation](admin)


def objects(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of each object of a body whose members have names that we chose."""
    if isinstance(value, dict):
        if not place or place[-1] not in CHOSEN_NAMES:
            yield place
        for name, inner in value.items():
            yield from objects(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, (*place, index))


def with_surplus(body: Any, place: tuple[str | int, ...]) -> Any:
    changed = copy.deepcopy(body)
    target = changed
    for step in place:
        target = target[step]
    target["surplus"] = 1
    return changed


def no_more_jobs(superuser: psycopg.Connection) -> None:
    """Make room: a user has so many open jobs, and a company so many files."""
    superuser.execute("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE finished_at IS NULL")


async def entered(api: httpx.AsyncClient, count: int, **values: Any) -> list[str]:
    answers = [await api.post("/leads", json={"name": f"Lead {number}", **values}) for number in range(count)]
    return [answer.json()["data"]["id"] for answer in answers]


async def order(api: httpx.AsyncClient, leads: dict[str, Any], **headers: str) -> httpx.Response:
    return await api.post("/leads/bulk", json={"leads": leads, "change": {"action": "delete"}}, headers=headers)


async def count(api: httpx.AsyncClient, **parameters: Any) -> int:
    return int((await api.get("/leads/count", params=parameters)).raise_for_status().json()["data"]["count"])


async def test_no_operation_ignores_a_parameter(connect: Connect, superuser: psycopg.Connection) -> None:
    admin = connect("admin")
    refused = (422, [{"field": "surplus", "message": "Unknown parameter"}])

    answers = {}
    for operation in OPERATIONS:
        attempt = await attempt_of(operation, admin)
        glue = "&" if "?" in attempt.path else "?"
        answer = await replace(attempt, path=f"{attempt.path}{glue}surplus=1").send(admin)
        answers[operation] = answer.status_code, answer.json()["errors"]
        no_more_jobs(superuser)

    assert answers == dict.fromkeys(OPERATIONS, refused)


async def test_no_operation_ignores_the_first_of_two_values(connect: Connect, superuser: psycopg.Connection) -> None:
    admin = connect("admin")
    values = {"limit": "1", "after": "0", "wait": "0", "min_position": "0", "from": "1", "to": "1", "cursor": "x"}
    values |= {"as_of": "1", "name": "x", "bom": "true", "delimiter": ",", "header": "true", "dry_run": "true"}
    values |= {"encoding": "utf-8", "state": "open", "view": NOBODY, "sort": "name", "order": "asc", "converted": "yes"}

    ignoring = []
    for operation, (_method, details) in DETAILS.items():
        attempt = await attempt_of(operation, admin)
        no_more_jobs(superuser)
        for parameter in details.get("parameters", ()):
            name = parameter["name"]
            if parameter["in"] != "query" or parameter["schema"].get("type") == "array" or name not in values:
                continue
            if name == "name" and operation != "upload_import":
                continue  # any of several beginnings
            glue = "&" if "?" in attempt.path else "?"
            twice = f"{glue}{name}={values[name]}&{name}={values[name]}"
            answer = await replace(attempt, path=attempt.path + twice).send(admin)
            if answer.status_code != 422:
                ignoring.append((operation, name, answer.status_code))

    assert ignoring == []


async def test_no_operation_ignores_a_member_of_its_body(connect: Connect, superuser: psycopg.Connection) -> None:
    admin = connect("admin")

    answers = {}
    for operation in OPERATIONS:
        attempt = await attempt_of(operation, admin)
        no_more_jobs(superuser)
        if isinstance(attempt.body, bytes) or operation == TOLERANT:
            continue
        body = attempt.body or {}
        for place in objects(body):
            answer = await replace(attempt, body=with_surplus(body, place)).send(admin)
            answers[operation, place] = answer.status_code, answer.json()["code"]

    assert answers == dict.fromkeys(answers, (422, "invalid_request"))
    assert len(answers) > len(OPERATIONS)


@pytest.mark.parametrize("path", ["/leads", "/leads/count", "/leads/export", "/users", "/jobs", "/changes", "/stats"])
async def test_a_read_has_no_body_to_ignore(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.request("GET", path, json={"status": "won"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_of_two_members_with_one_name_none_is_dropped(api: httpx.AsyncClient) -> None:
    body = '{"leads": {"filter": {"q": "ada", "q": "bob"}, "expected_count": 1}, "change": {"action": "delete"}}'

    answer = await api.post("/leads/bulk", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


async def test_a_search_for_nothing_is_refused_by_all_who_take_one(api: httpx.AsyncClient, hand: Hand) -> None:
    await entered(api, 3)

    answers = {}
    for asked in NOTHING:
        for path in ("/leads", "/leads/count", "/leads/export"):
            answers[asked, path] = await api.get(path, params={"q": asked})
        answers[asked, "job"] = await order(api, {"filter": {"q": asked}, "expected_count": 3})
        answers[asked, "words"] = await order(api, {"filter": {"q": ["lead", asked]}, "expected_count": 3})
        answers[asked, "view"] = await api.post("/views", json={"name": "Mine", "query": {"q": asked}})
    await hand.work()

    refused = {asked: (answer.status_code, answer.json()["code"]) for asked, answer in answers.items()}
    assert refused == dict.fromkeys(answers, (422, "invalid_request"))
    assert await count(api) == 3


async def test_a_name_of_accents_alone_begins_no_name(api: httpx.AsyncClient) -> None:
    await entered(api, 1)

    accents = await api.get("/leads", params={"name": "\u0301"})

    assert accents.status_code == 422
    assert await count(api, name="-") == 0
    assert await count(api, name="lead") == 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"q": "ada"},
        {"q": ["lead", "1"]},
        {"status": "new"},
        {"status": ["won", "new"], "tags": "a"},
        {"name": "LÉAD"},
        {"assigned_to": "me"},
        {"custom.plan": "pro"},
        {"created_at_from": "2026-11-23", "sort": "name"},
        {},
    ],
)
async def test_a_list_a_count_an_export_and_a_job_mean_the_same_leads(
    api: httpx.AsyncClient, connect: Connect, acme: Company, hand: Hand, parameters: dict[str, Any]
) -> None:
    await connect("admin").post("/custom-fields", json={"key": "plan", "label": "Plan", "kind": "text"})
    await entered(api, 2)
    await entered(api, 1, custom={"plan": "pro"}, tags=["a"], assigned_to=str(acme.users["agent"]))
    await api.post("/leads", json={"name": "Ada"})

    listed = {lead["id"] for lead in (await api.get("/leads", params=parameters)).json()["data"]}
    exported = (await api.get("/leads/export", params=parameters)).text.count("\r\n") - 1
    counted = await count(api, **parameters)
    leads = {"filter": parameters, "expected_count": counted, **({} if parameters else {"all": True})}
    ordered = await order(api, leads)
    await hand.work()

    assert ordered.status_code == 202, ordered.text
    assert len(listed) == exported == counted > 0
    left = {lead["id"] for lead in (await api.get("/leads")).json()["data"]}
    assert left.isdisjoint(listed)
    assert len(left) == 4 - counted


async def test_all_leads_are_meant_only_by_whoever_says_so(api: httpx.AsyncClient) -> None:
    await entered(api, 2)

    empty = [await order(api, {"filter": found, "expected_count": 2}) for found in ({}, {"sort": "name"})]
    narrowed = await order(api, {"filter": {"status": "new"}, "all": True, "expected_count": 2})
    blind = await order(api, {"filter": {}, "all": True})
    said = await order(api, EVERY_LEAD)

    assert {(answer.status_code, answer.json()["code"]) for answer in (*empty, narrowed)} == {
        (422, "all_leads_unclear")
    }
    assert (blind.status_code, blind.json()["code"]) == (422, "expected_count_missing")
    assert blind.json()["errors"][0]["pointer"] == "/leads/expected_count"
    assert said.status_code == 202


async def test_a_job_is_refused_when_its_leads_have_grown_by_more_than_a_little(
    api: httpx.AsyncClient, hand: Hand
) -> None:
    await entered(api, 22)
    leads = {"filter": {"status": "new"}}

    grown = await order(api, {**leads, "expected_count": 20})
    unseen = await order(api, {**leads, "expected_count": 0})
    a_little = await order(api, {**leads, "expected_count": 21}, **{"Idempotency-Key": "once"})
    await hand.work()
    await entered(api, 30)
    again = await order(api, {**leads, "expected_count": 21}, **{"Idempotency-Key": "once"})

    assert (grown.status_code, grown.json()["code"], grown.json()["count"]) == (409, "count_changed", 22)
    assert (unseen.status_code, unseen.json()["code"]) == (409, "count_changed")
    assert a_little.status_code == 202
    assert again.json()["data"]["id"] == a_little.json()["data"]["id"]
    assert await count(api) == 30


async def test_a_job_fails_when_its_leads_grow_between_the_order_and_its_begin(
    api: httpx.AsyncClient, hand: Hand
) -> None:
    await entered(api, 2)
    ordered = await order(api, {"filter": {"status": "new"}, "expected_count": 2})
    await entered(api, 2)

    await hand.work()
    job = (await api.get(f"/jobs/{ordered.json()['data']['id']}")).json()["data"]

    assert (job["state"], job["error"], job["done"]) == ("failed", "count_changed", 0)
    assert await count(api) == 4


@pytest.mark.parametrize(("expected", "tolerated"), [(0, 0), (1, 1), (20, 1), (21, 2), (320, 16), (200_000, 100)])
def test_a_little_is_bounded(expected: int, tolerated: int) -> None:
    assert tolerated_growth(expected) == tolerated


async def test_a_view_whose_conditions_are_gone_shows_nothing_instead_of_more(
    api: httpx.AsyncClient, connect: Connect, superuser: psycopg.Connection
) -> None:
    admin = connect("admin")
    stages = (await admin.get("/pipeline")).json()["data"]["stages"]
    more = [*stages, {"key": "trial", "name": "Trial", "kind": "open"}]
    await admin.put("/pipeline", json={"stages": more}, headers={"If-Match": "*"})
    await entered(api, 2)
    queries: list[dict[str, Any]] = [{"status": "trial"}, {"status": ["new", "trial"]}]
    views = [
        (await api.post("/views", json={"name": "Mine", "query": query})).raise_for_status().json()["data"]["id"]
        for query in queries
    ]
    views.append((await api.post("/views", json={"name": "Old", "query": {"q": "ada"}})).json()["data"]["id"])
    superuser.execute('UPDATE saved_views SET query = \'{"q": "-"}\' WHERE id = %s', [views[-1]])
    await admin.put("/pipeline", json={"stages": stages}, headers={"If-Match": "*"})

    answers = [
        await api.get(path, params={"view": view})
        for view in views
        for path in ("/leads", "/leads/count", "/leads/export")
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "invalid_request")}
