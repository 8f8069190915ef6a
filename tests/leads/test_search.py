"""What a search finds, and what it tells to nobody else."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.errors import InsufficientPrivilege

from contracts.events import LeadSummary
from leads.domain.search import SCOPE, Wanted, fold, lexemes, scope, search, words
from support.databases import Database

from .conftest import NOW, Company

CALL = "SELECT lead_id FROM matching_leads(%s, %s, %s, %s, %s)"
ADA = f"'{SCOPE}ada'"


@pytest.fixture
def planted(superuser: psycopg.Connection, acme: Company, globex: Company) -> dict[UUID, UUID]:
    """One lead of the same name in each company: company → lead."""
    return {company.id: plant(superuser, company.id, "Ada") for company in (acme, globex)}


def plant(
    superuser: psycopg.Connection, company_id: UUID, name: str, *, email: str | None = None, at: datetime = NOW
) -> UUID:
    lead_id = uuid4()
    lead = LeadSummary(id=str(lead_id), name=name, email=email, status="new", created_at=at, updated_at=at, version=1)
    superuser.execute(
        "INSERT INTO leads (company_id, id, name, email, status, created_at, updated_at, version, search)"
        " VALUES (%s, %s, %s, %s, 'new', %s, %s, 1, array_to_tsvector(%s))",
        [company_id, lead_id, name, email, at, at, lexemes(company_id, lead)],
    )
    return lead_id


def call(
    connection: psycopg.Connection,
    company: object,
    wanted: Wanted,
    *,
    after: tuple[datetime, UUID] | None = None,
    at_most: int | None = None,
) -> list[UUID]:
    connection.execute("SELECT set_config('app.company', %s, false)", [str(company)])
    parameters = [wanted.whole, wanted.beginning, *(after or (None, None)), at_most]
    return [lead_id for (lead_id,) in connection.execute(CALL, parameters)]


@pytest.mark.parametrize("at_most", [None, 100])
def test_whatever_is_searched_for_only_own_leads_are_found(
    leads_database: Database, planted: dict[UUID, UUID], acme: Company, globex: Company, at_most: int | None
) -> None:
    with psycopg.connect(leads_database.url("leads_app"), autocommit=True) as app:
        ours = [planted[acme.id]]
        assert call(app, acme.id, Wanted(ADA, None), at_most=at_most) == ours
        theirs = scope(globex.id, NOW)
        for attack in (f"'{theirs}ada'", f"{ADA} | '{theirs}ada'", "!'ada'", f"{ADA} | !{ADA}", f"'{SCOPE}':*"):
            for wanted in (Wanted(attack, None), Wanted(None, attack), Wanted(attack, attack), Wanted(ADA, attack)):
                assert set(call(app, acme.id, wanted, at_most=at_most)) <= set(ours), attack
        for nobody in ("", uuid4()):
            assert call(app, nobody, Wanted(ADA, None), at_most=at_most) == []
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            call(app, f"{acme.id}' | 'ada", Wanted(ADA, None), at_most=at_most)


@pytest.mark.parametrize("at_most", [None, 100])
def test_companies_with_the_same_scope_do_not_see_each_other(
    leads_database: Database,
    superuser: psycopg.Connection,
    planted: dict[UUID, UUID],
    acme: Company,
    at_most: int | None,
) -> None:
    twin = UUID(int=acme.id.int ^ 1 << 80)
    assert scope(twin, NOW) == scope(acme.id, NOW)
    its = plant(superuser, twin, "Ada")

    with psycopg.connect(leads_database.url("leads_app"), autocommit=True) as app:
        assert call(app, acme.id, Wanted(ADA, None), at_most=at_most) == [planted[acme.id]]
        assert call(app, twin, Wanted(ADA, ADA), at_most=at_most) == [its]


@pytest.fixture
def very_many(superuser: psycopg.Connection, acme: Company) -> list[tuple[datetime, UUID, str, str]]:
    """More leads than are looked at one by one, over many months and a gap, newest first; two at a time."""
    leads = []
    for number in range(12_500):
        surname = "Meitner" if number % 3000 == 7 else "Byron" if number % 2 else "Curie"
        at = NOW - timedelta(hours=number // 2, days=100 if number > 11_000 else 0)
        leads.append((at, uuid4(), f"Ada {surname}", f"ada.{number}@example.com"))
    rows = [
        {"company": acme.id, "at": at, "id": lead_id, "name": name, "words": lexemes(acme.id, summary)}
        for at, lead_id, name, email in leads
        for summary in [
            LeadSummary(id="", name=name, email=email, status="new", created_at=at, updated_at=at, version=1)
        ]
    ]
    with superuser.transaction(), superuser.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO leads (company_id, id, name, status, created_at, updated_at, version, search)"
            " VALUES (%(company)s, %(id)s, %(name)s, 'new', %(at)s, %(at)s, 1, array_to_tsvector(%(words)s))",
            rows,
        )
    return sorted(leads, reverse=True)


def test_pages_show_all_that_match_newest_first_however_rare_they_are(
    leads_database: Database, very_many: list[tuple[datetime, UUID, str, str]], acme: Company
) -> None:
    with psycopg.connect(leads_database.url("leads_app"), autocommit=True) as app:
        for typed, name, address in [
            ("ada", "Ada", ""),
            ("ada by", "Ada B", ""),
            ("curie", "Ada C", ""),
            ("mei", "Ada M", ""),
            ("ada mei", "Ada M", ""),
            ("meitner ada", "Ada M", ""),
            ("ada.12@exam", "", "ada.12@exam"),
            ("ada.1200@example.com ada", "", "ada.1200@example.com"),
            ("ada ada.12007@example.com", "", "ada.12007@example.com"),
            ("12007 com", "", "ada.12007@example.com"),
            ("mei ada", "nobody", ""),
            ("byron mei", "nobody", ""),
        ]:
            expected = [
                (at, lead_id)
                for at, lead_id, of_lead, email in very_many
                if of_lead.startswith(name) and email.startswith(address)
            ]
            wanted = search(typed)
            assert wanted is not None
            times = {lead_id: at for at, lead_id, _, _ in very_many}
            shown: list[tuple[datetime, UUID]] = []
            while found := call(app, acme.id, wanted, after=shown[-1] if shown else None, at_most=98):
                shown += [(times[lead_id], lead_id) for lead_id in found]

            assert shown == expected, typed
            assert sorted(call(app, acme.id, wanted)) == sorted(lead_id for _, lead_id in expected), typed


@pytest.mark.parametrize(
    ("asked", "whole", "beginning"),
    [
        ("Ada Love", "'ada'", "'love':*"),
        ("ada.5@exam", None, "'ada.5@exam':*"),
        ("Ada@Example.com. Love", "'ada@example.com'", "'love':*"),
        ("@example", None, "'example':*"),
        ("ada@", None, "'ada@':*"),
        ("+55 (11) 98", None, "('551198':* | '<891155':*)"),
    ],
)
def test_an_address_is_one_word(asked: str, whole: str | None, beginning: str | None) -> None:
    wanted = search(asked)

    assert wanted is not None
    assert (wanted.whole or "").replace(SCOPE, "") == (whole or "")
    assert (wanted.beginning or "").replace(SCOPE, "") == (beginning or "")


def test_a_lead_is_found_by_its_address_and_by_its_parts() -> None:
    lead = LeadSummary(
        id="", name="Ada", email="Ada_L@Example.com", status="new", created_at=NOW, updated_at=NOW, version=1
    )

    assert lexemes(UUID(int=0), lead) == [
        f"AAAA2611{word}" for word in ("ada", "ada_l@example.com", "l", "example", "com")
    ]


def test_the_month_of_a_lead_is_that_of_utc() -> None:
    evening = datetime.fromisoformat("2026-11-30T23:00:00-03:00")

    assert scope(UUID(int=0xFFFFFF), evening) == scope(UUID(int=0xFFFFFF), evening.astimezone(UTC)) == "____2612"


def test_only_the_app_may_search(leads_database: Database, planted: dict[UUID, UUID], acme: Company) -> None:
    with (
        psycopg.connect(leads_database.url("leads_relay"), autocommit=True) as relay,
        pytest.raises(InsufficientPrivilege, match="matching_leads"),
    ):
        call(relay, acme.id, Wanted(ADA, None))


def test_a_function_of_the_attackers_is_not_called(leads_database: Database) -> None:
    with psycopg.connect(leads_database.url()) as connection:
        (settings,) = connection.execute(
            "SELECT proconfig FROM pg_proc WHERE proname = 'matching_leads'"
        ).fetchone() or ([],)

    assert "search_path=pg_catalog, pg_temp" in settings


@given(st.text(max_size=300))
def test_whatever_is_typed_becomes_a_search_or_nothing(typed: str) -> None:
    wanted = search(typed)

    assert (wanted is None) == (not words(typed))
    assert all(word == fold(word) for word in words(typed))


@pytest.mark.parametrize(
    "typed", ["'", "a'b\\c", "x:*", "& | ! ( )", "<->", "ﬁn\u200dd", "12345", "+55 (11) 9", "=#<a"]
)
def test_postgresql_reads_every_search(superuser: psycopg.Connection, typed: str) -> None:
    wanted = search(typed, any_tags=["it's", "back\\slash", "<->", ":*"], all_tags=["a & b"])

    assert wanted is not None
    (count,) = superuser.execute("SELECT numnode(%s::tsquery)", [wanted.whole]).fetchone() or (0,)
    superuser.execute("SELECT %s::tsquery", [wanted.beginning])
    assert count >= 9


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Łukasz  PEÑA", "lukasz pena"),
        ("Straße", "strasse"),
        ("Ærøskøbing", "aeroskobing"),
        ("São João", "sao joao"),
        ("İstanbul", "istanbul"),
        ("ﬁn", "fin"),
    ],
)
def test_accents_and_case_do_not_count(text: str, folded: str) -> None:
    assert fold(text) == folded
