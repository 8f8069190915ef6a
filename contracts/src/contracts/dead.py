"""Dead letters: what a consumer could not process, stored with the cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts import subjects
from contracts.push import CORRELATION_HEADER, MESSAGE_ID_HEADER

CAUSE_HEADER: Final = "Dead-Cause"
SUBJECT_HEADER: Final = "Dead-Subject"
"""The subject the message came from."""
SEQUENCE_HEADER: Final = "Dead-Stream-Sequence"
"""Its sequence in the stream it came from; absent when it came as the answer to a request."""
STACK_HEADER: Final = "Dead-Stack"
"""Where it failed, outermost first, with bars between; absent when nothing was raised."""
EVENT_HEADER: Final = "Dead-Event"
"""The name of the fact, when that much could be read."""
COMPANY_HEADER: Final = "Dead-Company"
POSITION_HEADER: Final = "Dead-Position"
"""Its place in the company's feed, when that much could be read."""
ORIGINAL_PREFIX: Final = "Original-"
"""Before the name of each header that the message came with."""

LONGEST_BODY: Final = 1_000_000
"""Bytes kept of a message that nearly fills what NATS takes; the whole is still in the stream it came from."""

_CAUSE_LENGTH: Final = 1000
_STACK_LENGTH: Final = 8000
_ORIGINALS_LENGTH: Final = 8000


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
    stack: Sequence[str] = ()
    event: str | None = None
    place: tuple[str, int] | None = None
    """The company and the position in its feed."""
    original: Mapping[str, str] = field(default_factory=dict)
    """The headers it came with."""

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
        if self.event is not None:
            headers[EVENT_HEADER] = _header_text(self.event)
        if self.place is not None:
            headers |= {COMPANY_HEADER: self.place[0], POSITION_HEADER: str(self.place[1])}
        if self.stack:
            # The innermost frames say most.
            headers[STACK_HEADER] = _header_text(" | ".join(self.stack), _STACK_LENGTH, end=True)
        return headers | self._originals()

    def _originals(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        room = _ORIGINALS_LENGTH
        for name, value in self.original.items():
            headers[f"{ORIGINAL_PREFIX}{name}"] = text = _header_text(value)
            room -= len(name) + len(text) + len(ORIGINAL_PREFIX) + 4
            if room < 0:
                del headers[f"{ORIGINAL_PREFIX}{name}"]
        return headers


def _header_text(text: str, length: int = _CAUSE_LENGTH, *, end: bool = False) -> str:
    """Return printable ASCII on one line: its beginning, or its end."""
    line = " ".join(text.encode("ascii", "backslashreplace").decode().split())
    return line[-length:] if end else line[:length]
