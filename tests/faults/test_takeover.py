"""Whatever happens to the active relay, another one goes on, and nothing is published twice or out of order."""

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from support.doubles import Double, double
from support.faults import Direction
from support.log_and_stream import in_the_log, on_the_stream
from support.stack import Stack
from support.waiting import until
from support.watchers import create_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PROMISE = 10.0
"""Seconds until another relay is active (docs/operations.md)."""
FAULTS: dict[str, Callable[[Double], object]] = {
    "kill -9": lambda victim: victim.own.kill(),
    "SIGSTOP": lambda victim: victim.freeze(),
    "packets of both dropped": lambda victim: (victim.postgres.drop(), victim.nats.drop()),
    "PostgreSQL stalled": lambda victim: victim.postgres.stall(),
    "PostgreSQL half open": lambda victim: victim.postgres.drop(Direction.TO_CLIENT),
    "NATS stalled": lambda victim: victim.nats.stall(),
    "NATS cut": lambda victim: victim.nats.cut(),
}
SLOW = set(FAULTS) - {"SIGSTOP", "PostgreSQL stalled", "NATS stalled"}


def heal(victim: Double) -> None:
    victim.postgres.heal()
    victim.nats.heal()
    if victim.own.pid is not None:
        victim.thaw()


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=pytest.mark.stress if name in SLOW else ()) for name in FAULTS]
)
@pytest.mark.parametrize("busy", [True, pytest.param(False, marks=pytest.mark.stress)])
async def test_another_relay_goes_on(
    stack: Stack, tmp_path, fault: str, busy: bool, record_property: Callable[[str, object], None]
) -> None:
    stack.kill("relay")
    with double(stack, "relay", tmp_path / "first.log") as first:
        await until(lambda: first.state().get("role") == "active")
        with double(stack, "relay", tmp_path / "second.log") as second:
            await until(lambda: second.state().get("role") == "standby")
            over = asyncio.Event()
            async with stack.client() as api:
                writing = asyncio.create_task(create_until(api, over.is_set, pause=0.01 if busy else 5.0))
                await until(lambda: len(in_the_log(stack, stack.acme)) > (50 if busy else 0))
                began = monotonic()
                FAULTS[fault](first)
                await until(lambda: second.state().get("role") == "active", within=2 * PROMISE)
                record_property("seconds", round(monotonic() - began, 1))

                if first.own.pid is not None and fault != "SIGSTOP":
                    await until(lambda: first.state().get("status") == "not ready", within=PROMISE)
                heal(first)
                await asyncio.sleep(1)  # what it still has under way arrives now, if ever
                over.set()
                await writing
            log = in_the_log(stack, stack.acme)

            async def all_published() -> bool:
                return len(await on_the_stream(stack, stack.acme)) >= len(log)

            await until(all_published)
            assert await on_the_stream(stack, stack.acme) == log
            assert first.own.exit_code is None
    stack.start("relay")
