"""`python -m gateway doctor`."""

import asyncio
from datetime import UTC, datetime

from gateway import doctor
from gateway.settings import Settings
from runtime.doctor import bounded, configuration, findings, proxies, secrecy, versions
from runtime.doctor.findings import Report


def run(*, as_json: bool) -> int:
    """Print what a gateway lacks, and return the exit code."""
    report = examine()
    print(report.to_json() if as_json else findings.text(report))  # noqa: T201 - this is its answer
    return findings.exit_code([report])


def examine() -> Report:
    """Look at what a gateway needs."""
    report = Report("gateway serve")
    versions.examine(report, doctor.PACKAGE)
    settings = configuration.examine(report, Settings)
    if settings is not None:
        nats_url = settings.nats_url.get_secret_value()
        password = secrecy.password_of(nats_url), secrecy.SHORTEST_PASSWORD
        secrecy.examine(report, {"the password in GATEWAY_NATS_URL": password})
        # Browsers reach the API at the gateway's own address: then something in front tells them apart.
        proxies.examine(report, settings, "GATEWAY_", is_behind_proxy=settings.web_api_url.startswith("/"))
        doctor.examine_apps(report, settings.apps_file)
        if settings.tls_cert is not None:
            doctor.examine_certificate(report, settings.tls_cert, settings.tls_key, now=_now())
        bounded.examine(report, {"nats": lambda part: asyncio.run(doctor.examine_nats(part, nats_url, _now))})
    return report


def _now() -> datetime:
    return datetime.now(UTC)
