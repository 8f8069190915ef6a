"""What a search finds, and what it tells to nobody else."""

from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.errors import InsufficientPrivilege

from contracts.events import LeadSummary
from leads.domain.search import fold, lexemes, tsquery, words
from support.databases import Database

from .conftest import NOW, Company

CALL = "SELECT lead_id FROM matching_leads(%s::tsquery, NULL, NULL, NULL)"


@pytest.fixture
def planted(superuser: psycopg.Connection, acme: Company, globex: Company) -> dict[UUID, UUID]:
    """One lead of the same name in each company: company → lead."""
    made = {company.id: uuid4() for company in (acme, globex)}
    for company_id, lead_id in made.items():
        lead = LeadSummary(id=str(lead_id), name="Ada", status="new", created_at=NOW, updated_at=NOW, version=1)
        superuser.execute(
            "INSERT INTO leads (company_id, id, name, status, created_at, updated_at, version, search)"
            " VALUES (%s, %s, 'Ada', 'new', %s, %s, 1, array_to_tsvector(%s))",
            [company_id, lead_id, NOW, NOW, lexemes(lead)],
        )
    return made


def search(connection: psycopg.Connection, company: object, wanted: str) -> list[UUID]:
    connection.execute("SELECT set_config('app.company', %s, false)", [str(company)])
    return [lead_id for (lead_id,) in connection.execute(CALL, [wanted])]


def test_whatever_is_searched_for_only_own_leads_are_found(
    leads_database: Database, planted: dict[UUID, UUID], acme: Company, globex: Company
) -> None:
    with psycopg.connect(leads_database.url("leads_app"), autocommit=True) as app:
        ours = [planted[acme.id]]
        assert search(app, acme.id, "'ada'") == ours
        attacks = [f"'={globex.id}'", f"'ada' | '={globex.id}'", f"!'={acme.id}'", "!'ada'", "'ada' | !'ada'", "'a':*"]
        for attack in attacks:
            assert set(search(app, acme.id, attack)) <= set(ours), attack
        for nobody in ("", uuid4()):
            assert search(app, nobody, "'ada'") == []
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            search(app, f"{acme.id}' | 'ada", "'ada'")


def test_only_the_app_may_search(leads_database: Database, planted: dict[UUID, UUID], acme: Company) -> None:
    with (
        psycopg.connect(leads_database.url("leads_relay"), autocommit=True) as relay,
        pytest.raises(InsufficientPrivilege, match="matching_leads"),
    ):
        search(relay, acme.id, "'ada'")


def test_a_function_of_the_attackers_is_not_called(leads_database: Database) -> None:
    with psycopg.connect(leads_database.url()) as connection:
        (settings,) = connection.execute(
            "SELECT proconfig FROM pg_proc WHERE proname = 'matching_leads'"
        ).fetchone() or ([],)

    assert "search_path=pg_catalog, pg_temp" in settings


@given(st.text(max_size=300))
def test_whatever_is_typed_becomes_a_search_or_nothing(typed: str) -> None:
    query = tsquery(typed)

    assert (query is None) == (not words(typed))
    assert all(word == fold(word) for word in words(typed))


@pytest.mark.parametrize(
    "typed", ["'", "a'b\\c", "x:*", "& | ! ( )", "<->", "ﬁn\u200dd", "12345", "+55 (11) 9", "=#<a"]
)
def test_postgresql_reads_every_search(superuser: psycopg.Connection, typed: str) -> None:
    query = tsquery(typed, any_tags=["it's", "back\\slash", "<->", ":*"], all_tags=["a & b"])

    (count,) = superuser.execute("SELECT numnode(%s::tsquery)", [query]).fetchone() or (0,)

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
