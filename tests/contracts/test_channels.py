"""The channels of the CRM, by exact name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import channels
from contracts.channels import CompanyChannel, LeadChannel, StatsChannel, UserChannel
from support.facts import ids

ID = "3f2c7a52-9d11-4c7e-8a55-0a4f4f0f0a01"


@given(st.sampled_from([CompanyChannel, StatsChannel, LeadChannel, UserChannel]), ids)
def test_a_channel_is_found_by_its_name(kind: type[channels.CrmChannel], identity: str) -> None:
    assert channels.parse(str(kind(identity))) == kind(identity)


def test_names_are_those_that_frontends_use() -> None:
    assert [str(kind(ID)) for kind in (CompanyChannel, StatsChannel, LeadChannel, UserChannel)] == [
        f"private-company.{ID}",
        f"private-cache-company.{ID}.stats",
        f"presence-lead.{ID}",
        f"private-user.{ID}",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "",
        f"company.{ID}",
        f"private-company.{ID.upper()}",
        f"private-company.{ID}\n",
        f" private-company.{ID}",
        f"private-company.{ID}.stats",
        f"private-cache-company.{ID}",
        f"private-companyx{ID}",
        f"privateers-company.{ID}",
        f"presence-company.{ID}",
        f"private-lead.{ID}",
        "private-company.*",
        f"private-company.{ID},private-company.{ID}",
        f"private-company.{ID.replace('-', '')}",
    ],
)
def test_any_other_name_is_no_channel(name: str) -> None:
    assert channels.parse(name) is None


@given(st.text())
def test_no_text_is_too_strange(name: str) -> None:
    channel = channels.parse(name)

    assert channel is None or str(channel) == name
