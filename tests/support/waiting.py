"""Waiting for a condition, never for time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

_STEP = 0.02  # seconds between looks


async def until(
    condition: Callable[[], Any] | Callable[[], Awaitable[Any]], *, within: float = 60, why: str = ""
) -> Any:
    """Return the first truthy result of a condition (plain or async), looked at every 20 ms.

    Raises:
        AssertionError: it stayed falsy for `within` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        result = condition()
        if inspect.isawaitable(result):
            result = await result
        if result:
            return result
        assert time.monotonic() < deadline, f"Still not true after {within} s: {why or _source(condition)}"
        await asyncio.sleep(_STEP)


def until_sync(condition: Callable[[], Any], *, within: float = 60, why: str = "") -> Any:
    """The same where no event loop runs."""
    deadline = time.monotonic() + within
    while not (result := condition()):
        assert time.monotonic() < deadline, f"Still not true after {within} s: {why or _source(condition)}"
        time.sleep(_STEP)
    return result


def _source(condition: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)
