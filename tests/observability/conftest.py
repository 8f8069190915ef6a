"""One running stack that every test of this folder looks into; none of them changes what another one sees."""

from collections.abc import Iterator

import pytest

from leadwire.credentials import Credentials
from leadwire.topology import WORKER
from support.choice import choose
from support.collector import Collector, collecting
from support.databases import Database, cloned
from support.stack import Company, Stack, running


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """Return where the stack's traces go."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="package")
def watched(
    collector: Collector,
    credentials: Credentials,
    _notifier_template: Database,
    _companies: tuple[Database, tuple[Company, Company]],
) -> Iterator[Stack]:
    """Return a stack for all tests of the package."""
    template, companies = _companies
    nats, environment = choose().nats(credentials), pytest.MonkeyPatch()
    try:
        nats.start()
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", "X-Tenant=leadwire")
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")  # milliseconds
        nats.ensure_streams()
        with (
            cloned(template) as leads_database,
            cloned(_notifier_template) as notifier_database,
            running(nats, leads_database, notifier_database, companies) as stack,
        ):
            stack.start(WORKER)
            stack.wait_until_ready(WORKER)
            environment.undo()
            yield stack
    finally:
        environment.undo()
        nats.close()
