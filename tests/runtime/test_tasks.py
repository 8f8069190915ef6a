"""Parts that run together end together, also those that swallow a cancellation."""

import asyncio
import contextlib

import pytest

from runtime import tasks


async def for_ever(ended):
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("for ever")


async def stubborn(ended):
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await for_ever(ended)


async def test_when_one_ends_the_others_are_cancelled():
    ended = []
    await tasks.together(for_ever(ended), asyncio.sleep(0))
    assert ended == ["for ever"]


async def test_a_failure_is_raised_after_the_others_have_ended():
    async def failing():
        raise OSError("broken")

    ended = []
    with pytest.raises(OSError, match="broken"):
        await tasks.together(for_ever(ended), failing())
    assert ended == ["for ever"]


async def test_a_swallowed_cancellation_is_repeated(monkeypatch):
    monkeypatch.setattr(tasks, "PATIENCE", 0.01)
    ended = []
    await asyncio.wait_for(tasks.together(stubborn(ended), asyncio.sleep(0)), 60)
    assert ended == ["for ever"]


async def test_a_cancellation_from_outside_ends_all():
    ended = []
    running = asyncio.create_task(tasks.together(for_ever(ended), for_ever(ended)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["for ever", "for ever"]


async def end_a_duty(work, *, ask):
    stopped = []
    duty = tasks.Duty(lambda: stopped.append(True))
    duty.begin(work)
    await asyncio.sleep(0.01)
    if ask:
        await duty.end()
    return duty.exit_code, bool(stopped)


async def test_work_that_ends_unasked_ends_its_process_with_a_failure():
    async def failing():
        raise OSError("broken")

    assert await end_a_duty(failing(), ask=False) == (1, True)
    assert await end_a_duty(asyncio.sleep(0), ask=False) == (1, True)


async def test_work_that_is_asked_to_end_is_no_failure():
    assert await end_a_duty(for_ever([]), ask=True) == (0, False)


async def test_work_that_fails_while_it_ends_is_a_failure_and_raises_nothing():
    async def failing_at_the_end():
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("broken")

    assert await end_a_duty(failing_at_the_end(), ask=True) == (1, True)
