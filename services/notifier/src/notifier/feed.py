"""A company's feed as the notifier reads it: dense positions, each with what follows from it. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from pydantic import ValidationError

from contracts import channels, subjects
from contracts.channels import CompanyChannel
from contracts.envelope import Envelope, parse
from contracts.events import UnknownEvent
from contracts.push import Push, Termination
from notifier.cursors import SIZE
from notifier.reaction import SILENCE, Reaction
from notifier.rules import react
from runtime.stacks import frames

_OF_THE_WAY: Final = {"traceparent", "feedepoch"}
LARGEST_PUSH: Final = 1_000_000  # bytes; with its headers it has to stay below the server's 1 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One position of a company's feed."""

    body: bytes
    company_id: str
    position: int
    event: str
    event_id: str | None = None
    epoch: str | None = None
    """The log's when it was sent, if it says so."""
    digest: bytes = b""
    """Of what it says; equal for each way on which it comes."""
    correlation_id: str | None = None
    recorded_at: datetime | None = None
    """None where it cannot be read."""
    traceparent: str | None = None
    """What continues the trace that it is a part of."""
    reaction: Reaction = SILENCE
    is_known: bool = True
    """False for a fact of a later release, which is passed over."""
    failure: str | None = None
    """Why nothing can follow from it: a dead letter."""
    stack: Sequence[str] = ()
    """Where it failed."""

    @property
    def is_plain(self) -> bool:
        """Whether its effects are known: with others, the log is asked whether they are facts at all."""
        return self.failure is None and self.is_known

    def failed(self, error: Exception) -> "Entry":
        """Return the same fact as one of which nothing follows."""
        return replace(self, reaction=SILENCE, failure=type(error).__name__, stack=frames(error))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message of which not even the place in a feed can be read."""

    body: bytes
    failure: str
    stack: Sequence[str] = ()


def read(body: bytes, app_id: str, traceparent: str | None = None, *, subject: str | None = None) -> Entry | Unreadable:
    """Return what a message says and what follows from it. Never raises: what fails is said in `failure`.

    Args:
        body: the message's.
        app_id: the app whose channels are pushed to.
        traceparent: what continues the trace; else it is what the fact was recorded with.
        subject: the NATS subject it came on, which has to be that of the fact; None when it is an answer.
    """
    try:
        envelope = parse(body)
    except ValidationError as error:
        return _salvage(body, _cause(error), frames(error))
    if not _is_company(envelope.companyid):
        return Unreadable(body, "companyid: not the id of a company")
    if subject is not None and subject != _subject_of(envelope):
        return Unreadable(body, "the subject of the message is not that of the fact in it")
    if traceparent is not None:
        envelope = envelope.model_copy(update={"traceparent": traceparent})
    return _applied(body, envelope, app_id)


def _applied(body: bytes, envelope: Envelope, app_id: str) -> Entry:
    try:
        reaction = react(envelope, app_id)
    except UnknownEvent:
        return replace(_entry(body, envelope, SILENCE), is_known=False)
    except ValidationError as error:
        return replace(_entry(body, envelope, SILENCE), failure=_cause(error), stack=frames(error))
    except Exception as error:  # noqa: BLE001 - a rule that fails on one fact must not keep the others waiting
        failure = f"{type(error).__name__} in the rules"
        return replace(_entry(body, envelope, SILENCE), failure=failure, stack=frames(error))
    if any(map(_is_too_large, reaction.pushes)):
        return replace(_entry(body, envelope, SILENCE), failure="a push larger than NATS takes")
    return _entry(body, envelope, reaction)


def _entry(body: bytes, envelope: Envelope, reaction: Reaction) -> Entry:
    return Entry(
        body=body,
        company_id=envelope.companyid,
        position=envelope.feedposition,
        event=envelope.type,
        event_id=envelope.id,
        epoch=envelope.feedepoch,
        digest=digest(envelope),
        correlation_id=envelope.correlationid,
        recorded_at=envelope.time,
        traceparent=envelope.traceparent,
        reaction=reaction,
    )


def dense(entries: Iterable[Entry], *, after: int) -> list[Entry]:
    """Return the longest run of entries whose positions are `after + 1`, `after + 2` …; each position once."""
    at = {entry.position: entry for entry in entries}
    run: list[Entry] = []
    while (entry := at.get(after + len(run) + 1)) is not None:
        run.append(entry)
    return run


def digest(envelope: Envelope) -> bytes:
    """Return a digest of what a fact says, whoever sends it and when: without the trace and the log's epoch.

    Attributes without a value are left out: a release that knows more of them has the same digests.
    """
    said = envelope.model_dump(mode="json", exclude=_OF_THE_WAY, exclude_none=True)
    return sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).digest()[:SIZE]


def _subject_of(envelope: Envelope) -> str | None:
    try:
        return subjects.fact(envelope.companyid, envelope.subject, envelope.type)
    except (IndexError, ValueError):  # no name of a fact, or an empty id
        return None


def _salvage(body: bytes, failure: str, stack: Sequence[str]) -> Entry | Unreadable:
    """Return at least the place of a broken envelope, so that its company's feed can go on."""
    try:
        attributes: Any = json.loads(body)
    except (ValueError, RecursionError):
        return Unreadable(body, failure, stack)
    match attributes:
        case {"companyid": str(company_id), "feedposition": int(position)} if (
            type(position) is int and 0 < position < 1 << 63 and _is_company(company_id)
        ):
            return Entry(
                body=body,
                company_id=company_id,
                position=position,
                event="unreadable",
                digest=sha256(body).digest()[:SIZE],
                failure=failure,
                stack=stack,
            )
    return Unreadable(body, failure, stack)


def _is_too_large(push: Push | Termination) -> bool:
    # Escaped in a frame, a character takes at most eight bytes: most need no second look.
    return isinstance(push, Push) and len(push.data) * 8 > LARGEST_PUSH and len(push.body) > LARGEST_PUSH


@lru_cache(maxsize=10_000)
def _is_company(company_id: str) -> bool:
    return channels.parse(str(CompanyChannel(company_id))) is not None


def _cause(error: ValidationError) -> str:
    """Say what is wrong and where, without the values: they may be personal data."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc'])) or 'envelope'}: {problem['msg']}" for problem in problems)
