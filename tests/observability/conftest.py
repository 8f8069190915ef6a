"""One running stack that every test of this folder looks into; none of them changes what another one sees."""

from collections.abc import Iterator

import pytest

from leadwire.credentials import Credentials
from support.choice import choose
from support.databases import Database, cloned
from support.stack import Company, Stack, running


@pytest.fixture(scope="package")
def watched(
    credentials: Credentials,
    _notifier_template: Database,
    _companies: tuple[Database, tuple[Company, Company]],
) -> Iterator[Stack]:
    """Return a stack for all tests of the package."""
    template, companies = _companies
    nats = choose().nats(credentials)
    try:
        nats.start()
        nats.ensure_streams()
        with (
            cloned(template) as leads_database,
            cloned(_notifier_template) as notifier_database,
            running(nats, leads_database, notifier_database, companies) as stack,
        ):
            yield stack
    finally:
        nats.close()
