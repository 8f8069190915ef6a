"""What holds for every test: the shared fixtures, and that a skipped test is a failure in CI."""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["support.fixtures"]

_IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# How long an example takes says how busy the machine is; what must not take long is for bench.
settings.register_profile("leadwire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leadwire")


def _skipped(config: pytest.Config) -> list[pytest.TestReport]:
    reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
    return reporter.stats.get("skipped", []) if _IN_CI and reporter is not None else []  # a worker reports nothing


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if skipped := _skipped(config):
        terminalreporter.section("Skipped, which is a failure in CI", red=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {report.longrepr[2]}")
