"""Dead letters: what a consumer could not process, stored with the cause."""

from dataclasses import dataclass
from typing import Final

from contracts import subjects
from contracts.push import CORRELATION_HEADER, MESSAGE_ID_HEADER

CAUSE_HEADER: Final = "Dead-Cause"
SUBJECT_HEADER: Final = "Dead-Subject"
"""The subject the message came from."""
SEQUENCE_HEADER: Final = "Dead-Stream-Sequence"
"""Its sequence in the stream it came from; absent when it came as the answer to a request."""

LONGEST_BODY: Final = 1_000_000
"""Bytes kept of a message that nearly fills what NATS takes; the whole is still in the stream it came from."""

_CAUSE_LENGTH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One message that a consumer gives up on."""

    consumer: str
    key: str
    """What makes it unique among the consumer's dead letters."""
    cause: str
    source: str
    """The subject it came from."""
    sequence: int | None
    body: bytes
    correlation_id: str | None = None

    @property
    def subject(self) -> str:
        """The JetStream subject it is stored on."""
        return subjects.dead(self.consumer)

    @property
    def payload(self) -> bytes:
        """What is stored of the body."""
        return self.body[:LONGEST_BODY]

    @property
    def headers(self) -> dict[str, str]:
        """The NATS headers; a cause is cut to what a header can hold."""
        headers = {
            MESSAGE_ID_HEADER: f"{self.consumer}:{self.key}",
            CAUSE_HEADER: _header_text(self.cause),
            SUBJECT_HEADER: self.source,
        }
        if self.sequence is not None:
            headers[SEQUENCE_HEADER] = str(self.sequence)
        if self.correlation_id is not None:
            headers[CORRELATION_HEADER] = self.correlation_id
        return headers


def _header_text(text: str) -> str:
    """Return printable ASCII on one line."""
    return " ".join(text.encode("ascii", "backslashreplace").decode().split())[:_CAUSE_LENGTH]
