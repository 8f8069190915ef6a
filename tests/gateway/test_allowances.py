"""Buckets and addresses: the arithmetic of protection, without sockets."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.pusher.addresses import Addresses
from gateway.pusher.budget import Budget, Pace, Use
from runtime.server.rates import Rate


@given(st.integers(1, 50), st.integers(1, 10), st.lists(st.floats(0, 3), max_size=300), st.floats(0, 1e6))
def test_no_window_of_time_ever_lets_more_through_than_the_burst_and_the_rate(per_second, seconds, pauses, start):
    rate, full_at, now, taken = Rate(per_second, per_second * seconds), 0.0, start, []
    for pause in pauses:
        now += pause
        later = rate.take(full_at, now)
        if later is not None:
            full_at = later
            taken.append(now)

    for index, begin in enumerate(taken):
        for end_index in range(index, len(taken)):
            allowed = per_second * (seconds + taken[end_index] - begin)
            assert end_index - index + 1 <= allowed + 1


@given(st.integers(1, 50), st.integers(1, 10))
def test_a_full_bucket_gives_exactly_its_burst_and_is_full_again_later(per_second, seconds):
    rate, full_at, given_out = Rate(per_second, per_second * seconds), 0.0, 0
    while (later := rate.take(full_at, 1000.0)) is not None:
        full_at = later
        given_out += 1

    assert given_out == per_second * seconds
    assert rate.take(full_at, 1000.0 + seconds, per_second * seconds) is not None


def test_a_budget_remembers_the_first_limit_that_was_passed():
    budget = Budget(Pace(bytes=Rate(10, 100), messages=Rate(1, 2)))
    budget.read(100, 0.0)
    budget.message(0.0)
    budget.mistake(0.0)  # no limit
    assert budget.exceeded is None

    budget.read(1, 0.0)
    for _ in range(3):
        budget.message(0.0)

    assert budget.exceeded is Use.BYTES


def test_an_address_has_so_many_connections_and_gets_its_place_back():
    addresses = Addresses(connections=2, handshakes=None)
    for _ in range(2):
        assert addresses.arrive("a", 0.0)
        addresses.enter("a")

    assert not addresses.arrive("a", 0.0)
    assert addresses.arrive("b", 0.0)
    addresses.leave("a")
    assert addresses.arrive("a", 0.0)


def test_a_flood_from_ever_new_addresses_is_remembered_only_so_far():
    addresses = Addresses(connections=10, handshakes=Rate(1, 1), remembered=100)
    for number in range(10_000):
        assert addresses.arrive(f"10.{number}", 0.0)
        addresses.enter(f"10.{number}")
        addresses.leave(f"10.{number}")

    assert len(addresses) == 100
    assert not addresses.arrive("10.9999", 0.0)
