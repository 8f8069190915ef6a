"""What every process tells on `/metrics`: named as Prometheus wants it, explained, and of bounded size."""

import re
import uuid
from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from support.screens import screen
from support.seen import metrics_of
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.system

LABELS = {
    "app": 10,  # of the apps file
    "channel": 0,
    "code": 40,
    "command": 60,
    "dependency": 10,
    "event": 60,
    "kind": 10,
    "le": 20,
    "limit": 20,
    "method": 8,
    "outcome": 60,
    "problem": 40,
    "reason": 20,
    "route": 100,
    "status_class": 5,
    "worker": 64,
    # of prometheus_client itself
    "generation": 3,
    "implementation": 1,
    "major": 1,
    "minor": 1,
    "patchlevel": 1,
    "version": 1,
}
"""Every label there is, and how many values it may have."""
ASKED_FOR = {
    "api": {
        "http_request_duration_seconds", "leads_commands", "leads_append_duration_seconds", "leads_waiting_requests",
        "database_pool_size", "database_pool_in_use", "database_pool_waiting", "database_pool_acquire_seconds",
        "leads_nats_connected", "nats_disconnects",
    },
    "relay": {
        "relay_outbox_rows", "relay_outbox_oldest_seconds", "relay_publish_delay_seconds", "relay_published",
        "relay_publish_failures", "relay_active",
    },
    "worker": {
        "leads_job_steps", "leads_job_items", "leads_job_failures", "leads_worker_busy", "database_pool_size",
        "database_pool_in_use", "database_pool_waiting", "database_pool_acquire_seconds",
    },
    "notifier": {
        "http_request_duration_seconds", "notifier_lag_messages", "notifier_unacknowledged_messages",
        "notifier_redelivered_messages", "notifier_dead_letters", "notifier_pushes_published", "notifier_delay_seconds",
        "notifier_facts_applied", "notifier_repeated_facts", "notifier_active", "database_pool_size",
        "database_pool_in_use", "database_pool_waiting", "database_pool_acquire_seconds",
    },
    "gateway": {
        "http_request_duration_seconds", "gateway_connections", "gateway_subscriptions", "gateway_channels",
        "gateway_pushes", "gateway_deliveries", "gateway_slow_consumers", "gateway_resumes", "gateway_replayed",
        "gateway_webhooks_stored", "gateway_webhooks_sent", "gateway_webhooks_failed", "gateway_webhooks_given_up",
        "gateway_webhook_requests_waiting", "gateway_limits", "gateway_refusals",
    },
}  # fmt: skip
"""What operators were promised, by process."""
UNITS = ("_seconds", "_bytes", "_total", "_rows", "_messages", "_info")
COUNTS_OF_THINGS = re.compile(
    r"(_active|_busy|_connected|_connections|_channels|_subscriptions|_nodes|_records|_worker|_requests|_waiting|_in_use|_size|_fds|_up|_companies)$"
)
"""Gauges without a unit: of so many things."""
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|@|private-|presence-|\b[0-9a-f]{16,}\b")


def families(text: str) -> Iterator[Metric]:
    yield from text_string_to_metric_families(text)


async def work(stack: Stack) -> None:
    """Do one of each: a command, a refusal, a read, a subscription, a push, an inbox."""
    agent = stack.acme.users["agent"]
    async with screen("echo", stack, agent, stack.acme) as client, stack.client("agent") as api:
        await client.hears("subscribed")
        created = await api.post("/leads", json={"name": "Ada Lovelace", "email": f"{uuid.uuid4()}@example.org"})
        await api.patch(f"/leads/{uuid.uuid4()}", json={"name": "Nobody"})
        await api.get(f"/leads/{created.json()['data']['id']}")
        await client.hears("lead.created")
    async with stack._http(stack.topology.notifier.url, agent, {}) as inbox:
        assert (await inbox.get("/notifications")).is_success


async def test_every_metric_is_explained_and_named_by_the_conventions(watched: Stack) -> None:
    await work(watched)
    for process, text in metrics_of(watched).items():
        for family in families(text):
            assert family.documentation, (process, family.name)
            assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name), (process, family.name)
            match family.type:
                case "counter":
                    assert all(sample.name.endswith("_total") for sample in family.samples), family.name
                case "histogram":
                    assert family.name.endswith("_seconds"), family.name
                case _:
                    named = family.name.endswith(UNITS) or COUNTS_OF_THINGS.search(family.name)
                    assert named, (process, family.name, family.type)


async def test_every_process_tells_what_was_promised(watched: Stack) -> None:
    for process, text in metrics_of(watched).items():
        assert ASKED_FOR[process] <= {family.name for family in families(text)}, process


async def test_no_label_holds_an_id_and_none_can_grow_without_bound(watched: Stack) -> None:
    await work(watched)
    for process, text in metrics_of(watched).items():
        values: dict[str, set[str]] = {}
        for family in families(text):
            for sample in family.samples:
                for label, value in sample.labels.items():
                    values.setdefault(label, set()).add(value)
                    assert not ID.search(value), (process, sample.name, label, value)
        for label, found in values.items():
            assert len(found) <= LABELS[label], (process, label, found)


async def test_what_was_done_is_counted(watched: Stack) -> None:
    def figure(process: str, name: str, **labels: str) -> float:
        samples = [sample for family in families(metrics_of(watched)[process]) for sample in family.samples]
        return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())

    before = {
        "done": figure("api", "leads_commands_total", command="create_lead", outcome="done"),
        "refused": figure("api", "leads_commands_total", command="change_lead", outcome="lead_not_found"),
        "answered": figure("api", "http_request_duration_seconds_count", route="/leads/{lead_id}", status_class="4xx"),
        "appended": figure("api", "leads_append_duration_seconds_count"),
        "acquired": figure("api", "database_pool_acquire_seconds_count"),
        "published": figure("relay", "relay_publish_delay_seconds_count"),
        "late": figure("notifier", "notifier_delay_seconds_count"),
        "delivered": figure("gateway", "gateway_deliveries_total"),
        "inboxes": figure("notifier", "http_request_duration_seconds_count", route="/notifications"),
    }
    await work(watched)

    assert figure("api", "leads_commands_total", command="create_lead", outcome="done") == before["done"] + 1
    refused = figure("api", "leads_commands_total", command="change_lead", outcome="lead_not_found")
    assert refused == before["refused"] + 1
    answered = figure("api", "http_request_duration_seconds_count", route="/leads/{lead_id}", status_class="4xx")
    assert answered == before["answered"] + 1
    assert figure("api", "leads_append_duration_seconds_count") == before["appended"] + 1
    assert figure("api", "database_pool_acquire_seconds_count") > before["acquired"]
    assert figure("gateway", "gateway_deliveries_total") > before["delivered"]
    assert figure("api", "database_pool_size") == 10
    assert figure("notifier", "http_request_duration_seconds_count", route="/notifications") == before["inboxes"] + 1
    # Written down after the frame has left.
    await until(lambda: figure("relay", "relay_publish_delay_seconds_count") == before["published"] + 1)
    await until(lambda: figure("notifier", "notifier_delay_seconds_count") == before["late"] + 1)
