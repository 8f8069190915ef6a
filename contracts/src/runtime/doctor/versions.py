"""What runs here."""

import platform
from importlib.metadata import version
from typing import Final

from runtime.doctor.findings import Report

_CONTRACTS: Final = "leadwire-contracts"


def examine(report: Report, package: str) -> None:
    """Report Python's version, the service's and that of what it shares with the others."""
    own, shared = version(package), version(_CONTRACTS)
    report.settle(
        "versions",
        [("error", f"{package} {own} with {_CONTRACTS} {shared}", "install both of one release")]
        if own != shared
        else [],
        f"Leadwire {own}, Python {platform.python_version()}",
    )
