"""Writes the Grafana dashboards beside it: `python deploy/observability/grafana/generate.py`. Standard library only.

A dashboard is a list of panels, a panel a title, a unit and its queries; the rest of Grafana's JSON is the same for all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "dashboards"
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24  # columns of Grafana's grid
HEIGHT: Final = 8
RATE: Final = "$__rate_interval"


@dataclass(frozen=True)
class Panel:
    """One graph, or one figure."""

    title: str
    unit: str
    queries: Sequence[tuple[str, str]]
    """Expression and legend."""
    kind: str = "timeseries"
    width: int = 8
    help: str = ""


def rate(metric: str, by: str = "", where: str = "") -> str:
    """Return so many a second, summed over processes."""
    inner = f"rate({metric}{f'{{{where}}}' if where else ''}[{RATE}])"
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def quantile(q: float, metric: str, by: str = "", where: str = "") -> str:
    """Return a quantile of a histogram."""
    labels = f"{by}, le" if by else "le"
    return (
        f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{f'{{{where}}}' if where else ''}[{RATE}])))"
    )


def quantiles(metric: str, where: str = "") -> list[tuple[str, str]]:
    return [(quantile(q, metric, where=where), f"p{round(q * 100)}") for q in (0.5, 0.95, 0.99)]


NO_WAITERS: Final = 'route!="/changes"'
OVERVIEW: Final = (
    Panel("Screens are late by", "s", quantiles("notifier_delay_seconds"), help="From a change to its push being stored."),
    Panel("Commands", "ops", [(rate("leads_commands_total", "outcome"), "{{outcome}}")]),
    Panel("Connections", "short", [("sum(gateway_connections)", "sockets"), ("sum(gateway_subscriptions)", "subscriptions")]),
    Panel("Active relay", "short", [("sum(relay_active)", "relays")], "stat", 4, "Must be 1."),
    Panel("Active notifier", "short", [("sum(notifier_active)", "notifiers")], "stat", 4, "Must be 1."),
    Panel("Facts in the outbox", "short", [("max(relay_outbox_rows)", "facts")], "stat", 4),
    Panel("Messages waiting for the notifier", "short", [("max(notifier_lag_messages)", "messages")], "stat", 4),
    Panel("Dead letters in 24 h", "short", [("sum(increase(notifier_dead_letters_total[24h]))", "letters")], "stat", 4),
    Panel("Gateways", "short", [("max(gateway_nodes)", "gateways")], "stat", 4),
    Panel("Requests", "reqps", [(rate("http_request_duration_seconds_count", "job, status_class"), "{{job}} {{status_class}}")]),
    Panel(
        "Slow requests, p95", "s",
        [(quantile(0.95, "http_request_duration_seconds", "job", NO_WAITERS), "{{job}}")],
        help="Without GET /changes, which waits on purpose.",
    ),
    Panel("Deliveries", "ops", [(rate("gateway_deliveries_total"), "frames"), (rate("gateway_pushes_total"), "pushes")]),
    Panel("CPU", "percentunit", [(rate("process_cpu_seconds_total", "job, instance"), "{{job}} {{instance}}")]),
    Panel("Memory", "bytes", [("process_resident_memory_bytes", "{{job}} {{instance}}")]),
    Panel("NATS connections lost", "short", [(f"sum by (job) (increase(nats_disconnects_total[{RATE}]))", "{{job}}")]),
    Panel("What processes miss of NATS", "short", [("min by (job, dependency) (nats_dependency_up)", "{{job}} {{dependency}}")]),
    Panel("Limits of the HTTP servers", "short", [(f"sum by (job, limit) (increase(http_limits_total[{RATE}]))", "{{job}} {{limit}}")]),
    Panel("Log and stream disagree", "short", [
        (f"sum(increase(relay_epochs_total[{RATE}]))", "new epochs"),
        (f"sum(increase(relay_foreign_messages_total[{RATE}]))", "foreign messages, relay"),
        (f"sum(increase(notifier_foreign_facts_total[{RATE}]))", "foreign facts, notifier"),
        (f"sum(increase(notifier_set_back_total[{RATE}]))", "cursors set back"),
        (f"sum(increase(notifier_abandoned_facts_total[{RATE}]))", "abandoned facts"),
        ("max(notifier_untold_companies)", "companies to be told"),
    ]),
)  # fmt: skip
FEED: Final = (
    Panel("Commands by name", "ops", [(rate("leads_commands_total", "command"), "{{command}}")]),
    Panel("Refusals", "ops", [(rate("leads_commands_total", "command, outcome", 'outcome!="done"'), "{{command}}: {{outcome}}")]),
    Panel("Appending takes", "s", quantiles("leads_append_duration_seconds"), help="The transaction, with the wait for the company's turn."),
    Panel("Outbox", "short", [("max(relay_outbox_rows)", "facts")]),
    Panel("Oldest fact in the outbox", "s", [("max(relay_outbox_oldest_seconds)", "waits")]),
    Panel("From record to stream", "s", quantiles("relay_publish_delay_seconds"), help="Of the oldest fact of each window."),
    Panel("Published", "ops", [(rate("relay_published_total"), "facts"), (rate("relay_reseeded_total"), "once more, for a reseed")]),
    Panel("Windows not acknowledged", "ops", [(rate("relay_publish_failures_total"), "windows")]),
    Panel("Published again", "ops", [(rate("relay_reseeded_total"), "facts")], help="By a reseed."),
    Panel("Who publishes", "short", [("relay_active", "{{instance}}")]),
    Panel("Requests that wait for news", "short", [("leads_waiting_requests", "{{instance}}")]),
    Panel("Reached by NATS", "short", [("leads_nats_connected", "{{instance}}")], help="Without it, waiting requests look once a second."),
    Panel("Requests by route", "reqps", [(rate("http_request_duration_seconds_count", "method, route", 'job="leads-api"'), "{{method}} {{route}}")]),
)  # fmt: skip
JOBS: Final = (
    Panel("Workers at work", "short", [("sum(leads_worker_busy)", "busy"), ('count(up{job="leads-worker"} == 1)', "there")]),
    Panel("Leads and rows", "ops", [(rate("leads_job_items_total"), "seen to")]),
    Panel("Steps", "ops", [(rate("leads_job_steps_total"), "committed"), (rate("leads_job_failures_total"), "failed")]),
)  # fmt: skip
NOTIFIER: Final = (
    Panel("Messages waiting", "short", [("max(notifier_lag_messages)", "not delivered"), ("max(notifier_unacknowledged_messages)", "not acknowledged"), ("max(notifier_redelivered_messages)", "delivered again")]),
    Panel("From record to effects", "s", quantiles("notifier_delay_seconds")),
    Panel("Facts applied", "ops", [(rate("notifier_facts_applied_total", "event"), "{{event}}")]),
    Panel("Pushes stored", "ops", [(rate("notifier_pushes_published_total", "event"), "{{event}}")]),
    Panel("Repeats and gaps", "ops", [(rate("notifier_repeated_facts_total"), "came again"), (rate("notifier_facts_fetched_total"), "fetched")]),
    Panel("Dead letters", "short", [(f"sum(increase(notifier_dead_letters_total[{RATE}]))", "letters")]),
    Panel("Who consumes", "short", [("notifier_active", "{{instance}}")]),
    Panel("Inbox requests", "reqps", [(rate("http_request_duration_seconds_count", "route, status_class", 'job="notifier"'), "{{route}} {{status_class}}")]),
    Panel("Inbox requests take", "s", quantiles("http_request_duration_seconds", 'job="notifier"')),
)  # fmt: skip
CPU: Final = rate("process_cpu_seconds_total", where='job="gateway"')
GATEWAY: Final = (
    Panel("Connections", "short", [("sum by (app, instance) (gateway_connections)", "{{app}} {{instance}}")]),
    Panel("Channels and subscriptions", "short", [("sum(gateway_channels)", "channels"), ("sum(gateway_subscriptions)", "subscriptions")]),
    Panel("Gateways that know of each other", "short", [("gateway_nodes", "{{instance}}")], help="All must say the same."),
    Panel("Pushes", "ops", [(rate("gateway_pushes_total", "instance"), "{{instance}}")]),
    Panel("Deliveries", "ops", [(rate("gateway_deliveries_total", "instance"), "{{instance}}")]),
    Panel("CPU for a delivery", "s", [(f"{CPU} / {rate('gateway_deliveries_total')}", "seconds")]),
    Panel("Fetched, because they did not arrive live", "ops", [(rate("gateway_filled_total", "instance"), "{{instance}}")]),
    Panel("Resumed", "ops", [(rate("gateway_resumes_total", "outcome"), "{{outcome}}")]),
    Panel("Replayed events", "ops", [(rate("gateway_replayed_total"), "events")]),
    Panel("Closed by the gateway", "ops", [(rate("gateway_refusals_total", "code"), "{{code}}"), (rate("gateway_slow_consumers_total"), "too slow")]),
    Panel("Limits and mistakes", "ops", [(rate("gateway_limits_total", "limit"), "limit {{limit}}"), (rate("gateway_client_problems_total", "problem"), "{{problem}}")]),
    Panel("Client events", "ops", [(rate("gateway_client_events_total", "outcome"), "{{outcome}}")]),
    Panel("Triggered over HTTP", "ops", [(rate("gateway_triggers_total", "app"), "{{app}}")]),
    Panel("Requests by route", "reqps", [(rate("http_request_duration_seconds_count", "method, route, status_class", 'job="gateway"'), "{{method}} {{route}} {{status_class}}")]),
    Panel("Webhook requests waiting", "short", [("max(gateway_webhook_requests_waiting)", "requests")]),
    Panel("Webhook events", "ops", [(rate("gateway_webhooks_stored_total"), "stored"), (rate("gateway_webhooks_sent_total"), "sent"), (rate("gateway_webhooks_failed_total"), "failed"), (rate("gateway_webhooks_given_up_total"), "given up"), (rate("gateway_webhooks_lost_total"), "lost")]),
    Panel("Records of members and counts", "short", [("sum(gateway_records)", "records")]),
    Panel("Starts of workers", "short", [("gateway_worker", "{{instance}} worker {{worker}}")], help="Above 1 it died."),
)  # fmt: skip
DATABASE: Final = (
    Panel("Connections in use", "short", [("sum by (job, instance) (database_pool_in_use)", "{{job}} {{instance}}"), ("sum by (job) (database_pool_size)", "{{job}}: may open")]),
    Panel("Waiting for a connection", "short", [("sum by (job, instance) (database_pool_waiting)", "{{job}} {{instance}}")]),
    Panel("Until a connection is there, p95", "s", [(quantile(0.95, "database_pool_acquire_seconds", "job"), "{{job}}")]),
    Panel("Transactions", "ops", [(rate("database_pool_acquire_seconds_count", "job"), "{{job}}")]),
    Panel("Appending takes", "s", quantiles("leads_append_duration_seconds")),
    Panel("Answers 503", "reqps", [(rate("http_request_duration_seconds_count", "job", 'status_class="5xx"'), "{{job}}")], help="PostgreSQL away, or the pool exhausted."),
)  # fmt: skip
DASHBOARDS: Final = {
    "overview": ("Overview", OVERVIEW),
    "feed": ("Feed, relay and jobs", FEED + JOBS),
    "notifier": ("Notifier", NOTIFIER),
    "gateway": ("Gateway", GATEWAY),
    "database": ("Database", DATABASE),
}


def dashboard(name: str, title: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    return {
        "uid": f"leadwire-{name}",
        "title": f"Leadwire: {title}",
        "tags": ["leadwire"],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "Leadwire", "tags": ["leadwire"], "asDropdown": True, "keepTime": True}
        ],
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "annotations": {"list": []},
        "panels": [panel_json(number, panel, place) for number, (panel, place) in enumerate(placed(panels), 1)],
    }


def placed(panels: Sequence[Panel]) -> list[tuple[Panel, dict[str, int]]]:
    """Return each panel with its place: row after row, from the left."""
    places = []
    x = y = height = 0
    for panel in panels:
        if x + panel.width > WIDTH:
            x, y = 0, y + height
        height = HEIGHT if panel.kind == "timeseries" else HEIGHT // 2
        places.append((panel, {"x": x, "y": y, "w": panel.width, "h": height}))
        x += panel.width
    return places


def panel_json(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
        for index, (expression, legend) in enumerate(panel.queries)
    ]
    options: dict[str, Any] = (
        {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
        if panel.kind == "timeseries"
        else {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
    )
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": options,
        "targets": targets,
    }


def text(name: str) -> str:
    """Return the file of a dashboard."""
    title, panels = DASHBOARDS[name]
    return json.dumps(dashboard(name, title, panels), indent=2) + "\n"


def main() -> None:
    """Write every file."""
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name))


if __name__ == "__main__":
    main()
