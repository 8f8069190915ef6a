"""`python -m notifier doctor`."""

import asyncio
from datetime import UTC, datetime

from contracts.tokens import PublicKey
from notifier import doctor
from notifier.main import read
from notifier.settings import DatabaseSettings, Settings
from runtime.doctor import bounded, configuration, findings, proxies, secrecy, versions
from runtime.doctor.findings import Report


def run(process: str, *, as_json: bool) -> int:
    """Print what a process lacks, and return the exit code."""
    report = examine(process)
    read.write(report.to_json() if as_json else findings.text(report))
    return findings.exit_code([report])


def examine(process: str) -> Report:
    """Look at what a process needs."""
    report = Report(f"notifier {process}")
    versions.examine(report, doctor.PACKAGE)
    if process == "migrate":
        database = configuration.examine(report, DatabaseSettings)
        if database is not None:
            url = database.database_url.get_secret_value()
            secrecy.examine(report, {"the password in NOTIFIER_DATABASE_URL": _password(url)})
            bounded.examine(
                report, {"database": lambda part: doctor.examine_database(part, url, "notifier_owner", _now)}
            )
        return report
    settings = configuration.examine(report, Settings)
    if settings is not None:
        urls = settings.database_url, settings.writer_database_url, settings.nats_url
        app, writer, nats = (url.get_secret_value() for url in urls)
        secrets = {
            "the password in NOTIFIER_DATABASE_URL": _password(app),
            "the password in NOTIFIER_WRITER_DATABASE_URL": _password(writer),
            "the password in NOTIFIER_NATS_URL": _password(nats),
        }
        secrecy.examine(report, secrets)
        kid = PublicKey.of(settings.jwt_public_key).kid
        report.fingerprints |= {"key of access tokens": kid, f"app id {settings.pusher_app_id}": ""}
        proxies.examine(report, settings, "NOTIFIER_", is_behind_proxy=bool(settings.root_path))
        bounded.examine(
            report,
            {
                "database": lambda part: doctor.examine_database(part, app, "notifier_app", _now),
                "writer's database": lambda part: doctor.examine_database(part, writer, "notifier_writer", _now),
                "nats": lambda part: asyncio.run(doctor.examine_nats(part, nats, _now)),
            },
        )
    return report


def _password(url: str) -> tuple[str, int]:
    return secrecy.password_of(url), secrecy.SHORTEST_PASSWORD


def _now() -> datetime:
    return datetime.now(UTC)
