"""The fixtures of this package, as a pytest plugin; tests/conftest.py loads it."""

import copy
import subprocess
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from leadwire import paths, postgres
from leadwire.credentials import SUPERUSER, Credentials
from leadwire.ports import LOOPBACK
from leadwire.topology import Endpoint, Topology
from support import leftovers, logs
from support import stack as stacks
from support.choice import Servers, choose
from support.databases import Database, cloned, run
from support.faults import FaultProxy, fault_proxy
from support.servers import NatsServer, PostgresServer
from support.stack import Company, Stack, running

_servers = pytest.StashKey[Servers]()
_watched = pytest.StashKey[tuple[str, subprocess.Popen[bytes]]]()
_left = pytest.StashKey[list[str]]()
LEFT = "left behind"
"""The key under which a worker reports the processes that its tests left behind."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_servers] = choose()


def pytest_report_header(config: pytest.Config) -> str:
    return f"servers: {config.stash[_servers].kind} (PostgreSQL, NATS)"


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_left] = []
    if _runs_tests(session.config):
        mark = leftovers.mark_session()
        session.stash[_watched] = mark, leftovers.watch(mark)


@pytest.hookimpl(trylast=True)  # after the last fixtures are gone
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if _runs_tests(config):
        mark, watcher = session.stash[_watched]
        _gone, left = psutil.wait_procs(leftovers.of_session(mark), timeout=3)
        config.stash[_left] = [leftovers.describe(process) for process in left]
        watcher.communicate()  # it kills them
    if (output := getattr(config, "workeroutput", None)) is not None:
        output[LEFT] = config.stash[_left]
    elif config.stash[_left]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist found at its end."""
    node.config.stash[_left] += getattr(node, "workeroutput", {}).get(LEFT, [])


def _runs_tests(config: pytest.Config) -> bool:
    """Whether tests run in this process: everywhere but where pytest-xdist hands them out to workers."""
    return config.getoption("dist", "no") == "no" or hasattr(config, "workerinput")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left := config.stash.get(_left, []):
        terminalreporter.section("Processes left behind by tests", red=True)
        for line in left:
            terminalreporter.line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections.extend(logs.sections(report.nodeid))
    return report


@pytest.fixture(scope="session")
def credentials() -> Credentials:
    return Credentials()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config, credentials: Credentials) -> Iterator[PostgresServer]:
    with pytestconfig.stash[_servers].postgres(credentials) as server:
        passwords = {role: password for role, password in credentials.postgres.items() if role != SUPERUSER}
        postgres.apply_roles(server.url(), passwords)
        yield server


@pytest.fixture(scope="session")
def nats_server(pytestconfig: pytest.Config, credentials: Credentials) -> Iterator[NatsServer]:
    server = pytestconfig.stash[_servers].nats(credentials)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def new_nats(pytestconfig: pytest.Config, credentials: Credentials) -> Iterator[Callable[..., NatsServer]]:
    started: list[NatsServer] = []

    def new(configuration: Path = paths.NATS_CONFIG) -> NatsServer:
        server = pytestconfig.stash[_servers].nats(credentials, configuration)
        started.append(server)
        server.start()
        return server

    yield new
    for server in started:
        server.close()


@pytest.fixture
def nats(new_nats: Callable[..., NatsServer]) -> NatsServer:
    server = new_nats()
    server.ensure_streams()
    return server


@pytest.fixture(scope="session")
def _templates(postgres_server: PostgresServer, nats_server: NatsServer) -> Iterator[Topology]:
    """A stack that never runs: it migrates the databases which the tests' databases are cloned from."""
    nowhere = [Endpoint(LOOPBACK, 0)] * stacks.SERVICES
    leads, notifier = Database(postgres_server, "leads"), Database(postgres_server, "notifier")
    with cloned(leads, "leads_template") as leads, cloned(notifier, "notifier_template") as notifier:
        yield stacks.plan(postgres_server, nats_server, nowhere, Path(), (leads.name, notifier.name))


@pytest.fixture(scope="session")
def _leads_template(_templates: Topology, postgres_server: PostgresServer) -> Database:
    run(_templates.migrate_leads())
    return Database(postgres_server, _templates.leads_database)


@pytest.fixture(scope="session")
def _notifier_template(_templates: Topology, postgres_server: PostgresServer) -> Database:
    run(_templates.migrate_notifier())
    return Database(postgres_server, _templates.notifier_database)


