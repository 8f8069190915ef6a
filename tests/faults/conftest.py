"""Stacks whose servers and connections can be broken."""

from collections.abc import Iterator

import pytest

from leadwire.credentials import Credentials
from support.cluster import NatsCluster, nats_cluster
from support.databases import Database, cloned
from support.stack import Company, Stack, running


@pytest.fixture
def cluster(credentials: Credentials) -> Iterator[NatsCluster]:
    with nats_cluster(credentials) as running_cluster:
        yield running_cluster


@pytest.fixture
def clustered_stack(
    cluster: NatsCluster, notifier_database: Database, _companies: tuple[Database, tuple[Company, Company]]
) -> Iterator[Stack]:
    """One of each process on three NATS servers, which it reaches by a balancer's address."""
    template, companies = _companies
    with cloned(template) as leads_database, running(cluster, leads_database, notifier_database, companies) as stack:
        yield stack
