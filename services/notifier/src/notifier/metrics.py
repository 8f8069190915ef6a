"""What the notifier counts."""

from typing import Final

from prometheus_client import Counter, Gauge

FACTS_APPLIED: Final = Counter("notifier_facts_applied_total", "Facts whose effects are done", ["event"])
FACTS_FETCHED: Final = Counter("notifier_facts_fetched_total", "Facts that were missing in the stream and asked for")
PUSHES_PUBLISHED: Final = Counter("notifier_pushes_published_total", "Pushes stored in the PUSH stream", ["event"])
DEAD_LETTERS: Final = Counter("notifier_dead_letters_total", "Messages given up on")
LAG: Final = Gauge("notifier_lag_messages", "Messages in the CRM stream that were not delivered yet")
UNACKNOWLEDGED: Final = Gauge("notifier_unacknowledged_messages", "Messages delivered and not acknowledged yet")
ACTIVE: Final = Gauge("notifier_active", "1 in the process that consumes, 0 in a standby")
