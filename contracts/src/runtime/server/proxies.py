"""The client behind trusted proxies. What anybody else writes into `X-Forwarded-For` or `-Proto` is ignored."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network


class TrustedProxies:
    """The networks of proxies whose forwarded headers count."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def trust(self, address: str) -> bool:
        """Whether this is a proxy of ours."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)

    def client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Return the client's address: the nearest one that is not a trusted proxy.

        Args:
            peer: who is connected to us.
            forwarded_for: the values of `X-Forwarded-For`; each proxy appends the address of its peer. What is no
                address (`unknown`, `_hidden`: RFC 7239 §6) tells nothing: the hop after it counts.
        """
        address = peer
        for hop in reversed(_items(forwarded_for)):
            if not self.trust(address) or (parsed := _address(hop)) is None:
                break
            address = parsed
        return address

    def secure(self, peer: str, forwarded_proto: Sequence[str], *, encrypted: bool) -> bool:
        """Whether every hop is encrypted as far as we know.

        Args:
            peer: who is connected to us.
            forwarded_proto: the values of `X-Forwarded-Proto`.
            encrypted: whether the connection to us is; what a trusted proxy says of the client's counts instead.
        """
        hops = _items(forwarded_proto)
        if not hops or not self.trust(peer):
            return encrypted
        return all(hop.lower() in {"https", "wss"} for hop in hops)


def _address(hop: str) -> str | None:
    """Return the address of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`."""
    host = hop.partition(":")[0] if hop.count(":") == 1 else hop
    if hop.startswith("["):
        host = hop[1:].partition("]")[0]
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _items(values: Sequence[str]) -> list[str]:
    return [item for value in values for part in value.split(",") if (item := part.strip())]
