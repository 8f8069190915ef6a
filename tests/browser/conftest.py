"""Pages belong to companies: tests of one module share a stack, as long as nobody harms it."""

import pytest

from support.stack import Stack


@pytest.fixture
def stack(warm_stack: Stack) -> Stack:
    return warm_stack
