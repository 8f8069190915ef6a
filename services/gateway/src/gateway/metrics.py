"""What the gateway counts, for `/metrics`. Labels never hold what a client made up."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge

CONNECTIONS: Final = Gauge("gateway_connections", "Established connections", ["app"])
CHANNELS: Final = Gauge("gateway_channels", "Channels with listeners, or without them for only a moment")
SUBSCRIPTIONS: Final = Gauge("gateway_subscriptions", "Subscriptions of connections to channels")
PUSHES: Final = Counter("gateway_pushes_total", "Pushes received from NATS for channels with listeners")
FILLED: Final = Counter("gateway_filled_total", "Pushes fetched from the stream because they did not arrive live")
DELIVERIES: Final = Counter("gateway_deliveries_total", "Frames handed to connections, one per listener of each push")
CLIENT_EVENTS: Final = Counter(
    "gateway_client_events_total", "Client events accepted, by what became of them", ["outcome"]
)
TRIGGERS: Final = Counter("gateway_triggers_total", "Events stored for the HTTP API", ["app"])
REFUSALS: Final = Counter("gateway_refusals_total", "Connections closed by the gateway", ["code"])
PROBLEMS: Final = Counter("gateway_client_problems_total", "Mistakes of clients", ["problem"])
SLOW_CONSUMERS: Final = Counter("gateway_slow_consumers_total", "Connections closed because they read too slowly")
LIMITS: Final = Counter("gateway_limits_total", "Clients stopped by a limit of the process", ["limit"])
NODES: Final = Gauge("gateway_nodes", "Gateways that live, as this one sees it")
RECORDS: Final = Gauge("gateway_records", "Members and counts that this gateway has told the others of")

WEBHOOKS_STORED: Final = Counter("gateway_webhooks_stored_total", "Webhook events put into the queue", ["app", "kind"])
WEBHOOKS_SENT: Final = Counter("gateway_webhooks_sent_total", "Webhook events an endpoint took", ["app", "kind"])
WEBHOOKS_FAILED: Final = Counter("gateway_webhooks_failed_total", "Webhook events in failed attempts", ["app", "kind"])
WEBHOOKS_GIVEN_UP: Final = Counter("gateway_webhooks_given_up_total", "Webhook events no longer tried", ["app", "kind"])
WEBHOOKS_LOST: Final = Counter("gateway_webhooks_lost_total", "Webhook events that were never queued", ["app", "kind"])

WEBHOOKS_WAITING: Final = Gauge(
    "gateway_webhook_requests_waiting", "Webhook requests in the queue, as the gateway that sends them sees it"
)


def count(counter: Counter, app: str, kinds: Iterable[str]) -> None:
    """Count the events of one webhook request."""
    for kind in kinds:
        counter.labels(app, kind).inc()


RESUMES: Final = Counter("gateway_resumes_total", "Opted-in subscriptions, by whether nothing was missed", ["outcome"])
REPLAYED: Final = Counter("gateway_replayed_total", "Events written to subscriptions that missed them")
APPS_RELOADS: Final = Counter("gateway_apps_reloads_total", "Times the apps file was read again", ["outcome"])
WORKER: Final = Gauge("gateway_worker", "Which worker answers, and how often it was started", ["worker"])
LEASE_FAILURES: Final = Counter("gateway_lease_failures_total", "Failed attempts to tell that this gateway lives")
