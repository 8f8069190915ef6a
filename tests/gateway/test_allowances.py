"""Buckets, addresses and proxies: the arithmetic of protection, without sockets."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pusher.addresses import Addresses, household
from gateway.pusher.allowance import Rate
from gateway.pusher.budget import Budget, Pace, Use
from gateway.pusher.proxies import Proxies

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


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


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_one_customer_of_a_provider_is_one_address(address, counted_as):
    assert household(address) == counted_as


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


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # what the client wrote itself stands before
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["garbage"], "garbage"),
        ("10.0.0.1", [" , "], "10.0.0.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_client_is_the_nearest_one_that_is_no_trusted_proxy(peer, forwarded_for, client):
    assert PROXIES.client(peer, forwarded_for) == client


@given(st.text(), st.lists(st.text()))
def test_an_untrusted_peer_says_nothing_about_its_address(peer, forwarded_for):
    assert Proxies().client(peer, forwarded_for) == peer
    assert isinstance(PROXIES.client("10.0.0.1", forwarded_for), str)


@pytest.mark.parametrize(
    ("peer", "proto", "encrypted", "secure"),
    [
        ("192.0.2.1", [], True, True),
        ("192.0.2.1", ["https"], False, False),
        ("192.0.2.1", ["http"], True, True),
        ("10.0.0.1", ["https"], False, True),
        ("10.0.0.1", ["wss"], False, True),
        ("10.0.0.1", ["http"], True, False),
        ("10.0.0.1", ["https, http"], False, False),
        ("10.0.0.1", [], False, False),
    ],
)
def test_only_a_trusted_proxy_tells_whether_the_client_is_encrypted(peer, proto, encrypted, secure):
    assert PROXIES.secure(peer, proto, encrypted=encrypted) is secure
