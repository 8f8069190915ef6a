"""What the notifier counts."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from runtime.buckets import DELAYS

FACTS_APPLIED: Final = Counter("notifier_facts_applied_total", "Facts whose effects are done", ["event"])
FACTS_FETCHED: Final = Counter("notifier_facts_fetched_total", "Facts that were missing in the stream and asked for")
REPEATS: Final = Counter("notifier_repeated_facts_total", "Facts that came again after they were applied")
DELAY: Final = Histogram(
    "notifier_delay_seconds",
    "From recording a fact to its effects; of the last fact of each company in a batch",
    buckets=DELAYS,
)
PUSHES_PUBLISHED: Final = Counter("notifier_pushes_published_total", "Pushes stored in the PUSH stream", ["event"])
DEAD_LETTERS: Final = Counter("notifier_dead_letters_total", "Messages given up on")
FOREIGN: Final = Counter(
    "notifier_foreign_facts_total", "Messages on the stream of facts that the log contradicts: forged, or of a lost log"
)
ABANDONED: Final = Counter(
    "notifier_abandoned_facts_total", "Facts that came late, from an epoch of the log that has ended"
)
SET_BACK: Final = Counter(
    "notifier_set_back_total",
    "Companies whose screens were told to load everything again: the log's epoch changed, or it contradicts a push",
    ["reason"],
)
UNTOLD: Final = Gauge("notifier_untold_companies", "Companies that are still to be told of the log's epoch")
LAG: Final = Gauge("notifier_lag_messages", "Messages in the CRM stream that were not delivered yet")
UNACKNOWLEDGED: Final = Gauge("notifier_unacknowledged_messages", "Messages delivered and not acknowledged yet")
REDELIVERED: Final = Gauge(
    "notifier_redelivered_messages", "Messages delivered more than once and not acknowledged yet"
)
ACTIVE: Final = Gauge("notifier_active", "1 in the process that consumes, 0 in a standby")
