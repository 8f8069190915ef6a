"""Waiting that ends early, and trying again ever later."""

import asyncio

import pytest

from notifier.waiting import Backoff, pause


async def test_a_pause_ends_when_it_is_time_to_stop() -> None:
    stopping = asyncio.Event()
    pausing = asyncio.create_task(pause(stopping, 3600))
    await asyncio.sleep(0)
    stopping.set()

    await asyncio.wait_for(pausing, 5)


def test_what_fails_is_tried_again_ever_later_until_it_succeeds() -> None:
    now = 100.0
    backoff = Backoff(lambda: now, chance=lambda: 0.0)
    delays = []
    for _ in range(6):
        backoff.failed("acme")
        delays.append(backoff.remaining("acme"))

    assert delays == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert backoff.remaining("globex") == 0
    now += 4
    assert backoff.remaining("acme") == 1
    backoff.succeeded("acme")
    assert backoff.remaining("acme") == 0


def test_what_failed_together_is_tried_again_apart() -> None:
    draws = iter([0.0, 0.5, 1.0])
    backoff = Backoff(lambda: 100.0, chance=lambda: next(draws))
    for key in ("acme", "globex", "initech"):
        backoff.failed(key)

    assert [backoff.remaining(key) for key in ("acme", "globex", "initech")] == pytest.approx([0.5, 0.425, 0.35])
