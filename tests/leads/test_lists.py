"""`GET /leads`: filters, words, sorts, pages."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from contracts.events import LeadSummary
from leads.domain.search import fold, lexemes

from .conftest import NOW, Company

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
        ("q=vip", [ALAN, GRACE]),
        ("q=%27%20%26%20%7C%20%21%20%3A%2A%20%5C", [BYRON, ALAN, GRACE, ADA, PENA]),
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
