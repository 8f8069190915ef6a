"""The runbook: every command in it is run here, or marked as needing a cluster."""

from pathlib import Path

import pytest

from support.runbook import PAGES, blocks, blocks_of

RUN, CLUSTER = ("sh", "run"), ("sh", "cluster")


def test_every_block_says_who_runs_it() -> None:
    assert [str(block) for block in blocks() if block.is_for_a_shell and block.words not in {RUN, CLUSTER}] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_is_left_open(page: Path) -> None:
    text = page.read_text()

    assert text.count("\n```") == 2 * len(blocks_of(page, text))
