"""`GET /leads`: filters, words, sorts, pages."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from contracts.events import LeadSummary
from leads.domain.search import fold, lexemes
from leads.store.database import Database
from support.databases import Database as Databases

from .conftest import NOW, Company, Connect

LEADS: Mapping[str, Mapping[str, Any]] = {
    "Łukasz Peña": {"email": "lukasz@polska.example", "phone": "+5511987654321", "source": "website", "score": 10},
    "Ada Lovelace": {"organisation": "Analytical Engines", "status": "won", "value": "1500.00", "currency": "GBP"},
    "Grace Hopper": {"tags": ("navy", "vip"), "status": "contacted", "score": 90, "source": "referral"},
    "Alan Turing": {"tags": ("vip",), "custom": {"city": "London", "sizes": ["s", "m"], "rank": 7}, "score": 50},
    "ada byron": {"title": "Countess", "value": "20.50", "currency": "EUR", "converted_at": NOW},
}


@pytest.fixture
def names(superuser: psycopg.Connection, acme: Company, globex: Company) -> None:
    """The leads above, one a minute, as the projection would have left them; another company has the same."""
    for company in (acme, globex):
        for number, (name, given) in enumerate(LEADS.items()):
            put(superuser, company, number, name, given)


def put(superuser: psycopg.Connection, company: Company, number: int, name: str, given: Mapping[str, Any]) -> None:
    at = NOW + timedelta(minutes=number)
    assignee = {"Grace Hopper": str(company.users["agent"]), "Alan Turing": str(company.users["manager"])}.get(name)
    values: dict[str, Any] = {
        "id": f"00000000-0000-0000-0000-{number:012d}",
        "status": "new",
        "status_since": at,
        "assigned_to": assignee,
        "created_at": at,
        "updated_at": at,
        "version": 1,
        **given,
    }
    lead = LeadSummary(name=name, **values)
    row = {
        **{field: getattr(lead, field) for field in LeadSummary.__dataclass_fields__},
        "company_id": company.id,
        "custom": Jsonb(lead.custom),
        "tags": list(lead.tags),
        "name_key": fold(name),
    }
    columns = ", ".join(row)
    superuser.execute(
        f"INSERT INTO leads ({columns}, search) VALUES ({', '.join(f'%({column})s' for column in row)},"
        " array_to_tsvector(%(lexemes)s))".encode(),
        {**row, "lexemes": lexemes(company.id, lead)},
    )


async def found(api: httpx.AsyncClient, query: str) -> list[str]:
    answer = await api.get(f"/leads?{query}")
    assert answer.status_code == 200, answer.text
    return [lead["name"] for lead in answer.json()["data"]]


PENA, ADA, GRACE, ALAN, BYRON = LEADS


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [BYRON, ALAN, GRACE, ADA, PENA]),
        ("status=won", [ADA]),
        ("status=won&status=contacted", [GRACE, ADA]),
        ("source=website", [PENA]),
        ("source=none&source=website", [BYRON, ALAN, ADA, PENA]),
        ("assigned_to=none", [BYRON, ADA, PENA]),
        ("assigned_to=me", [GRACE]),
        ("assigned_to=me&assigned_to=none", [BYRON, GRACE, ADA, PENA]),
        ("tags=vip", [ALAN, GRACE]),
        ("tags=navy&tags=nothing", [GRACE]),
        ("tags_all=navy&tags_all=VIP", [GRACE]),
        ("tags=vip&sort=name&score_max=60", [ALAN]),
        ("email=LUKASZ@polska.example", [PENA]),
        ("phone=%2B5511987654321", [PENA]),
        ("phone=+55%2011%2098765-4321", [PENA]),
        ("phone=pena", []),
        ("organisation=analytical%20engines", [ADA]),
        ("title=COUNTESS", [BYRON]),
        ("name=ada", [BYRON, ADA]),
        ("name=Luk", [PENA]),
        ("currency=gbp", [ADA]),
        ("score_min=50", [ALAN, GRACE]),
        ("score_min=11&score_max=50", [ALAN]),
        ("value_min=20.5&value_max=1499.99", [BYRON]),
        ("created_at_from=2026-11-23T12:03:00Z", [BYRON, ALAN]),
        ("created_at_to=2026-11-23T13:01:00%2B01:00", [PENA]),
        ("updated_at_from=2026-11-24", []),
        ("status_since_to=2026-11-23T12:00:30Z", [PENA]),
        ("converted=yes", [BYRON]),
        ("converted=no&score_min=90", [GRACE]),
        ("q=pena", [PENA]),
        ("q=LUKASZ%20peñ", [PENA]),
        ("q=luka%20peña", []),
        ("q=ada", [BYRON, ADA]),
        ("q=ada%20engin", [ADA]),
        ("q=polska.example", [PENA]),
        ("q=countess", [BYRON]),
        ("q=london", [ALAN]),
        ("q=98765-4321", [PENA]),
        ("q=%2B55%2011%2098765", [PENA]),
        ("q=00000", []),
        ("q=vip", [ALAN, GRACE]),
        ("q=%27%20%26%20ada%20%7C%20%21%20%3A%2A%20%5C", [BYRON, ADA]),
        ("q=ada&status=won", [ADA]),
        ("q=ada&sort=name&order=desc", [ADA, BYRON]),
        ("sort=name", [BYRON, ADA, ALAN, GRACE, PENA]),
        ("sort=newest&order=asc", [PENA, ADA, GRACE, ALAN, BYRON]),
        ("sort=updated", [BYRON, ALAN, GRACE, ADA, PENA]),
        ("sort=value", [ADA, BYRON, ALAN, GRACE, PENA]),
        ("sort=value&order=asc", [BYRON, ADA, PENA, GRACE, ALAN]),
        ("sort=score", [GRACE, ALAN, PENA, BYRON, ADA]),
        ("sort=status_since&order=asc", [PENA, ADA, GRACE, ALAN, BYRON]),
    ],
)
async def test_a_list_shows_what_is_asked_for(api: httpx.AsyncClient, query: str, expected: list[str]) -> None:
    whole = await found(api, query)

    assert whole == expected
    assert await by_pages(api, f"{query}&limit=1") == expected
    assert await by_pages(api, f"{query}&limit=2") == expected


async def by_pages(api: httpx.AsyncClient, query: str) -> list[str]:
    names: list[str] = []
    url: str | None = f"/leads?{query}"
    while url is not None:
        page = (await api.get(url)).json()
        names += [lead["name"] for lead in page["data"]]
        url = page["links"]["next"]
    return names


CUSTOM = [
    {"key": "city", "label": "City", "kind": "text"},
    {"key": "rank", "label": "Rank", "kind": "number"},
    {"key": "sizes", "label": "Sizes", "kind": "choices", "choices": ["s", "m", "l"]},
]


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("custom.city=London", [ALAN]),
        ("custom.city=london", []),
        ("custom.rank=7.0", [ALAN]),
        ("custom.sizes=m", [ALAN]),
        ("custom.sizes=l&custom.sizes=s", [ALAN]),
        ("custom.sizes=l", []),
    ],
)
async def test_fields_of_the_company_are_filters(
    api: httpx.AsyncClient, connect: Connect, query: str, expected: list[str]
) -> None:
    for field in CUSTOM:
        answer = await connect("admin").post("/custom-fields", json=field)
        assert answer.is_success, answer.text

    assert await found(api, query) == expected


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("stauts=new", "stauts"),
        ("status=old", "status"),
        ("custom.nothing=1", "custom.nothing"),
        ("assigned_to=somebody", "assigned_to"),
        ("score_min=many", "score_min"),
        ("score_min=1&score_min=2", "score_min"),
        ("value_max=1e99", "value_max"),
        ("value_max=NaN", "value_max"),
        ("value_max=1e-20000", "value_max"),
        ("value_max=0e20000", "value_max"),
        ("created_at_from=yesterday", "created_at_from"),
        ("created_at_from=2026-11-23T12:00:00", "created_at_from"),
        ("converted=perhaps", "converted"),
        ("sort=beauty", "sort"),
        ("order=up", "order"),
        ("q=", "q"),
        ("q=a%00b", "q"),
        (f"name={'x' * 255}", "name"),
        ("&".join(f"tags=t{number}" for number in range(51)), "tags"),
        ("view=nothing", "view"),
        ("include=everything", "include"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
    ],
)
async def test_what_no_list_understands_is_refused_by_name(api: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await api.get(f"/leads?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert {error["field"].partition(".0")[0] for error in answer.json()["errors"]} == {field}


@pytest.mark.usefixtures("names")
async def test_a_cursor_belongs_to_its_query(api: httpx.AsyncClient) -> None:
    following = (await api.get("/leads?status=new&limit=1")).json()["links"]["next"]

    for other in ("status=won", "sort=name", "order=asc", "q=ada"):
        answer = await api.get(f"{following.replace('status=new', other)}")
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_of_another_query")
    assert (await api.get(following.replace("limit=1", "limit=3"))).is_success
    for cursor in ("x", "e30", "bnVsbA", "W10", "WzEsMiwzLDRd", "%FF", "9" * 1000):
        answer = await api.get(f"/leads?cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_cursor"), cursor


@pytest.mark.usefixtures("names")
async def test_details_are_included_when_asked_for(api: httpx.AsyncClient, connect: Connect, acme: Company) -> None:
    await connect("admin").post("/sources", json={"key": "website", "name": "Our website"})

    plain = (await api.get("/leads")).json()["data"]
    both = (await api.get("/leads?include=source,assigned_user&sort=name")).json()["data"]
    one = (await api.get(f"/leads/{both[-1]['id']}?include=source")).json()["data"]

    assert not any({"assigned_user", "source_details"} & set(lead) for lead in plain)
    by_name = {lead["name"]: lead for lead in both}
    assert by_name[GRACE]["assigned_user"] == {
        "id": str(acme.users["agent"]),
        "name": "Acme agent",
        "role": "agent",
    }
    assert by_name[PENA]["source_details"] == {"key": "website", "name": "Our website"}
    assert by_name[GRACE]["source_details"] == {"key": "referral", "name": "referral"}
    assert by_name[ADA]["assigned_user"] is by_name[ADA]["source_details"] is None
    assert by_name[PENA]["source"] == "website"
    assert one["source_details"]["key"] == "website"
    assert "assigned_user" not in one


@pytest.mark.usefixtures("names")
async def test_a_saved_view_is_a_list_and_says_no_more_than_its_reader_may_see(
    api: httpx.AsyncClient, connect: Connect, globex: Company
) -> None:
    manager = connect("manager")
    query = {"status": ["new", "contacted"], "assigned_to": "me", "sort": "name"}
    shared = (await manager.post("/views", json={"name": "Mine", "query": query, "shared": True})).json()["data"]["id"]
    private = (await manager.post("/views", json={"name": "Own", "query": {"status": "won"}})).json()["data"]["id"]

    assert await found(manager, f"view={shared}") == [ALAN]
    assert await found(api, f"view={shared}") == [GRACE]
    assert await found(api, f"view={shared}&assigned_to=none") == [BYRON, PENA]
    assert await by_pages(api, f"view={shared}&assigned_to=none&limit=1") == [BYRON, PENA]
    assert await found(manager, f"view={private}") == [ADA]
    for client, view in ((api, private), (connect("admin", globex), shared)):
        answer = await client.get(f"/leads?view={view}")
        assert (answer.status_code, answer.json()["code"]) == (404, "view_not_found")

    etag = (await manager.get(f"/leads?view={private}")).headers["ETag"]
    await manager.patch(f"/views/{private}", json={"query": {"status": "new"}})
    changed = await manager.get(f"/leads?view={private}", headers={"If-None-Match": etag})
    assert (changed.status_code, len(changed.json()["data"])) == (200, 3)


@pytest.mark.usefixtures("names")
async def test_a_read_that_takes_too_long_says_so(
    api: httpx.AsyncClient, database: Database, superuser: psycopg.Connection, acme: Company
) -> None:
    with superuser.transaction():
        superuser.execute("LOCK TABLE leads IN ACCESS EXCLUSIVE MODE")
        database._read_timeout = "50ms"
        answer = await api.get("/leads?organisation=nobody")

    assert (answer.status_code, answer.json()["code"]) == (422, "query_too_slow")
    assert (await api.get("/leads?limit=1")).status_code in {200, 422}


def test_words_are_found_by_their_index(
    leads_database: Databases, superuser: psycopg.Connection, acme: Company
) -> None:
    superuser.execute(
        "INSERT INTO leads (company_id, id, name, status, created_at, updated_at, version, search)"
        " SELECT %(company)s::uuid, gen_random_uuid(), 'x', 'new', now(), now(), 1,"
        " array_to_tsvector(ARRAY['w' || n]) FROM generate_series(1, 20000) AS n",
        {"company": str(acme.id)},
    )
    superuser.execute("VACUUM (ANALYZE) leads")
    query = (
        "EXPLAIN SELECT id FROM leads WHERE company_id = %s AND search @@ %s::tsquery"
        " ORDER BY created_at DESC, id DESC LIMIT 51"
    )
    plans = {}
    for role in ("leads_owner", "leads_app"):
        with psycopg.connect(leads_database.url(role)) as connection:
            connection.execute("SELECT set_config('app.company', %s, true)", [str(acme.id)])
            lines = connection.execute(query, [acme.id, "'w7'"]).fetchall()
            plans[role] = "\n".join(line for (line,) in lines)

    assert "leads_search" in plans["leads_owner"]  # as whom the function runs
    assert "leads_search" not in plans["leads_app"]  # why there is a function: when this fails, it may go


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("sort", ["newest", "name", "value", "score"])
async def test_a_cursor_that_somebody_made_up_is_refused(api: httpx.AsyncClient, sort: str) -> None:
    following = (await api.get(f"/leads?sort={sort}&limit=1")).json()["links"]["next"]
    cursor = parse_qs(urlsplit(following).query)["cursor"][0]
    digest, ours, value, lead_id = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    forged = {
        "s": ["a\0b", "\ud800"],
        "d": ["sNaN", "Infinity", "1e-20000"],
        "t": ["2026-11-23"],
        "i": ["one"],
        "x": ["1"],
    }
    if ours != "s":
        forged["s"].append(value)

    for letter, values in forged.items():
        for made_up in values:
            parts = json.dumps([digest, letter, made_up, lead_id])
            answer = await api.get(
                "/leads", params={"sort": sort, "cursor": urlsafe_b64encode(parts.encode()).decode()}
            )
            assert (answer.status_code, answer.json()["code"]) == (400, "malformed_cursor"), parts
