"""The rules about users and the pipeline: given settings, when a change, then a fact or a refusal."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.events import Change, Pipeline, PipelineChanged, Stage, UserAdded, UserChanged, UserDeactivated
from leads.domain import catalogue, people, pipeline
from leads.domain.catalogue import FieldNotFound, InvalidField, KeyTaken, SourceInUse
from leads.domain.company import Company, CustomField, Source, TooMany, User
from leads.domain.people import MOST_USERS, LastAdmin, StaleUser, UserNotFound
from leads.domain.pipeline import MOST_STAGES, InvalidPipeline, StageInUse, StalePipeline

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADA = User(id="u1", name="Ada", role="admin", email="ada@example.com", version=3)
BOB = User(id="u2", name="Bob", role="agent", email="bob@example.com")
GONE = User(id="u3", name="Carol", role="admin", email="carol@example.com", active=False)
NEW, WON, LOST = (
    Stage(key="new", name="New"),
    Stage(key="won", name="Won", kind="won"),
    Stage(key="lost", name="Lost", kind="lost"),
)


def company(*users: User, **settings: Any) -> Company:
    return Company(id="c1", name="Acme", users={user.id: user for user in users}, **settings)


def test_somebody_new_is_added_with_an_address_in_lower_case() -> None:
    fact = people.add(company(ADA), "u9", {"name": "Dan", "email": " Dan@Example.com ", "role": "viewer"})

    assert isinstance(fact, UserAdded)
    assert (fact.user.email, fact.user.version, fact.user.active) == ("dan@example.com", 1, True)


def test_there_is_a_bound_for_users() -> None:
    crowd = [User(id=str(number), name="Ada", role="viewer", active=False) for number in range(MOST_USERS)]

    with pytest.raises(TooMany):
        people.add(company(*crowd), "u9", {"name": "Dan", "email": "dan@example.com", "role": "viewer"})


def test_a_change_of_a_user_says_what_changed() -> None:
    fact = people.change(company(ADA, BOB), BOB, {"name": "Robert", "role": "agent", "email": "BOB@example.com"})

    assert fact is not None
    assert (fact.user.name, fact.user.version) == ("Robert", 1)
    assert fact.changes == {"name": Change(old="Bob", new="Robert")}
    assert people.change(company(ADA, BOB), BOB, {"name": "Bob"}) is None


@pytest.mark.parametrize("others", [(), (BOB,), (BOB, GONE)])
def test_the_last_active_admin_stays(others: tuple[User, ...]) -> None:
    acme = company(ADA, *others)

    with pytest.raises(LastAdmin):
        people.deactivate(acme, ADA)
    with pytest.raises(LastAdmin):
        people.change(acme, ADA, {"role": "manager"})
    assert isinstance(people.change(acme, ADA, {"name": "Augusta"}), UserChanged)


def test_an_admin_may_go_when_another_one_is_there() -> None:
    fact = people.deactivate(company(ADA, User(id="u4", name="Dan", role="admin")), ADA)

    assert isinstance(fact, UserDeactivated)
    assert (fact.user.active, fact.user.version) == (False, 4)
    assert people.after(ADA, fact, NOW).tokens_since == NOW


def test_who_signs_out_has_to_log_in_anew() -> None:
    fact = people.sign_out(ADA)

    assert (fact.user.active, fact.user.version) == (True, 4)
    assert people.after(ADA, fact, NOW).tokens_since == NOW


def test_who_comes_back_has_to_log_in_anew() -> None:
    fact = people.reactivate(GONE)

    assert fact is not None
    assert people.after(GONE, fact, NOW) == User(
        id="u3", name="Carol", role="admin", email="carol@example.com", tokens_since=NOW, version=1
    )
    assert people.reactivate(ADA) is None
    assert people.deactivate(company(ADA), GONE) is None


def test_a_user_is_found_at_the_version_that_was_looked_at() -> None:
    assert people.find(company(ADA), "u1", 3) == ADA
    assert people.find(company(ADA), "u1") == ADA
    with pytest.raises(StaleUser):
        people.find(company(ADA), "u1", 2)
    with pytest.raises(UserNotFound):
        people.find(company(ADA), "u2")


def test_another_pipeline_is_the_next_version() -> None:
    acme = company(pipeline=Pipeline(stages=(NEW, WON), version=4))

    assert pipeline.replace(acme, [NEW, LOST], {}) == PipelineChanged(pipeline=Pipeline(stages=(NEW, LOST), version=5))
    assert pipeline.replace(acme, [NEW, WON], {}) is None
    assert pipeline.missing(acme, [NEW, LOST]) == ["won"]


@pytest.mark.parametrize(
    ("stages", "pointer"),
    [
        ([], "/stages"),
        ([Stage(key=f"s{number}", name="S") for number in range(MOST_STAGES + 1)], "/stages"),
        ([WON], "/stages/0/kind"),
        ([LOST, NEW], "/stages/0/kind"),
        ([NEW, WON, WON], "/stages/2/key"),
        ([Stage(key="New!", name="New")], "/stages/0/key"),
        ([Stage(key="new", name=" ")], "/stages/0/name"),
        ([Stage(key="new", name="New", next=("won",))], "/stages/0/next"),
        ([Stage(key="new", name="New", next=("new",))], "/stages/0/next"),
        ([Stage(key="new", name="New", next=("won", "won")), WON], "/stages/0/next"),
        ([NEW, Stage(key="won", name="Won", kind="won", reason_required=True)], "/stages/1/reason_required"),
    ],
)
def test_stages_that_make_no_pipeline(stages: list[Stage], pointer: str) -> None:
    with pytest.raises(InvalidPipeline) as refused:
        pipeline.replace(company(), stages, {})

    assert [place for place, _message in refused.value.errors] == [pointer]


def test_a_stage_with_leads_stays() -> None:
    with pytest.raises(StageInUse) as refused:
        pipeline.replace(company(), [NEW], {"won": 7})

    assert refused.value.leads == {"won": 7}


def test_a_pipeline_is_replaced_by_who_looked_at_it() -> None:
    acme = company(pipeline=Pipeline(stages=(NEW,), version=4))

    pipeline.require_version(acme, 4)
    pipeline.require_version(acme, None)
    with pytest.raises(StalePipeline):
        pipeline.require_version(acme, 3)


def test_a_key_belongs_to_one_source_and_one_field() -> None:
    web, plan = Source(key="web", name="Web"), CustomField(key="plan", label="Plan", kind="text")
    acme = company(sources={"web": web}, custom_fields={"plan": plan})

    with pytest.raises(KeyTaken):
        catalogue.add_source(acme, web)
    with pytest.raises(KeyTaken):
        catalogue.add_field(acme, plan)
    with pytest.raises(SourceInUse):
        catalogue.remove_source(acme, "web", 1)
    with pytest.raises(FieldNotFound):
        catalogue.change_field(acme, "plans", {})
    assert catalogue.remove_source(acme, "web", 0) == web
    assert catalogue.change_field(acme, "plan", {"active": False}).active is False


@pytest.mark.parametrize(
    ("kind", "choices"), [("choice", ()), ("choices", ()), ("text", ("a",)), ("choice", ("a", "b", "a"))]
)
def test_a_field_that_no_value_could_satisfy(kind: Any, choices: tuple[str, ...]) -> None:
    with pytest.raises(InvalidField):
        catalogue.add_field(company(), CustomField(key="plan", label="Plan", kind=kind, choices=choices))
