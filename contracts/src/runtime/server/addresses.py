"""What counts as one client."""

from ipaddress import IPv6Address, ip_address
from typing import Final

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that a provider assigns to one customer (RFC 6177)."""


def client_network(address: str) -> str:
    """Return what limits count as one client: an IPv4 address, or the /64 network of an IPv6 address.

    An IPv4-mapped IPv6 address counts as its IPv4 address; anything else is returned as it is.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    rest = 128 - IPV6_PREFIX
    return f"{IPv6Address(int(parsed) >> rest << rest)}/{IPV6_PREFIX}"