@pytest.fixture(scope="session")
def _companies(_templates: Topology, _leads_template: Database) -> Iterator[tuple[Database, tuple[Company, Company]]]:
    """A database in which two companies exist."""
    with cloned(_leads_template, "leads_companies") as database:
        topology = replace(_templates, leads_database=database.name)
        acme, globex = (stacks.provision(topology, name, str(uuid.uuid4())) for name in ("Acme", "Globex"))
        yield database, (acme, globex)


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[Database]:
    with cloned(Database(postgres_server, "leads")) as database:
        yield database


@pytest.fixture
def leads_database(_leads_template: Database) -> Iterator[Database]:
    with cloned(_leads_template) as database:
        yield database


@pytest.fixture
def notifier_database(_notifier_template: Database) -> Iterator[Database]:
    with cloned(_notifier_template) as database:
        yield database


@pytest.fixture
def stack(
    nats: NatsServer, notifier_database: Database, _companies: tuple[Database, tuple[Company, Company]]
) -> Iterator[Stack]:
    template, companies = _companies
    with cloned(template) as leads_database, running(nats, leads_database, notifier_database, companies) as stack:
        yield stack


@dataclass(frozen=True)
class BehindProxies:
    """A stack whose processes reach NATS and PostgreSQL through proxies that misbehave when they are told to."""

    stack: Stack
    nats: FaultProxy
    postgres: FaultProxy


@pytest.fixture
def behind_proxies(
    nats: NatsServer, notifier_database: Database, _companies: tuple[Database, tuple[Company, Company]]
) -> Iterator[BehindProxies]:
    template, companies = _companies
    with (
        fault_proxy(nats.port) as to_nats,
        fault_proxy(template.server.port) as to_postgres,
        cloned(template) as leads_database,
    ):
        there, through = copy.copy(nats), copy.copy(template.server)
        there.port, through.port = to_nats.port, to_postgres.port
        leads, notifier = (Database(through, one.name) for one in (leads_database, notifier_database))
        with running(there, leads, notifier, companies) as stack:
            yield BehindProxies(stack, to_nats, to_postgres)


class WarmStack:
    """A running stack that one test after the other is given, each with companies of its own.

    A test that stopped or replaced a process leaves it cold: the next test gets a new one.
    """

    def __init__(self, start: Callable[[], AbstractContextManager[tuple[Stack, Database]]]) -> None:
        self._start = start
        self._open = ExitStack()
        self._running: tuple[Stack, Database] | None = None
        self._instances: dict[str, int | None] = {}

    def take(self) -> Stack:
        if self._running is None or self._running[0].instances != self._instances:
            self.close()
            self._running = self._open.enter_context(self._start())
            self._instances = self._running[0].instances
        stack, database = self._running
        stack.adopt(*(stacks.provision_here(stack.topology, database, name) for name in ("Acme", "Globex")))
        return stack

    def close(self) -> None:
        self._running = None
        self._open.close()


@pytest.fixture(scope="module")
def _warm(
    pytestconfig: pytest.Config,
    credentials: Credentials,
    _leads_template: Database,
    _notifier_template: Database,
    _companies: tuple[Database, tuple[Company, Company]],
) -> Iterator[WarmStack]:
    template, companies = _companies

    @contextmanager
    def start() -> Iterator[tuple[Stack, Database]]:
        nats = pytestconfig.stash[_servers].nats(credentials)
        try:
            nats.start()
            nats.ensure_streams()
            with (
                cloned(template) as leads,
                cloned(_notifier_template) as notifier,
                running(nats, leads, notifier, companies) as stack,
            ):
                yield stack, leads
        finally:
            nats.close()

    warm = WarmStack(start)
    try:
        yield warm
    finally:
        warm.close()


@pytest.fixture
def warm_stack(_warm: WarmStack) -> Stack:
    """A stack that has served other tests of the module, with two companies that are new."""
    return _warm.take()


@pytest.fixture(scope="module")
def shared_stack(
    pytestconfig: pytest.Config,
    credentials: Credentials,
    _notifier_template: Database,
    _companies: tuple[Database, tuple[Company, Company]],
) -> Iterator[Stack]:
    """One for all tests of a module, which must not mind what the others left."""
    template, companies = _companies
    nats = pytestconfig.stash[_servers].nats(credentials)
    try:
        nats.start()
        nats.ensure_streams()
        with (
            cloned(template) as leads,
            cloned(_notifier_template) as notifier,
            running(nats, leads, notifier, companies) as stack,
        ):
            yield stack
    finally:
        nats.close()
