"""Guessing passwords is slowed down, knowing them is not."""

import pytest

from leads.passwords import ADDRESS_ATTEMPTS, ATTEMPTS, PERIOD, LoginLimiter, TooManyAttempts


def test_one_password_cannot_be_tried_on_every_address_in_turn():
    limiter = LoginLimiter()
    for number in range(ADDRESS_ATTEMPTS):
        limiter.check((f"user{number}@example.com", "192.0.2.1"), now=0.0)

    with pytest.raises(TooManyAttempts) as refusal:
        limiter.check(("another@example.com", "192.0.2.1"), now=1.0)

    assert refusal.value.retry_after == PERIOD - 1
    limiter.check(("another@example.com", "192.0.2.2"), now=1.0)
    limiter.check(("another@example.com", "192.0.2.1"), now=PERIOD + 1)


def test_a_team_behind_one_address_may_log_in_as_often_as_it_likes():
    limiter = LoginLimiter()
    for number in range(3 * ADDRESS_ATTEMPTS):
        who = (f"user{number}@example.com", "192.0.2.1")
        limiter.check(who, now=0.0)
        limiter.forgive(who)


def test_one_account_is_guessed_at_only_a_few_times():
    limiter = LoginLimiter()
    who = ("user@example.com", "192.0.2.1")
    for _ in range(ATTEMPTS):
        limiter.check(who, now=0.0)

    with pytest.raises(TooManyAttempts):
        limiter.check(who, now=PERIOD - 1)


def test_a_try_without_an_answer_counts_for_nothing_and_excuses_nothing():
    limiter = LoginLimiter()
    who = ("user@example.com", "192.0.2.1")
    for _ in range(ATTEMPTS - 1):
        limiter.check(who, now=0.0)
    for _ in range(ADDRESS_ATTEMPTS):
        limiter.check(who, now=0.0)
        limiter.take_back(who)
    limiter.check(who, now=0.0)

    with pytest.raises(TooManyAttempts):
        limiter.check(who, now=0.0)
