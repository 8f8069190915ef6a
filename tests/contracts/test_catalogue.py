"""The catalogue of events in the docs is that of the code, and leads nowhere that does not exist."""

import re

import pytest

from contracts import events
from contracts.catalogue import catalogue
from contracts.documented import aliases_of, fields_of
from contracts.envelope import Envelope
from contracts.events import NAMES, LeadSummary
from leadwire import paths

DOCS = paths.CHECKOUT / "docs"
REGENERATE = "run `.venv/bin/python -m contracts.catalogue > docs/event-catalogue.md` and commit what it wrote"


def test_the_committed_catalogue_is_that_of_the_code() -> None:
    assert (DOCS / "event-catalogue.md").read_text() == catalogue(), REGENERATE


@pytest.mark.parametrize("page", ["event-catalogue.md", "events.md", "../examples/README.md"])
def test_links_lead_somewhere(page: str) -> None:
    file = DOCS / page
    text = file.read_text()
    headings = {
        re.sub(r"[^\w -]", "", line.lower()).strip().replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    links = re.findall(r"\]\(([^)]+)\)", text)

    lost = [link for link in links if not link.startswith("#") and not (file.parent / link.split("#")[0]).exists()]
    assert lost == []
    assert {link[1:] for link in links if link.startswith("#")} <= headings


def test_every_fact_is_in_the_catalogue() -> None:
    text = catalogue()

    assert all(f"`{name}`" in text for name in NAMES.values())


def test_the_text_below_a_field_is_its_meaning() -> None:
    texts = {field.name: field.text for field in fields_of(LeadSummary)}

    assert texts["email"] == "Lower case."
    assert texts["id"] == ""


def test_what_has_no_default_cannot_be_missing() -> None:
    assert {field.name for field in fields_of(Envelope) if not field.may_be_missing} == {
        *("id", "type", "subject", "time", "dataschema", "companyid", "feedposition", "streamversion", "data")
    }


def test_names_of_types_are_explained() -> None:
    (changes,) = (alias for alias in aliases_of(events) if alias.name == "Changes")

    assert changes.annotation == "Mapping[str, Change]"
    assert changes.text.startswith("Field name")
