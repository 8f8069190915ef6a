"""What the console shows: a line for every step with its duration, and a sign of life from steps that take long."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from typing import Final

_LONG: Final = 2.0  # seconds after which a step says that it is under way


def say(text: str = "") -> None:
    """Print a line at once. A console that is gone is no reason to stop."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def complain(text: str) -> None:
    """Print a line where errors go."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def step(title: str) -> AsyncIterator[None]:
    """Show how a step goes. Steps may run at the same time."""
    started = time.monotonic()
    announcement = asyncio.get_running_loop().call_later(_LONG, say, f"  … {title}")
    try:
        yield
    except asyncio.CancelledError:
        raise
    except BaseException:
        say(f"  ✗ {title}")
        raise
    finally:
        announcement.cancel()
    say(f"  ✓ {title:<44} {time.monotonic() - started:5.1f} s")
