"""Names from outside become subject tokens and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import subjects

PUSHER_NAMES = st.from_regex(r"[A-Za-z0-9_\-=@,.;]{1,200}", fullmatch=True) | st.from_regex(
    r"#server-to-user-[A-Za-z0-9_\-=@,.;|*> ]{1,100}", fullmatch=True
)
NAMES = PUSHER_NAMES | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(NAMES)
def test_a_token_leads_back_to_its_name(name: str) -> None:
    assert subjects.name_of(subjects.token(name)) == name


@given(NAMES, NAMES)
def test_two_names_never_share_a_token(one: str, other: str) -> None:
    assert (subjects.token(one) == subjects.token(other)) == (one == other)


@given(NAMES)
def test_a_token_is_one_token_without_wildcards_or_white_space(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", subjects.token(name))


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_only_what_a_name_encodes_to_is_a_token(text: str) -> None:
    try:
        name = subjects.name_of(text)
    except ValueError:
        return
    assert subjects.token(name) == text


@pytest.mark.parametrize("text", ["", "a.b", "a=2", "a=2e", "=41", "=FF", "a b", "*", ">", "a=2E\n"])
def test_what_no_name_encodes_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"token|codec"):
        subjects.name_of(text)


def test_an_empty_name_has_no_token() -> None:
    with pytest.raises(ValueError, match="empty"):
        subjects.token("")


def test_subjects_are_what_the_permissions_say() -> None:
    channel = "private-company.c1"

    assert subjects.fact("c1", "l1", "crm.lead.status_changed.v1") == "crm.c1.lead.l1.status_changed"
    assert subjects.fact("c1", "u1", "crm.user.deactivated.v1") == "crm.c1.user.u1.deactivated"
    assert subjects.push("4242", channel) == "push.4242.private-company=2Ec1"
    assert subjects.live("4242", channel) == "live.4242.private-company=2Ec1"
    assert subjects.dead("notifier") == "dead.notifier"
    assert subjects.stats_request("c1") == "rpc.leads.stats.c1"
    assert subjects.changes_request("c1") == "rpc.leads.changes.c1"


@given(NAMES, NAMES)
def test_no_name_reaches_another_subject(company: str, lead: str) -> None:
    parts = subjects.fact(company, lead, "crm.lead.created.v1").split(".")

    assert [parts[0], parts[2], parts[4]] == ["crm", "lead", "created"]
    assert len(parts) == 5
