"""Noticing that the log was set back: that an older state of the database was restored, by whatever means.

The relay knows what it has published. It compares that with the log once a second, and whatever else is on the stream
`CRM` as well: how far every message of the stream is known to be in the log stands in `relay_marks`. What it has
published and the log no longer has means that positions are used a second time. Then another epoch of the log begins,
and with it stands, for each company concerned, the last position that is still the same.

A message that another has put onto the stream is no proof while the relay knows what it has published: it is reported.
When a relay begins, nobody knows, and it counts as one: everybody loads again, which harms nobody.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.errors import Error
from prometheus_client import Counter

from contracts import streams, subjects
from leads.reseed import Connection
from leads.store.facts import Recorded
from runtime import direct

STEP: Final = 5000  # messages that are looked at before something else is done
REMEMBERED: Final = 10_000  # companies
CHECKED: Final = 200  # companies that are compared in each look: those published last, and as many others in turn
READ_THROUGH: Final = 50  # companies of which the stream is read to find where the log parts from it

MARK: Final = "SELECT sequence FROM relay_marks"
SET_MARK: Final = "UPDATE relay_marks SET sequence = %(sequence)s"
STRANGERS: Final = """
SELECT asked.company_id, asked.position
FROM unnest(%(companies)s::uuid[], %(positions)s::bigint[], %(events)s::uuid[])
    AS asked (company_id, position, event_id)
