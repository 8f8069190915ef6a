"""Who the client is: behind proxies, and in a network of its own."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.server.addresses import client_network
from runtime.server.proxies import TrustedProxies

PROXIES = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


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
    assert client_network(address) == counted_as


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
        ("10.0.0.1", ["garbage"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:DB8:0::1"], "2001:db8::1"),
        ("10.0.0.1", [" , "], "10.0.0.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_client_is_the_nearest_one_that_is_no_trusted_proxy(peer, forwarded_for, client):
    assert PROXIES.client(peer, forwarded_for) == client


@given(st.text(), st.lists(st.text()))
def test_an_untrusted_peer_says_nothing_about_its_address(peer, forwarded_for):
    assert TrustedProxies().client(peer, forwarded_for) == peer
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
