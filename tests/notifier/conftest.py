"""The notifier's surroundings, of each test's own."""

from collections.abc import AsyncIterator

import pytest

from support.databases import Database
from support.notifiers import World, surroundings
from support.servers import NatsServer


@pytest.fixture
async def world(nats: NatsServer, notifier_database: Database) -> AsyncIterator[World]:
    async with surroundings(nats, notifier_database) as built:
        yield built
