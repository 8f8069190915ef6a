"""Whether a process can tell its clients apart."""

from ipaddress import IPv4Network, IPv6Network
from typing import Final

from runtime.doctor.findings import Report, Severity
from runtime.server.settings import HttpSettings

_FIX: Final = "docs/operations.md#limits-of-http"
_NARROWEST: Final = {4: 8, 6: 7}  # bits of the widest private networks: 10.0.0.0/8, fc00::/7


def examine(report: Report, settings: HttpSettings, prefix: str, *, is_behind_proxy: bool) -> None:
    """Report whether forwarded addresses are believed from the proxies in front, and from nobody else.

    Args:
        report: where to.
        settings: of the process.
        prefix: of its variables, such as `LEADS_`.
        is_behind_proxy: whether its other settings show that a proxy is in front of it.
    """
    variable = f"{prefix}TRUSTED_PROXIES"
    problems: list[tuple[Severity, str, str]] = [
        ("error", f"{variable}: {network} lets anybody choose the address under which limits count them", _FIX)
        for network in settings.trusted_proxies
        if _is_too_wide(network)
    ]
    if is_behind_proxy and not settings.trusted_proxies:
        what = f"{variable} is empty, though a proxy is in front: limits count all clients as one"
        problems.append(("error", what, _FIX))
    report.settle("proxies", problems, f"{len(settings.trusted_proxies)} networks of proxies are trusted")


def _is_too_wide(network: IPv4Network | IPv6Network) -> bool:
    return network.prefixlen < _NARROWEST[network.version]
