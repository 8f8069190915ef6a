"""Tasks that live and end together."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

PATIENCE: Final = 3.0  # seconds a cancelled task may take before it is cancelled again


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run parts side by side until the first of them ends; then cancel the others, and wait until they have ended.

    They are cancelled until they end: `asyncio.wait_for`, which nats-py uses, may swallow a cancellation (Python 3.11).

    Raises:
        Exception: that of the part that failed.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=PATIENCE)
