"""Who may do what: the table, and that no route goes around it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from leads import access
from leads.access import AccessRefused, NotAllowed, Permit, TokenEnded
from leads.api.access_page import table
from leads.api.app import MODULES
from leads.api.context import guards
from leads.domain.company import Company, User

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def company_with(**details: Any) -> Company:
    user = User(**{"id": "u1", "name": "Ada", "role": "agent", **details})
    return Company(id="c1", name="Acme", users={user.id: user})


def test_every_operation_of_the_table_is_a_route_and_every_route_an_operation() -> None:
    routes = [route for module in MODULES for route in module.router.routes]

    assert [route for route in routes if not (isinstance(route, APIRoute) and guards(route))] == []
    assert {route.name for route in routes} == set(access.OPERATIONS) - access.FINER | access.PUBLIC


def test_the_page_shows_the_table() -> None:
    assert table() in PAGE.read_text(), "paste what `python -m leads access` prints"


def test_a_route_that_asks_for_nobody_is_found() -> None:
    router = APIRouter()

    @router.get("/leads")
    async def list_leads() -> None: ...

    (route,) = router.routes
    assert isinstance(route, APIRoute)
    assert not guards(route)


def test_each_role_may_do_what_those_before_it_may() -> None:
    allowed = [{name for name in access.OPERATIONS if access.may(role, name)} for role in access.ROLES]

    assert allowed == sorted(allowed, key=len)
    assert all(fewer <= more for fewer, more in pairwise(allowed))
    assert allowed[-1] == set(access.OPERATIONS)


def test_the_directory_decides_not_the_token() -> None:
    permit = Permit("u1", NOW, "create_lead")

    assert access.check(company_with(), permit).name == "Ada"
    with pytest.raises(NotAllowed):
        access.check(company_with(role="viewer"), permit)


@pytest.mark.parametrize(
    ("company", "refusal"),
    [
        (company_with(id="u2"), TokenEnded),
        (company_with(active=False), TokenEnded),
        (company_with(tokens_since=NOW + timedelta(microseconds=1)), TokenEnded),
        (company_with(active=False, role="viewer"), TokenEnded),
    ],
)
def test_a_genuine_token_counts_no_more(company: Company, refusal: type[AccessRefused]) -> None:
    with pytest.raises(refusal):
        access.check(company, Permit("u1", NOW, "create_lead"))


@pytest.mark.parametrize("since", [None, NOW - SECOND, NOW])
def test_a_token_from_after_the_others_ended_counts(since: datetime | None) -> None:
    assert access.check(company_with(tokens_since=since), Permit("u1", NOW, "read_me")).id == "u1"
