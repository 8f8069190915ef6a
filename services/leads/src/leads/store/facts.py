"""Rows of the log as they leave the service."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contracts.envelope import Envelope, schema_uri, seal
from leads.store.feed import EPOCH

COLUMNS: Final = f"""
e.company_id::text, e.feed_position, e.event_id::text, e.stream_id::text, e.stream_version, e.type, e.data::text,
e.metadata, e.recorded_at, {EPOCH}
"""
"""What `Recorded` takes, in its order; the log's alias is `e`."""

OF_LEADS: Final = "starts_with(e.type, 'crm.lead.')"
"""Belongs into each statement that reads streams by id. Ids come from outside, and users, imports and jobs have streams
of their own: a lead's stream is its id together with its kind."""

_METADATA: Final = {
    "traceparent": "traceparent",
    "actor": "actor",
    "causationid": "causation_id",
    "correlationid": "correlation_id",
    "socketid": "socket_id",
    "jobid": "job_id",
}
"""Attribute of the envelope → its name in the log."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row of the log. The data stays as it was written: also what this release does not know."""

    company_id: str
    feed_position: int
    event_id: str
    stream_id: str
    stream_version: int
    type: str
    data: str
    """JSON text."""
    metadata: dict[str, str]
    recorded_at: datetime
    epoch: str
    """The log's, when the row was read."""

    def envelope(self) -> Envelope:
        """Return it as it travels."""
        return Envelope(**self._attributes(), data=json.loads(self.data))

    def to_json(self) -> bytes:
        """Return the same as structured-mode JSON; for very many at once."""
        return seal(self._attributes(), self.data)

    def _attributes(self) -> dict[str, object]:
        known = {name: self.metadata[key] for name, key in _METADATA.items() if self.metadata.get(key) is not None}
        return {
            "id": self.event_id,
            "type": self.type,
            "subject": self.stream_id,
            "time": self.recorded_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "dataschema": schema_uri(self.type),
            "companyid": self.company_id,
            "feedposition": self.feed_position,
            "feedepoch": self.epoch,
            "streamversion": self.stream_version,
            **known,
        }
