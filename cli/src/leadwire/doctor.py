"""`leadwire doctor`: what every process finds with its own credentials, and what this machine shows besides."""

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import httpx

from leadwire import postgres, running
from leadwire.progress import complain, say
from leadwire.running import PATIENCE, Member
from leadwire.state import Snapshot, StateDirectory
from leadwire.topology import Endpoint
from runtime.doctor import certificates
from runtime.doctor.findings import Report, disagreements, exit_code, summary, text

_GIB: Final = 1 << 30
_FEW: Final = 5  # restarts
_PATIENCE: Final = 3.0  # seconds for the answer of a probe, or of a TLS port
_FULL: Final = "docs/capacity.md#disk"

Style = Literal["json", "everything", "summary"]
Usage = Callable[[Path], tuple[int, int]]
"""(all bytes, free bytes) of the file system that holds a path."""


def doctor(state: StateDirectory, *, reports: Sequence[Path], tls: Sequence[Endpoint], style: Style) -> int:
    """Print what is found, and return the exit code.

    Args:
        state: whose stack is looked at, unless there are reports.
        reports: files with what processes elsewhere have found.
        tls: ports whose certificate is looked at.
        style: how it is printed.
    """
    try:
        found = [Report.from_json(path.read_bytes()) for path in reports] if reports else examine(state)
    except (OSError, ValueError) as error:
        complain(f"{error}: what `doctor --json` of a process wrote is needed")
        return 1
    found += [_certificate(endpoint) for endpoint in tls]
    together = Report("together")
    together.findings += disagreements(found)
    if not together.findings:
        together.fine("agreement", "no two processes hold different secrets or apps")
    found.append(together)
    match style:
        case "json":
            say(json.dumps([asdict(report) for report in found], indent=2))
        case "everything":
            say("\n\n".join(map(text, found)))
        case "summary":
            say("\n".join(map(summary, found)))
    return exit_code(found)


def examine(state: StateDirectory) -> list[Report]:
    """Look at the stack of a state directory."""
    host = Report("this machine")
    members, snapshot = running.members(state), state.snapshot()
    if not members or snapshot is None:
        host.fail("processes", "Leadwire is not running", "./leadwire up")
        return [host]
    _examine_processes(host, snapshot)
    _examine_files(host, state)
    for place in (state.path, postgres.place(state.postgres).data):
        examine_disk(host, place, _usage)
    return [host, *asyncio.run(_ask(members))]


async def _ask(members: Sequence[Member]) -> list[Report]:
    async def ask(member: Member) -> Report:
        code, answer = await member.ask("doctor")
        try:
            return Report.from_json(answer)
        except ValueError:
            report = Report(member.name)
            what = f"no answer within {PATIENCE:.0f} s" if code < 0 else f"ended with exit code {code} and no report"
            report.fail("doctor", what, "./leadwire logs")
            return report

    return list(await asyncio.gather(*map(ask, members)))


def examine_disk(report: Report, place: Path, usage: Usage, *, wanted: int = _GIB) -> None:
    """Report whether the file system of a path has room for what its servers may still store."""
    most, free = usage(place)
    what = f"{free / _GIB:.1f} of {most / _GIB:.1f} GiB are free below {place}"
    if free < wanted // 4:
        report.fail("disk", what, _FULL)
    elif free < wanted:
        report.warn("disk", what, _FULL)
    else:
        report.fine("disk", what)


def _usage(place: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(place)
    return usage.total, usage.free


def _examine_processes(report: Report, snapshot: Snapshot) -> None:
    healths = [process.health for process in snapshot.processes if process.health]
    with ThreadPoolExecutor(len(healths) or 1) as side_by_side:
        reasons = dict(zip(healths, side_by_side.map(_not_ready, healths), strict=True))
    for process in snapshot.processes:
        if process.restarts > _FEW:
            what = f"{process.name} was started again {process.restarts} times"
            report.warn("processes", what, f"./leadwire logs {process.name} -n 100")
        if process.pid is None:
            report.fail("processes", f"{process.name} does not run", f"./leadwire logs {process.name} -n 100")
        elif reason := reasons.get(process.health, ""):
            report.fail("processes", f"{process.name}: {reason}", f"./leadwire logs {process.name} -n 100")
    if not any(finding.severity == "error" for finding in report.findings):
        report.fine("processes", f"{len(snapshot.processes)} run and are ready")


def _not_ready(health: str) -> str:
    """Return why a process is not ready; empty when it is."""
    try:
        answer = httpx.get(health, timeout=_PATIENCE)
        checks = answer.json().get("checks", {})
    except httpx.TransportError as error:
        return f"does not answer ({type(error).__name__})"
    except ValueError:
        return "its /readyz is not JSON"
    return "" if answer.is_success else "; ".join(f"{name}: {why}" for name, why in checks.items() if why != "ok")


def _examine_files(report: Report, state: StateDirectory) -> None:
    private = (state.credentials, state.environment, state.apps)
    open_to_others = [path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in open_to_others:
        report.fail("files", f"others may read {path}", f"chmod 600 {path}")
    if not open_to_others:
        report.fine("files", "nobody else may read the secrets")


def _certificate(endpoint: Endpoint) -> Report:
    """Look at the certificate that a port shows, whoever signed it."""
    name = f"{endpoint.host}:{endpoint.port}"
    report = Report(f"certificate of {name}")
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    fix = "docs/operations/secrets.md#tls-certificate"
    try:
        with _tls(endpoint, anyone) as connection:
            shown = connection.getpeercert(binary_form=True)
    except OSError as error:
        report.fail("certificate", f"{name}: {error.strerror or error}", fix)
        return report
    certificates.examine(report, name, [shown or b""], now=datetime.now(UTC), fix=fix)
    try:
        with _tls(endpoint, ssl.create_default_context()):
            pass
    except ssl.SSLCertVerificationError as error:
        report.warn("certificate", f"{name}: this machine does not trust it: {error.verify_message}", fix)
    return report


@contextlib.contextmanager
def _tls(endpoint: Endpoint, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((endpoint.host, endpoint.port), timeout=_PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=endpoint.host) as connection,
    ):
        yield connection
