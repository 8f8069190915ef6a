"""`leadwire where`: the way of one fact, or of a lead's last ones, from the log to the sockets.

The log and the outbox say whether it is stored and published, the stream `CRM` when; the active notifier is asked what
followed from it, and every gateway to whom it gave that. Nothing here shows what a fact says.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from nats.aio.client import Client
from nats.errors import Error, NoRespondersError
from pydantic import ValidationError

from contracts import streams, subjects
from contracts.push import MESSAGE_ID_HEADER
from contracts.where import MOST, ORDER, Applied, Delivered, Deliveries, DeliveriesAsked, Pushed
from leads.store.facts import COLUMNS, Recorded
from runtime import direct

LONGEST: Final = 100  # facts of a lead
PATIENCE: Final = 5.0  # seconds for an answer
QUIET: Final = 0.5  # seconds without another gateway's answer
SKEW: Final = timedelta(minutes=1)  # by which NATS' clock may be behind that of who recorded the fact
SEARCHED: Final = 2000  # messages of one subject of the stream

_WAITS: Final = "o.id IS NOT NULL FROM events AS e LEFT JOIN outbox AS o USING (company_id, feed_position)"
FACT: Final = f"SELECT {COLUMNS}, {_WAITS} WHERE e.event_id = %(id)s"
STREAM: Final = f"""
SELECT {COLUMNS}, {_WAITS} WHERE e.stream_id = %(id)s ORDER BY e.company_id, e.stream_version DESC LIMIT %(last)s
"""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Relayed:
    """The fact on the stream."""

    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """How far a fact came."""

    fact: Recorded
    waits: bool
    """Whether it is in the outbox."""
    relayed: Relayed | None
    applied: Applied | None
    """None: no notifier answered."""
    gateways: Sequence[Deliveries] = field(default_factory=tuple)


async def journeys(connection: Connection, nats: Client, sought: UUID, *, last: int) -> list[Journey]:
    """Return the way of the fact of that id, or of the last facts of what has it: the newest last.

    Raises:
        psycopg.Error: the database is away.
        nats.errors.Error, OSError, TimeoutError: NATS is away.
    """
    rows = await (await connection.execute(FACT, {"id": sought})).fetchall()
    if not rows:
        rows = await (await connection.execute(STREAM, {"id": sought, "last": max(1, min(last, LONGEST))})).fetchall()
    return [await _journey(nats, Recorded(*row[:-1]), waits=row[-1]) for row in reversed(rows)]


async def _journey(nats: Client, fact: Recorded, *, waits: bool) -> Journey:
    relayed = await _relayed(nats, fact)
    applied = await _applied(nats, fact)
    pushes = applied.pushes if applied is not None else ()
    gateways = await _deliveries(nats, [push.message_id for push in pushes if push.sequence is not None])
    return Journey(fact=fact, waits=waits, relayed=relayed, applied=applied, gateways=gateways)


async def _relayed(nats: Client, fact: Recorded) -> Relayed | None:
    subject = subjects.fact(str(fact.company_id), str(fact.stream_id), fact.type)
    since = fact.recorded_at - SKEW
    # A stream that was filled again has the id with its generation behind it.
    found = await direct.find(
        nats, streams.CRM, subject, lambda headers: _id(headers) == str(fact.event_id), since=since, most=SEARCHED
    )
    return None if found is None else Relayed(direct.sequence(found), direct.stored_at(found))


def _id(headers: Mapping[str, str]) -> str:
    return headers.get(MESSAGE_ID_HEADER, "").partition(":")[0]


async def _applied(nats: Client, fact: Recorded) -> Applied | None:
    try:
        answer = await nats.request(subjects.WHERE_APPLIED, fact.envelope().to_json(), timeout=PATIENCE)
        return Applied.model_validate_json(answer.data)
    except (NoRespondersError, TimeoutError, ValidationError):  # none is active, or it cannot tell now
        return None


async def _deliveries(nats: Client, message_ids: Sequence[str]) -> list[Deliveries]:
    """Ask all gateways, until each one that lives has answered, or none does any more."""
    if not message_ids:
        return []
    answers = await nats.subscribe(nats.new_inbox())
    found: dict[str, Deliveries] = {}
    expected: set[str] = set()
    try:
        question = DeliveriesAsked(message_ids=tuple(message_ids[:MOST])).model_dump_json().encode()
        await nats.publish(subjects.WHERE_DELIVERED, question, reply=answers.subject)
        while not found or expected - found.keys():
            try:
                answer = Deliveries.model_validate_json((await answers.next_msg(QUIET)).data)
            except (Error, TimeoutError, ValidationError):  # no gateway (any more)
                break
            found[answer.node] = answer
            expected.update(answer.nodes)
    finally:
        await asyncio.shield(answers.unsubscribe())
    return list(found.values())


def as_json(journey: Journey) -> dict[str, Any]:
    """Return a journey for programs."""
    fact, relayed = journey.fact, journey.relayed
    return {
        "event_id": str(fact.event_id),
        "type": fact.type,
        "company_id": str(fact.company_id),
        "subject": str(fact.stream_id),
        "version": fact.stream_version,
        "position": fact.feed_position,
        "correlation_id": fact.metadata.get("correlation_id"),
        "traceparent": fact.metadata.get("traceparent"),
        "stored_at": fact.recorded_at.isoformat(),
        "in_outbox": journey.waits,
        "relayed": None if relayed is None else {"sequence": relayed.sequence, "at": relayed.at.isoformat()},
        "applied": None if journey.applied is None else journey.applied.model_dump(mode="json"),
        "gateways": [gateway.model_dump(mode="json") for gateway in journey.gateways],
    }


def lines(journey: Journey) -> Iterator[str]:
    """Yield a journey for a person."""
    fact = journey.fact
    yield f"{fact.type}  {fact.event_id}"
    yield f"  of        {fact.stream_id}, version {fact.stream_version}"
    yield f"  in        the feed of company {fact.company_id}, position {fact.feed_position}"
    correlation = fact.metadata.get("correlation_id", "none")
    yield f"  stored    {_clock(fact.recorded_at)}            correlation id {correlation}"
    yield f"  relayed   {_relayed_line(journey)}"
    yield f"  applied   {_applied_line(journey)}"
    if journey.applied is not None:
        for push in journey.applied.pushes:
            yield from _push_lines(journey, push)


def _relayed_line(journey: Journey) -> str:
    relayed = journey.relayed
    if relayed is not None:
        return f"{_when(journey, relayed.at)}  CRM {relayed.sequence}"
    if journey.waits:
        return "not yet: it is in the outbox; is NATS there, and a relay active?"
    return "yes, but the stream does not keep it any more (7 days or 1 GiB)"


def _applied_line(journey: Journey) -> str:
    applied = journey.applied
    if applied is None:
        return "unknown: no notifier is active, or it cannot tell now"
    if applied.cursor < journey.fact.feed_position:
        return f"not yet: the notifier is at position {applied.cursor}"
    when = "before what the notifier remembers" if applied.at is None else _when(journey, applied.at)
    return f"{when}  {_outcome(applied)}"


def _outcome(applied: Applied) -> str:
    if applied.passed_over or applied.dead_letter is not None:
        letter = "a dead letter" if applied.dead_letter is None else f"dead letter {applied.dead_letter}"
        return f"dropped: {letter}{f' ({applied.failure})' if applied.failure else ''}; ./leadwire dead"
    if not applied.is_known:
        return "dropped: this notifier's release does not know such facts"
    job = [] if applied.job_id is None else [f"part of job {applied.job_id}, told by `leads.changed` once a second"]
    figures = ["figures follow once a second"] if applied.changes_figures else []
    pushes = [_count(len(applied.pushes), "push", "pushes")] if applied.pushes or not job else []
    return "; ".join([*pushes, *job, *figures])


def _push_lines(journey: Journey, push: Pushed) -> Iterator[str]:
    if push.at is None:
        reason = "not in PUSH: muted by the user, or not kept any more (24 hours or 1 GiB)"
        yield f"  pushed    {reason}  {push.event} on {push.channel}"
        return
    yield f"  pushed    {_when(journey, push.at)}  PUSH {push.sequence}  {push.event} on {push.channel}"
    heard = [(gateway.node, each) for gateway in journey.gateways for each in gateway.delivered]
    matched = [(node, each) for node, each in heard if each.message_id == push.message_id]
    for node, each in matched:
        yield f"    matched {_when(journey, each.at)}  {_sockets(each)} on gateway {node}"
    if not matched and push.event != ORDER:
        yield f"    {_unheard(journey, push.at)}"


def _sockets(delivered: Delivered) -> str:
    count = _count(delivered.sockets, "socket", "sockets")
    return f"{count}, the author's own left out" if delivered.has_author else count


def _count(number: int, one: str, many: str) -> str:
    return f"{number or 'no'} {one if number == 1 else many}"


def _unheard(journey: Journey, at: datetime) -> str:
    if not journey.gateways:
        return "no gateway answered"
    forgetful = [gateway.node for gateway in journey.gateways if gateway.since > at]
    if forgetful:
        correlation = journey.fact.metadata.get("correlation_id", "none")
        return f"older than what {', '.join(forgetful)} remember; look for `delivered` with {correlation} in the logs"
    return f"nobody listened: none of {len(journey.gateways)} gateways had a subscription"


def _when(journey: Journey, at: datetime) -> str:
    late = (at - journey.fact.recorded_at).total_seconds() * 1000
    return f"{_clock(at)}  {f'{late:+.0f} ms':>9}"


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03}"


def text(found: Sequence[Journey], *, json_lines: bool) -> str:
    """Return journeys as they are printed."""
    if json_lines:
        return "\n".join(json.dumps(as_json(journey)) for journey in found)
    return "\n\n".join("\n".join(lines(journey)) for journey in found)
