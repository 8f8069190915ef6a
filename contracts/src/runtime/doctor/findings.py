"""What a doctor found: how bad, what, and what to do about it; as text for a person, as JSON for a program."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

Severity: TypeAlias = Literal["ok", "warning", "error"]
MIGRATE: Final = "./leadwire migrate (in containers: docs/operations.md#the-migrate-step)"
"""The fix for a table, stream or consumer that is missing, or is not as this release declares it."""
_APPS: Final = "apps"
_SIGNS: Final[Mapping[str, str]] = {"ok": "✓", "warning": "!", "error": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    severity: Severity
    check: str
    """What was looked at, such as `streams`."""
    what: str
    """One sentence; names and numbers, no secrets and no personal data."""
    fix: str = ""
    """A command, or a heading of the runbook; empty when there is nothing to do."""


@dataclass(slots=True)
class Report:
    """What the doctor of one process found."""

    process: str
    findings: list[Finding] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)
    """Of what other processes must have, too: alike when the secrets are. `app id …` and `app key …` name apps."""

    def fine(self, check: str, what: str) -> None:
        """Say that this is as it should be."""
        self.findings.append(Finding("ok", check, what))

    def warn(self, check: str, what: str, fix: str) -> None:
        """Say what will become a failure, or is one that nobody feels yet."""
        self.findings.append(Finding("warning", check, what, fix))

    def fail(self, check: str, what: str, fix: str) -> None:
        """Say what does not work."""
        self.findings.append(Finding("error", check, what, fix))

    def settle(self, check: str, problems: Iterable[tuple[Severity, str, str]], fine: str) -> None:
        """Report problems, or that there are none."""
        found = [Finding(severity, check, what, fix) for severity, what, fix in problems]
        self.findings += found or [Finding("ok", check, fine)]

    def knows_apps(self) -> None:
        """Say that the apps among the fingerprints are all that there are."""
        self.fingerprints[_APPS] = ""

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Report":
        """Return a report that another process printed.

        Raises:
            ValueError: it is none.
        """
        try:
            known: dict[str, Any] = json.loads(text)
            findings = [Finding(**finding) for finding in known["findings"]]
            return cls(str(known["process"]), findings, dict(known["fingerprints"]))
        except (KeyError, TypeError) as error:
            raise ValueError("not the report of a doctor") from error


def text(report: Report) -> str:
    """Return a report as a person reads it."""
    width = max((len(finding.check) for finding in report.findings), default=0)
    lines = [report.process]
    for finding in report.findings:
        lines.append(f"  {_SIGNS[finding.severity]} {finding.check:<{width}}  {finding.what}")
        if finding.fix:
            lines.append(f"    {'':<{width}}  → {finding.fix}")
    return "\n".join(lines)


def summary(report: Report) -> str:
    """Return what is wrong, or in one line that nothing is."""
    wrong = [finding for finding in report.findings if finding.severity != "ok"]
    fine = len(report.findings) - len(wrong)
    if not wrong:
        return f"✓ {report.process}: {fine} things are as they should be"
    return text(
        replace(report, process=f"✗ {report.process}: {fine} things are as they should be, but", findings=wrong)
    )


def exit_code(reports: Sequence[Report]) -> int:
    """Return 1 when something does not work, else 0: a warning leaves time."""
    return int(any(finding.severity == "error" for report in reports for finding in report.findings))


def disagreements(reports: Sequence[Report]) -> list[Finding]:
    """Return what processes hold differently that must be the same, and apps that no gateway knows."""
    fix = "docs/operations/secrets.md"
    found = []
    for name in sorted({name for report in reports for name in report.fingerprints}):
        holders = {report.process: report.fingerprints[name] for report in reports if name in report.fingerprints}
        if len(set(holders.values())) > 1:
            found.append(Finding("error", "agreement", f"{name} differs between {', '.join(holders)}", fix))
        gateways = [report.process for report in reports if _APPS in report.fingerprints]
        if name.startswith("app ") and gateways and not any(gateway in holders for gateway in gateways):
            found.append(
                Finding("error", "agreement", f"{name} of {', '.join(holders)} is in no gateway's apps file", fix)
            )
    return found
