"""`python -m leads doctor`."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Final

from contracts.tokens import PrivateKey
from leads import doctor
from leads.settings import ApiSettings, MigrateSettings, RelaySettings, WorkerSettings
from runtime.doctor import bounded, configuration, proxies, secrecy, versions
from runtime.doctor.findings import Report, exit_code, text
from runtime.doctor.secrecy import SHORTEST_PASSWORD, fingerprint, password_of

_DATABASE: Final = "the password in LEADS_DATABASE_URL"


def run(process: str, *, as_json: bool) -> None:
    report = Report(f"leads {process}")
    versions.examine(report, doctor.PACKAGE)
    match process:
        case "api":
            _api(report)
        case "relay":
            _relay(report)
        case "worker":
            _worker(report)
        case _:
            _migrate(report)
    print(report.to_json() if as_json else text(report))  # noqa: T201 - this is its answer
    raise SystemExit(exit_code([report]))


def _api(report: Report) -> None:
    settings = configuration.examine(report, ApiSettings)
    if settings is None:
        return
    database_url, nats_url = settings.database_url.get_secret_value(), settings.nats_url.get_secret_value()
    app_secret = settings.pusher_app_secret.get_secret_value()
    secrets = _passwords(database_url, nats_url)
    secrets |= {"LEADS_PUSHER_APP_SECRET": (app_secret, SHORTEST_PASSWORD)}
    secrecy.examine(report, secrets)
    report.fingerprints["key of access tokens"] = PrivateKey.of(settings.jwt_private_key.get_secret_value()).public.kid
    report.fingerprints[f"app key {settings.pusher_app_key}"] = fingerprint(app_secret)
    proxies.examine(report, settings, "LEADS_", is_behind_proxy=bool(settings.root_path))
    _dependencies(report, database_url, "leads_app", lambda part: doctor.examine_nats(part, nats_url, doctor.API))


def _relay(report: Report) -> None:
    settings = configuration.examine(report, RelaySettings)
    if settings is None:
        return
    database_url, nats_url = settings.database_url.get_secret_value(), settings.nats_url.get_secret_value()
    secrecy.examine(report, _passwords(database_url, nats_url))
    _dependencies(report, database_url, "leads_relay", lambda part: doctor.examine_nats(part, nats_url, doctor.RELAY))


def _worker(report: Report) -> None:
    settings = configuration.examine(report, WorkerSettings)
    if settings is None:
        return
    database_url = settings.database_url.get_secret_value()
    secrecy.examine(report, {_DATABASE: (password_of(database_url), SHORTEST_PASSWORD)})
    _dependencies(report, database_url, "leads_app")


def _migrate(report: Report) -> None:
    settings = configuration.examine(report, MigrateSettings)
    if settings is None:
        return
    database_url, nats_url = settings.database_url.get_secret_value(), settings.nats_url.get_secret_value()
    secrecy.examine(report, _passwords(database_url, nats_url))

    async def streams(part: Report) -> None:
        await doctor.examine_streams(
            part, nats_url, replicas=settings.stream_replicas, listeners=settings.listeners, clock=_now
        )

    _dependencies(report, database_url, "leads_owner", streams)


def _dependencies(
    report: Report, database_url: str, role: str, nats: Callable[[Report], Coroutine[None, None, None]] | None = None
) -> None:
    parts: dict[str, bounded.Part] = {"database": lambda part: doctor.examine_database(part, database_url, role, _now)}
    if nats is not None:
        parts["nats"] = lambda part: asyncio.run(nats(part))
    bounded.examine(report, parts)


def _passwords(database_url: str, nats_url: str) -> dict[str, tuple[str, int]]:
    return {
        _DATABASE: (password_of(database_url), SHORTEST_PASSWORD),
        "the password in LEADS_NATS_URL": (password_of(nats_url), SHORTEST_PASSWORD),
    }


def _now() -> datetime:
    return datetime.now(UTC)
