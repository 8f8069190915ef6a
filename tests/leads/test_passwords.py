"""Guessing passwords is slowed down, knowing them is not."""

from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from leads.login_limits import (
    DEVICE_LIFETIME,
    DEVICE_PAUSE,
    DEVICE_TRIES,
    FREE_TRIES,
    LONGEST_PAUSE,
    NETWORK,
    Device,
    DeviceTokens,
    LoginLimiter,
    TooManyAttempts,
)

from .conftest import NOW, PASSWORD, Clock, Company

pytestmark = pytest.mark.clock

ADA, HERE = "ada@example.com", "192.0.2.1"
DEVICE = Device("device-1", uuid4())


def pause(limiter: LoginLimiter, now: float, network: str = HERE) -> float:
    """Return how long the next try has to wait."""
    with pytest.raises(TooManyAttempts) as refusal:
        limiter.try_account(ADA, network, now)
    return refusal.value.retry_after


def test_one_password_cannot_be_tried_on_every_account_in_turn():
    limiter = LoginLimiter()
    for number in range(int(NETWORK.burst)):
        limiter.try_account(f"user{number}@example.com", HERE, now=0.0)

    assert pause(limiter, now=0.0) == pytest.approx(1.2)
    limiter.try_account(ADA, "192.0.2.2", now=0.0)
    limiter.try_account("another@example.com", HERE, now=1.3)


def test_a_team_behind_one_address_may_log_in_as_often_as_it_likes():
    limiter = LoginLimiter()
    for number in range(200):
        limiter.try_account(f"user{number}@example.com", HERE, now=0.0)
        limiter.account_succeeded(f"user{number}@example.com", HERE)


def test_each_failure_makes_the_next_try_wait_longer_wherever_it_comes_from():
    limiter, now, pauses = LoginLimiter(), 0.0, []
    for number in range(FREE_TRIES + 15):
        if number >= FREE_TRIES:
            pauses.append(pause(limiter, now, f"198.51.100.{number}"))
            now += pauses[-1]
        limiter.try_account(ADA, f"203.0.113.{number}", now)

    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert pauses[-1] == LONGEST_PAUSE


def test_whoever_has_an_account_with_the_same_address_excuses_no_guesses_at_the_others():
    limiter = LoginLimiter()
    for _ in range(FREE_TRIES):
        limiter.try_account(ADA, HERE, now=0.0)  # a guess at the account in one company
        if _ < FREE_TRIES - 1:
            limiter.try_account(ADA, HERE, now=0.0)
            limiter.account_succeeded(ADA, HERE)  # the guesser's own, in another company

    assert pause(limiter, now=0.0) == 1


def test_others_guesses_never_keep_a_known_device_out():
    limiter = LoginLimiter()
    for number in range(int(NETWORK.burst)):
        try:
            limiter.try_account(ADA, HERE, now=0.0)
        except TooManyAttempts:
            limiter.try_account(f"user{number}@example.com", HERE, now=0.0)

    for _ in range(100):
        limiter.try_device(DEVICE, now=0.0)
        limiter.device_succeeded(DEVICE)
    assert pause(limiter, now=0.0) > 0  # the guesses still count


def test_guessing_on_a_known_device_is_slowed_down_a_little():
    limiter, now = LoginLimiter(), 0.0
    for _ in range(DEVICE_TRIES):
        limiter.try_device(DEVICE, now)
    for _ in range(20):
        with pytest.raises(TooManyAttempts) as refusal:
            limiter.try_device(DEVICE, now)
        assert refusal.value.retry_after <= DEVICE_PAUSE
        now += refusal.value.retry_after
        limiter.try_device(DEVICE, now)


def test_a_try_without_an_answer_counts_for_nothing_and_excuses_nothing():
    limiter = LoginLimiter()
    for _ in range(FREE_TRIES - 1):
        limiter.try_account(ADA, HERE, now=0.0)
    for _ in range(100):
        limiter.try_account(ADA, HERE, now=0.0)
        limiter.account_unanswered(ADA, HERE)
    limiter.try_account(ADA, HERE, now=0.0)

    assert pause(limiter, now=0.0) == 1


def test_a_device_token_is_ours_for_one_user_and_for_a_time():
    tokens, others = DeviceTokens(b"k" * 32), DeviceTokens(b"o" * 32)
    token = tokens.issue(DEVICE, NOW)

    assert tokens.read(token, NOW) == DEVICE
    assert tokens.read(token, NOW + DEVICE_LIFETIME + timedelta(seconds=1)) is None
    for forged in (None, "", "x", token[:-2], others.issue(DEVICE, NOW), "a.b.c", "é.é.é"):
        assert tokens.read(forged, NOW) is None


# Over HTTP.


def client(app: FastAPI, address: str = HERE) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://leads")


async def log_in(http: httpx.AsyncClient, email: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    return await http.post("/auth/login", json={"email": email, "password": password, **more})


async def test_somebody_who_guesses_locks_nobody_out(app: FastAPI, acme: Company) -> None:
    """Wrong log-ins by anybody, from anywhere: the user's own device goes on, another account of the network too."""
    async with client(app) as home, client(app, "2001:db8:1:2::1") as attacker, client(app, "2001:db8:1:2::2") as same:
        token = (await log_in(home, "agent@acme.example")).json()["device_token"]
        guesses = [
            (await log_in(attacker, "agent@acme.example", f"guess {number}")).status_code for number in range(60)
        ]
        known = await log_in(home, "agent@acme.example", device_token=token)
        known_beside_the_attacker = await log_in(same, "AGENT@acme.example", device_token=token)
        unknown = await log_in(home, "agent@acme.example")
        other_account = await log_in(home, "admin@acme.example")

    assert set(guesses[:FREE_TRIES]) == {401}
    assert guesses.count(429) > 50
    assert (known.status_code, known_beside_the_attacker.status_code) == (200, 200)
    assert (unknown.status_code, unknown.json()["code"]) == (429, "too_many_attempts")
    assert int(unknown.headers["Retry-After"]) >= 1
    assert other_account.status_code == 200


async def test_an_account_that_does_not_exist_is_answered_like_one_that_does(app: FastAPI, acme: Company) -> None:
    async with client(app) as http, client(app, "192.0.2.9") as elsewhere:
        real = [await log_in(http, "agent@acme.example", "wrong words") for _ in range(8)]
        unreal = [await log_in(elsewhere, "nobody@acme.example", "wrong words") for _ in range(8)]

    def shown(answers: list[httpx.Response]) -> list[tuple[int, str, str]]:
        return [(answer.status_code, answer.json()["code"], answer.json()["detail"]) for answer in answers]

    assert shown(real) == shown(unreal)


async def test_a_device_token_of_one_user_lets_nobody_guess_at_another(
    app: FastAPI, acme: Company, clock: Clock
) -> None:
    async with client(app) as http:
        mine = (await log_in(http, "viewer@acme.example")).json()["device_token"]
        answers = [await log_in(http, "admin@acme.example", "guess", device_token=mine) for _ in range(FREE_TRIES)]
        right = await log_in(http, "admin@acme.example", PASSWORD, device_token=mine)

    assert {answer.status_code for answer in answers} == {401}
    assert right.status_code in {401, 429}  # the account is slowed down, and a foreign token changes nothing of it


async def test_a_forged_device_token_is_as_good_as_none(app: FastAPI, acme: Company) -> None:
    async with client(app) as http:
        answer = await log_in(http, "agent@acme.example", device_token="forged")

    assert answer.status_code == 200
    assert answer.json()["device_token"] != "forged"
