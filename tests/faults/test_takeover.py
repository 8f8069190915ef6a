"""Whatever happens to the active relay or notifier, another one goes on, and nothing is told twice or out of order."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from support.doubles import Double, double
from support.faults import Direction
from support.log_and_stream import in_the_log, on_the_stream, pushed
from support.stack import Stack
from support.waiting import until
from support.watchers import create_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PROMISE = 10.0
"""Seconds until another one is active (docs/operations.md)."""
FAULTS: dict[str, Callable[[Double], object]] = {
    "kill -9": lambda victim: victim.own.kill(),
    "SIGSTOP": lambda victim: victim.freeze(),
    "packets of both dropped": lambda victim: (victim.postgres.drop(), victim.nats.drop()),
    "PostgreSQL stalled": lambda victim: victim.postgres.stall(),
    "PostgreSQL half open": lambda victim: victim.postgres.drop(Direction.TO_CLIENT),
    "NATS stalled": lambda victim: victim.nats.stall(),
    "NATS cut": lambda victim: victim.nats.cut(),
}
QUICK = {("relay", "SIGSTOP"), ("relay", "NATS stalled"), ("notifier", "PostgreSQL stalled")}
"""What runs each time; the others take minutes, and run with `-m stress`."""
ACTIVE: dict[str, Callable[[Double], bool]] = {
    "relay": lambda one: one.state().get("role") == "active",
    "notifier": lambda one: one.metric("notifier_active") == 1,
}


@pytest.mark.parametrize("busy", [True, pytest.param(False, marks=pytest.mark.stress)], ids=["busy", "idle"])
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(name, fault, marks=() if (name, fault) in QUICK else pytest.mark.stress)
        for name in ACTIVE
        for fault in FAULTS
    ],
)
async def test_another_one_goes_on(
    stack: Stack, tmp_path: Path, name: str, fault: str, busy: bool, record_property: Callable[[str, object], None]
) -> None:
    is_active = ACTIVE[name]
    stack.kill(name)
    with double(stack, name, tmp_path / "first.log") as first:
        await until(lambda: is_active(first))
        with double(stack, name, tmp_path / "second.log") as second:
            await until(lambda: second.state().get("status") == "ready")
            assert not is_active(second)
            over = asyncio.Event()
            async with stack.client() as api:
                writing = asyncio.create_task(create_until(api, over.is_set, pause=0.03 if busy else 5.0))
                await until(lambda: len(in_the_log(stack, stack.acme)) > (20 if busy else 0))
                began = monotonic()
                FAULTS[fault](first)
                await until(lambda: is_active(second), within=2 * PROMISE)
                record_property("seconds", round(monotonic() - began, 1))

                if first.own.pid is not None and fault != "SIGSTOP":
                    await until(lambda: first.state().get("status") == "not ready", within=PROMISE)
                first.heal()
                await asyncio.sleep(1)  # what it still has under way arrives now, if ever
                over.set()
                await writing
            await nothing_is_lost_or_doubled(stack)
            assert first.own.exit_code is None
    stack.start(name)


async def nothing_is_lost_or_doubled(stack: Stack) -> None:
    """Wait until every fact is on the stream and at the screens; each is there once, in the order of the log."""
    log = in_the_log(stack, stack.acme)

    async def all_pushed() -> bool:
        return len(await pushed(stack, stack.acme)) >= len(log)

    await until(all_pushed)
    assert await on_the_stream(stack, stack.acme) == log
    assert await pushed(stack, stack.acme) == [event_id for _, event_id, _ in log]
