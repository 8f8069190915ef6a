"""The runbook: every command in it is run here, or marked as needing a cluster."""

import re
from pathlib import Path

import pytest

from leadwire import paths
from support.runbook import PAGES, blocks, blocks_of

RUN, CLUSTER = ("sh", "run"), ("sh", "cluster")


def test_every_block_says_who_runs_it() -> None:
    assert [str(block) for block in blocks() if block.is_for_a_shell and block.words not in {RUN, CLUSTER}] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_is_left_open(page: Path) -> None:
    text = page.read_text()

    assert text.count("\n```") == 2 * len(blocks_of(page, text))


def headings(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them."""
    titles = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def leads_somewhere(base: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    page = (base.parent / path).resolve() if path else base
    return page.exists() and (not anchor or anchor in headings(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())

    assert [target for target in targets if "://" not in target and not leads_somewhere(page, target)] == []


def test_every_fix_of_a_doctor_that_is_a_heading_exists() -> None:
    sources = [
        *paths.CHECKOUT.glob("contracts/src/runtime/doctor/*.py"),
        *paths.CHECKOUT.glob("services/*/src/*/doctor.py"),
    ]
    sources += [paths.CHECKOUT / "cli/src/leadwire/doctor.py"]
    named = {fix for source in sources for fix in re.findall(r"docs/[\w/.-]+(?:#[\w-]+)?", source.read_text())}

    assert len(named) > 5
    assert [fix for fix in named if not leads_somewhere(paths.CHECKOUT / "README.md", fix)] == []
