"""Which stream the offsets belong to: when it was created, and how often it lost its end since.

A stream that is deleted and made anew has another time of creation. One that falls back behind numbers that were given
already (restored from older data, or lost by a power cut) has not: then the gateways raise a generation, which they
share in a record on `STATE`.
"""

from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final

from nats.aio.client import Client
from nats.js.api import StreamInfo
from nats.js.errors import APIError, NotFoundError

from contracts import streams

SUBJECT: Final = "state.epoch"
LIVE: Final = "roster.epoch"
PATIENCE: Final = 1.0  # seconds for an answer
LONGEST: Final = 18  # digits of a generation
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Change(Enum):
    """What became of the stream."""

    ANOTHER = auto()
    """It was made anew."""
    FELL = auto()
    """It lost its end."""


class Epoch:
    """The epoch as this gateway knows it."""

    def __init__(self) -> None:
        self.value = ""
        """What clients are told; empty until the stream was looked at."""
        self.generation = 0
        self._next = 0
        self._created: int | None = None
        self._highest = 0

    def floor(self, heard: int) -> int:
        """Return what the stream's last number cannot be below when it is asked for now.

        Args:
            heard: the highest number heard so far.
        """
        self._highest = max(self._highest, heard)
        return self._highest

    def hear(self, generation: int) -> bool:
        """Take note of the generation of others, and return whether it is a newer one.

        It counts from the next look on: before, nobody here knows to which numbers the stream fell back.
        """
        self._next = max(self._next, generation)
        return self._next > self.generation

    def observe(self, info: StreamInfo, floor: int) -> Change | None:
        """Take note of the stream as it is.

        Args:
            info: what the server says.
            floor: see `floor`; from before it was asked, because answers overtake each other.
        """
        assert info.created is not None
        created, last = (info.created - _BEGIN) // _MICROSECOND, info.state.last_seq
        change = None
        if self._created not in {None, created}:
            change = Change.ANOTHER
        elif self._next > self.generation and self._created is not None:
            change = Change.FELL  # as others saw first
        elif last < floor:
            change = Change.FELL
            self._next = self.generation + 1
        self._highest = last if change is not None else max(self._highest, last)
        self._created, self.generation = created, self._next
        self.value = f"{created:x}-{self.generation}"
        return change


def generation(body: bytes) -> int:
    """Return the generation that a record tells; 0 when it is none."""
    return int(body) if body.isdigit() and len(body) <= LONGEST else 0


async def settle(nats: Client, epoch: Epoch) -> bool:
    """Make the record and our generation equal, at the higher one; return whether the record's was higher.

    Raises:
        nats.errors.Error, OSError: no answer, or the connection is lost.
    """
    js = nats.jetstream(timeout=PATIENCE)
    while True:
        try:
            record = await js.get_msg(streams.STATE, subject=SUBJECT, direct=True)
        except NotFoundError:
            theirs, sequence = 0, 0
        else:
            theirs, sequence = generation(record.data or b""), record.seq or 0
        if theirs >= epoch.generation:
            return epoch.hear(theirs)
        try:
            await js.publish(SUBJECT, b"%d" % epoch.generation, headers={streams.EXPECTED_LAST_HEADER: str(sequence)})
        except APIError as error:
            if error.err_code != streams.WRONG_LAST_SEQUENCE:
                raise
        else:
            return False
