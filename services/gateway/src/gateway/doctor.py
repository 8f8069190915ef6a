"""What a gateway sees with its own credentials, and what of it is wrong."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from contracts import streams
from gateway import apps
from gateway.apps import AppsFileError
from gateway.tls import Tls
from runtime.doctor import broker, certificates, secrecy
from runtime.doctor.broker import Rights
from runtime.doctor.findings import Report

PACKAGE: Final = "leadwire-gateway"
_RENEW: Final = "docs/operations/secrets.md#tls-certificate"
RIGHTS: Final = Rights(
    store=("push.doctor.probe", "state.doctor.probe", "webhook.doctor"),
    publish=("live.doctor.probe",),
    hear=("live.doctor.probe", "roster.doctor.>", "gateway.ask.doctor"),
    never_publish=("crm.doctor.probe", "dead.doctor", "$JS.API.STREAM.DELETE.doctor"),
    never_hear=(">", "crm.>", "push.>"),
)


def examine_apps(report: Report, path: Path) -> None:
    """Report whether the apps file can be used, and whether its secrets are any."""
    try:
        found = list(apps.load(path))
    except AppsFileError as error:
        report.fail("apps", f"GATEWAY_APPS_FILE: {error}", "docs/gateway.md")
        return
    report.fine("apps", f"{len(found)} in the apps file")
    secrets = {f"the secret of app {app.id}": (app.secret, secrecy.SHORTEST_PASSWORD) for app in found}
    secrecy.examine(report, secrets)
    report.knows_apps()
    for app in found:
        report.fingerprints |= {f"app id {app.id}": "", f"app key {app.key}": secrecy.fingerprint(app.secret)}


def examine_certificate(report: Report, certificate: Path, key: Path | None, *, now: datetime) -> None:
    """Report whether the certificate and key fit together, and until when it is valid."""
    try:
        Tls(certificate, key)
        chain = certificates.of_file(certificate)
    except (OSError, ValueError) as error:  # ssl's own too
        report.fail("certificate", f"GATEWAY_TLS_CERT, GATEWAY_TLS_KEY: {error}", _RENEW)
        return
    certificates.examine(report, "GATEWAY_TLS_CERT", chain, now=now, fix=_RENEW)


async def examine_nats(report: Report, url: str, clock: Callable[[], datetime]) -> None:
    """Report whether NATS lets a gateway do what it must, and how its streams and its consumer are."""
    async with broker.connected(report, url, report.process) as session:
        if session is None:
            return
        await broker.examine_rights(report, session, RIGHTS)
        await broker.examine_clock(report, session, f"$JS.API.STREAM.INFO.{streams.PUSH}", clock)
        await broker.examine_streams(report, session, [streams.PUSH, streams.STATE])
        own = [(stream, consumer) for stream, consumer in streams.CONSUMERS if consumer.durable_name == streams.SENDER]
        await broker.examine_consumers(report, session, own)
