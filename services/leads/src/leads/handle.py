"""The write path: read, decide, append; a lost race is decided anew."""

from collections.abc import Sequence
from typing import Final, Protocol

from contracts.events import LeadEvent
from leads.command import Answer, Command, Stream, VersionConflict
from leads.domain import Decide, StaleVersion, replay, require_version

RETRIES: Final = 3  # after lost races; more would only hide a hot spot


class EventStore(Protocol):
    """Where facts are kept. Every method answers a repeated command as the first time.

    Raises:
        IdempotencyKeyReused: the command's key belongs to another request.
    """

    async def read(self, command: Command) -> Stream: ...

    async def append(self, command: Command, facts: Sequence[LeadEvent], *, expected: int) -> Answer:
        """Append facts to the lead's stream at version `expected`.

        Raises:
            VersionConflict: the stream is at another version.
        """

    async def remember(self, command: Command, answer: Answer) -> Answer:
        """Keep the answer of a command that changed nothing, for when it is repeated."""


async def create(store: EventStore, command: Command, decide: Decide) -> Answer:
    """Start a lead's stream. Nothing is read: a new lead has no history."""
    return await store.append(command, decide(None), expected=0)


async def handle(store: EventStore, command: Command, decide: Decide) -> Answer:
    """Decide a command on an existing lead and append the outcome.

    Raises:
        LeadRefusal: the rules say no.
        IdempotencyKeyReused: see `EventStore`.
        VersionConflict: others were faster each time.
    """
    retries = RETRIES
    while True:
        stream = await store.read(command)
        if stream.answer is not None:
            return stream.answer
        lead = replay(stream.history)
        require_version(lead, command.expected_version)
        facts = decide(lead)
        if not facts:
            assert lead is not None  # decided: so it exists
            return await store.remember(command, Answer(lead.summary, stream.position))
        try:
            return await store.append(command, facts, expected=len(stream.history))
        except VersionConflict:
            if command.expected_version is not None:
                raise StaleVersion from None
            if not retries:
                raise
        retries -= 1
