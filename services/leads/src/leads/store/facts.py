"""Rows of the log as they leave the service."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts.envelope import Envelope, schema_uri

COLUMNS: Final = """
e.company_id, e.feed_position, e.event_id, e.stream_id, e.stream_version, e.type, e.data, e.metadata, e.recorded_at
"""
"""What `Recorded` takes, in its order; the log's alias is `e`."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row of the log."""

    company_id: UUID
    feed_position: int
    event_id: UUID
    stream_id: UUID
    stream_version: int
    type: str
    data: dict[str, Any]
    metadata: dict[str, str]
    recorded_at: datetime

    def envelope(self) -> Envelope:
        """Return it as it travels. The data stays as it was written: also what this release does not know."""
        return Envelope(
            id=str(self.event_id),
            type=self.type,
            subject=str(self.stream_id),
            time=self.recorded_at,
            dataschema=schema_uri(self.type),
            traceparent=self.metadata.get("traceparent"),
            companyid=str(self.company_id),
            feedposition=self.feed_position,
            streamversion=self.stream_version,
            actor=self.metadata.get("actor"),
            causationid=self.metadata.get("causation_id"),
            correlationid=self.metadata.get("correlation_id"),
            socketid=self.metadata.get("socket_id"),
            data=self.data,
        )