LEFT JOIN events AS e ON (e.company_id, e.feed_position) = (asked.company_id, asked.position)
WHERE e.event_id IS DISTINCT FROM asked.event_id
"""
BEGIN: Final = """
WITH begun AS (INSERT INTO epochs (reason) VALUES (%(reason)s) RETURNING number, id),
forked AS (
    INSERT INTO epoch_forks (number, company_id, position)
    SELECT begun.number, n.company_id, n.position
    FROM begun, unnest(%(companies)s::uuid[], %(positions)s::bigint[]) AS n (company_id, position)
)
SELECT id FROM begun
"""

_log = structlog.stdlib.get_logger("leads.setback")
_foreign = Counter("relay_foreign_messages_total", "Messages on the stream of facts that are not in the log")
_epochs = Counter("relay_epochs_total", "Times that the log was found set back, and another epoch began")


@dataclass(frozen=True, slots=True)
class Place:
    """Which fact a message says it is."""

    company_id: UUID
    position: int
    event_id: UUID

    @classmethod
    def read(cls, body: bytes) -> "Place | None":
        """Return what a message says; None for one that says no such thing. Never raises."""
        try:
            said: Any = json.loads(body)
            place = cls(UUID(said["companyid"]), said["feedposition"], UUID(said["id"]))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return place if type(place.position) is int and 0 < place.position < 1 << 63 else None


class SetBackWatch:
    """What one relay knows of the stream and the log, over all its connections to the database."""

    def __init__(self, nats: Client) -> None:
        self._nats = nats
        self._database: Connection | None = None
        self._reached = 0  # every message up to this sequence has been accounted for
        self._own: set[int] = set()  # those beyond it that we have published
        self._written = 0  # the mark, as we wrote it
        self._last: OrderedDict[UUID, tuple[int, str]] = OrderedDict()  # company → last published position and event
        self._overtaken: dict[UUID, int] = {}  # company → how far it was, before a fact came at an earlier position
        self._turn = 0
        self._has_begun = False

    def begin(self, connection: Connection) -> None:
        """Be the active relay from now on: what the stream holds beyond the mark, another one may have published."""
        self._database = connection
        self._has_begun = False
        self._own.clear()

    def published(self, events: Sequence[Recorded], sequences: Iterable[int], *, again: bool) -> None:
        """Take note of what the stream has stored.

        Args:
            events: in their companies' orders.
            sequences: where.
            again: whether they had been published before.
        """
        for event in events:
            company_id = UUID(event.company_id)
            last, event_id = self._last.get(company_id, (0, ""))
            if event.feed_position <= last and event.event_id != event_id and not again:
                self._overtaken[company_id] = max(last, self._overtaken.get(company_id, 0))
            elif event.feed_position > last:
                self._last[company_id] = event.feed_position, event.event_id
                self._last.move_to_end(company_id)
        while len(self._last) > REMEMBERED:
            self._last.popitem(last=False)
        if self._has_begun:
            self._own.update(sequence for sequence in sequences if sequence > self._reached)
            while self._reached + 1 in self._own:
                self._reached += 1
                self._own.discard(self._reached)

    async def look(self) -> bool:
        """Compare the log with what was published, and the stream with the log; begin another epoch if need be.

        Returns:
            Whether the log was set back.

        Raises:
            psycopg.Error: the database is lost.
        """
        try:
            return await self._look()
        except (Error, OSError, TimeoutError) as error:  # NATS is away: then nothing is published, either
            _log.warning("the stream cannot be compared", error=type(error).__name__)
            return False

    async def _look(self) -> bool:
        mark = await self._mark()
        last = await self._end_of_stream()
        lost = await self._lost()
        if not self._has_begun or mark < self._written:
            self._has_begun = False  # what the stream holds since then may be of a log that is gone
            self._own.clear()
            self._reached = mark if mark <= last else 0  # a stream that ends before the mark is another one
        strangers: dict[UUID, int] = {}
        while self._reached < last:
            for company_id, position in (await self._examine(last)).items():
                strangers[company_id] = min(position, strangers.get(company_id, position))
        if not self._has_begun:
            # One that was published is lost for certain; of the others, nobody can know it.
            lost = {**{company_id: position - 1 for company_id, position in strangers.items()}, **lost}
        self._has_begun = True
        # Together: a relay killed in between would leave the same messages for the next one to begin another epoch for.
        async with self._connection.transaction():
            if lost:
                await self._begin_epoch(lost)
            if self._reached != mark:
                await self._connection.execute(SET_MARK, {"sequence": self._reached})
        self._written = self._reached
        return bool(lost)

    @property
    def _connection(self) -> Connection:
        assert self._database is not None  # `begin` comes first
        return self._database

    async def _mark(self) -> int:
        row = await (await self._connection.execute(MARK)).fetchone()
        return 0 if row is None else int(row[0])

    async def _end_of_stream(self) -> int:
        info = await self._nats.jetstream().stream_info(streams.CRM)
        return info.state.last_seq

    async def _lost(self) -> dict[UUID, int]:
        """Return the companies of which the log lacks what was published last: each with how far it still agrees."""
        newest = list(islice(reversed(self._last.items()), CHECKED))
        start = self._turn % max(1, len(self._last))
        others = list(islice(self._last.items(), start, start + CHECKED))
        self._turn = start + CHECKED if start + CHECKED < len(self._last) else 0
        asked = dict([*newest, *others])
        places = [Place(company_id, position, UUID(event_id)) for company_id, (position, event_id) in asked.items()]
        if not self._overtaken and not await self._strangers(places):
            return {}
        everything = [Place(company_id, at, UUID(event)) for company_id, (at, event) in self._last.items()]
        lost = self._overtaken | await self._strangers(everything)
        for company_id in lost:
            self._last.pop(company_id, None)
        self._overtaken.clear()
        parting = {
            company_id: await self._parting(company_id, position)
            for company_id, position in islice(lost.items(), READ_THROUGH)
        }
        return {company_id: parting.get(company_id, position - 1) for company_id, position in lost.items()}

    async def _parting(self, company_id: UUID, position: int) -> int:
        """Return the last position up to which the stream and the log agree on a company."""
        first = position
        portion: list[Place] = []
        pattern = f"crm.{subjects.token(str(company_id))}.>"
        async with aclosing(direct.read(self._nats, streams.CRM, pattern)) as messages:
            async for message in messages:
                place = Place.read(message.data)
                if place is not None and place.company_id == company_id and place.position < first:
                    portion.append(place)
                if len(portion) >= STEP:
                    first = min([first, *(await self._strangers(portion)).values()])
                    portion.clear()
        return min([first, *(await self._strangers(portion)).values()]) - 1

    async def _examine(self, last: int) -> dict[UUID, int]:
        """Look at some messages behind what is accounted for, and return which are not in the log: see `_strangers`."""
        places: list[Place] = []
        unreadable, reached = 0, last
        messages = direct.read(self._nats, streams.CRM, subjects.FACTS, after=self._reached, until=last)
        async with aclosing(messages) as found:
            async for message in found:
                at = direct.sequence(message)
                if at not in self._own:
                    place = Place.read(message.data)
                    unreadable += place is None
                    places += [] if place is None else [place]
                if at - self._reached >= STEP:
                    reached = at
                    break
        strangers = await self._strangers(places)
        if unreadable or strangers:
            _foreign.inc(unreadable + len(strangers))
            companies = [str(company_id) for company_id in islice(strangers, 10)]
            _log.error("the stream holds what is not in the log", companies=companies, until_sequence=reached)
        self._reached = reached
        self._own = {sequence for sequence in self._own if sequence > reached}
        return strangers

    async def _strangers(self, places: Sequence[Place]) -> dict[UUID, int]:
        """Return the companies of which the log has not some place, or another fact there: each with the lowest one."""
        found: dict[UUID, int] = {}
        for start in range(0, len(places), STEP):
            some = places[start : start + STEP]
            values = {
                "companies": [place.company_id for place in some],
                "positions": [place.position for place in some],
                "events": [place.event_id for place in some],
            }
            for company_id, position in await (await self._connection.execute(STRANGERS, values)).fetchall():
                found[company_id] = min(position, found.get(company_id, position))
        return found

    async def _begin_epoch(self, agreed: Mapping[UUID, int]) -> None:
        values = {
            "reason": "found set back",
            "companies": list(agreed),
            "positions": list(agreed.values()),
        }
        row = await (await self._connection.execute(BEGIN, values)).fetchone()
        assert row is not None
        _epochs.inc()
        _log.error(
            "the log was set back: another epoch begins",
            epoch=row[0],
            companies={str(company_id): position for company_id, position in islice(agreed.items(), 20)},
        )
