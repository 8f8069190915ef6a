"""JetStream streams and consumers: declared here, created or reconciled by the migrate step alone."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RePublish,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from contracts import subjects

CRM: Final = "CRM"
PUSH: Final = "PUSH"
DEAD: Final = "DEAD"
STATE: Final = "STATE"
"""What the gateways know together: who is alive, who is present; the last record of each subject."""
WEBHOOKS: Final = "WEBHOOKS"
"""Requests to the endpoints of apps, until one is answered or given up."""
NOTIFIER: Final = "notifier"
"""The durable consumer through which the notifier reads `CRM`."""
SENDER: Final = "sender"
"""The durable consumer through which a gateway reads `WEBHOOKS`."""

EXPECTED_LAST_HEADER: Final = "Nats-Expected-Last-Subject-Sequence"
"""Store a message only if this is the number of the last one on its subject; 0: if there is none."""
EXPECTED_STREAM_LAST_HEADER: Final = "Nats-Expected-Last-Sequence"
"""Store a message only if this is the number of the stream's last one."""
WRONG_LAST_SEQUENCE: Final = 10071
"""nats-server's error code when it is not (JSStreamWrongLastSequenceErrF)."""

DUPLICATE_WINDOW: Final = 120.0
"""Seconds in which a stream drops a message id it has seen."""

_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_DAY: Final = 24 * 3600.0

FACTS_KEPT: Final = 7 * _DAY
"""Seconds for which `CRM` keeps a fact, space permitting."""


def _stream(name: str, subject: str, *, max_age: float, republish: RePublish | None = None) -> StreamConfig:
    # Limited by age and bytes only: a per-subject limit would make gaps undecidable for a resuming client.
    return StreamConfig(
        name=name,
        subjects=[subject],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        storage=StorageType.FILE,
        max_age=max_age,
        max_bytes=_GIB,
        duplicate_window=DUPLICATE_WINDOW,
        allow_direct=True,
        republish=republish,
    )


STREAMS: Final[tuple[StreamConfig, ...]] = (
    _stream(CRM, subjects.FACTS, max_age=FACTS_KEPT),
    _stream(PUSH, subjects.PUSHES, max_age=_DAY, republish=RePublish(src=subjects.PUSHES, dest=subjects.LIVE)),
    _stream(DEAD, subjects.DEAD, max_age=30 * _DAY),
    # No age: the record of a member who stays for days is as valid as ever. What is over carries an expiry of its own.
    StreamConfig(
        name=STATE,
        subjects=[subjects.STATE],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        max_msgs_per_subject=1,
        max_bytes=256 * _MIB,
        duplicate_window=DUPLICATE_WINDOW,
        allow_direct=True,
        allow_msg_ttl=True,
        republish=RePublish(src=subjects.STATE, dest=subjects.ROSTER),
    ),
    StreamConfig(
        name=WEBHOOKS,
        subjects=[subjects.WEBHOOKS],
        retention=RetentionPolicy.WORK_QUEUE,
        discard=DiscardPolicy.OLD,
        storage=StorageType.FILE,
        max_age=600.0,
        max_bytes=256 * _MIB,
        duplicate_window=DUPLICATE_WINDOW,
    ),
)

CONSUMERS: Final[tuple[tuple[str, ConsumerConfig], ...]] = (
    (
        CRM,
        ConsumerConfig(
            durable_name=NOTIFIER,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            # What a killed process had in hand comes again this many seconds later.
            ack_wait=5,
            max_deliver=-1,
            max_ack_pending=1000,
            filter_subject=subjects.FACTS,
        ),
    ),
    (
        WEBHOOKS,
        ConsumerConfig(
            durable_name=SENDER,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            # Shorter than the lease of who sends: its successor finds what it had in hand before what is newer.
            ack_wait=5,
            max_deliver=-1,
            # What waits for its next attempt counts; one endpoint that is down must not stop the others.
            max_ack_pending=100_000,
            filter_subject=subjects.WEBHOOKS,
        ),
    ),
)
"""(stream, durable consumer)"""


def listener(name: str, filter_subject: str) -> ConsumerConfig:
    """Return the durable consumer of another service, called like its NATS account.

    One fact is out at a time: none overtakes another that comes again.
    """
    return ConsumerConfig(
        durable_name=name,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=10,
        max_deliver=-1,
        max_ack_pending=1,
        filter_subject=filter_subject,
    )


async def ensure(
    js: JetStreamContext, *, replicas: int = 1, listeners: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Create every stream and consumer, or bring an existing one to the declared configuration. Idempotent.

    Args:
        js: of a user who may.
        replicas: of each stream.
        listeners: other services' consumers of facts: name → the subjects it hears.

    Raises:
        nats.js.errors.APIError: the server refuses a change, such as another storage type.
    """
    for declared in STREAMS:
        stream = replace(declared, num_replicas=replicas)
        try:
            await js.update_stream(stream)
        except NotFoundError:
            await js.add_stream(stream)
    for stream_name, consumer in CONSUMERS:
        await js.add_consumer(stream_name, consumer)
    for name, filter_subject in listeners.items():
        await js.add_consumer(CRM, listener(name, filter_subject))
