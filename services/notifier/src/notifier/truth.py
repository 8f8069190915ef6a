"""What is a fact, where the stream says different things: the log is asked, and what it contradicts is taken back.

A message on the stream is believed as long as it fits: the next position, of the log's epoch, readable, and nothing
else at the same position. Each other one is a doubt. Once a second the log is asked whether it agrees with the last
fact that was applied (`notifier.confirming`), so that a forged fact that fits does not stay, either.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from contracts.channels import CompanyChannel
from contracts.push import JobPush, Push, Reset
from notifier import metrics
from notifier.cursors import REMEMBERED, Cursor, Feed, agreed
from notifier.effects import Effects
from notifier.feed import Entry, read
from notifier.leads_client import PAGE, LeadsClient, UnknownCompany
from notifier.letters import foreign
from notifier.store import SettingBack

ANOTHER: Final = "forged: the log has another fact at this position"
BEYOND: Final = "forged: the log does not go so far"
NO_COMPANY: Final = "forged: the log has no such company"
_NOBODY: Final = Feed(position=0, shared={})

_log = structlog.stdlib.get_logger("notifier.truth")


@dataclass(frozen=True, slots=True)
class Look:
    """What the log says of a stretch of a company's feed."""

    feed: Feed
    facts: Mapping[int, Entry] = field(default_factory=dict)

    @property
    def digests(self) -> Mapping[int, bytes]:
        return {position: fact.digest for position, fact in self.facts.items()}


def raises_doubt(cursor: Cursor, entry: Entry) -> bool:
    """Whether an entry does not fit to what was applied."""
    if entry.epoch is not None and entry.epoch != cursor.epoch and cursor != Cursor():
        return True
    return cursor.digest_at(entry.position) not in {None, entry.digest}


def unanimous(cursor: Cursor, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that can be believed: readable ones of the cursor's epoch that nothing else contradicts."""
    claimed = {entry.epoch for entry in entries} - {None}
    epochs = claimed if cursor == Cursor() else {cursor.epoch}
    if len(epochs) > 1:
        return []  # a company that is heard of for the first time, and in two epochs
    at: defaultdict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        at[entry.position].append(entry)
    return [
        claims[0]
        for claims in at.values()
        if claims[0].is_plain and len({claim.digest for claim in claims}) == 1 and claims[0].epoch in {None, *epochs}
    ]


def contested(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries at whose position others say something else."""
    claims: defaultdict[int, set[bytes]] = defaultdict(set)
    for entry in entries:
        claims[entry.position].add(entry.digest)
    return [entry for entry in entries if len(claims[entry.position]) > 1]


class Truth:
    """Asks the log, and sets cursors back where it contradicts what was applied."""

    def __init__(self, leads: LeadsClient, effects: Effects, *, app_id: str, new_id: Callable[[], str]) -> None:
        self._leads = leads
        self._effects = effects
        self._app_id = app_id
        self._new_id = new_id

    async def look(self, company_id: str, *, after: int, until: int) -> Look:
        """Return what the log says from behind a position up to another one, as far as it goes.

        Raises:
            LeadsUnavailable: see there.
        """
        facts: dict[int, Entry] = {}
        reached = after
        while True:
            try:
                answer = await self._leads.changes(company_id, after=reached, limit=min(PAGE, max(1, until - reached)))
            except UnknownCompany:
                return Look(_NOBODY)
            for content in (read(body, self._app_id) for body in answer.facts):
                if isinstance(content, Entry) and content.company_id == company_id:
                    facts[content.position] = content
            end = max(facts, default=reached)
            if end >= min(until, answer.feed.position) or end == reached:
                return Look(answer.feed, facts)
            reached = end

    async def reconciled(self, company_id: str, cursor: Cursor, *, applied: Callable[[int], Entry | None]) -> Cursor:
        """Return the cursor after what was applied beyond the log is taken back, or the same one where the log agrees.

        Args:
            company_id: whose.
            cursor: what was applied.
            applied: tells what was applied at a position, as long as it is known.

        Raises:
            LeadsUnavailable: see there.
            Exception: as `Effects.do`.
        """
        look = await self.look(company_id, after=cursor.known_from - 1, until=cursor.position)
        # An api of a release that knows no epochs tells of none.
        feed = look.feed if look.feed.epoch is not None else replace(look.feed, epoch=cursor.epoch)
        position = agreed(cursor, look.digests, feed)
        if position == cursor.position and feed.epoch == cursor.epoch:
            return cursor
        if position == cursor.position and cursor.epoch is None and feed.shared_with(None) is None:
            await self._effects.adopt(company_id, feed.epoch)  # of a release that knew no epochs
            return cursor.back_at(position, feed.epoch)
        reason: Reset = "correction" if feed.epoch == cursor.epoch else "epoch"
        back = cursor.back_at(position, feed.epoch)
        untrue = range(position + 1, cursor.position + 1) if reason == "correction" else range(0)
        dead = [foreign(entry, ANOTHER, None) for at in untrue if (entry := applied(at)) is not None]
        events = [fact.event_id for at, fact in look.facts.items() if at > position and fact.event_id is not None]
        await self._effects.set_back(
            SettingBack(company_id=company_id, cursor=back, true_events=events),
            self.told(company_id, feed.position, feed.epoch, reason),
            dead,
        )
        metrics.SET_BACK.labels(reason).inc()
        if reason == "correction":
            metrics.FOREIGN.inc(len(untrue))
        _log.error(
            "the log contradicts what was applied: screens are told to load everything again",
            company_id=company_id,
            reason=reason,
            epoch=feed.epoch,
            applied=cursor.position,
            agreed=position,
            log=feed.position,
        )
        return back

    async def ended_epochs(self, company_id: str, cursor: Cursor) -> frozenset[str]:
        """Return the epochs of the log that have ended, as far as it knows them.

        Raises:
            LeadsUnavailable: see there.
        """
        feed = (await self.look(company_id, after=cursor.position, until=cursor.position)).feed
        return frozenset(feed.shared) - {feed.epoch or ""}

    async def contradicted(self, company_id: str, cursor: Cursor, entries: Sequence[Entry]) -> dict[int, str]:
        """Return the repeats, older than what a cursor remembers, that are not what the log says; asked for once."""
        old = [entry for entry in entries if entry.position < cursor.known_from and entry.position <= cursor.position]
        if not old:
            return {}
        first = min(entry.position for entry in old)
        look = await self.look(company_id, after=first - 1, until=min(cursor.position, first - 1 + PAGE))
        return {
            id(entry): ANOTHER
            for entry in old
            if entry.position in look.facts and look.facts[entry.position].digest != entry.digest
        }

    def told(self, company_id: str, position: int, epoch: str | None, reason: Reset) -> Push:
        """Return the push that lets a company's screens load everything again."""
        return Push(
            app_id=self._app_id,
            channel=str(CompanyChannel(company_id)),
            event="leads.changed",
            data=JobPush(job_id=None, count=0, position=position, epoch=epoch, reset=reason).data,
            key=f"reset:{self._new_id()}",
        )


class Applied:
    """The last facts that were applied, so that one that proves untrue can be shown. Bounded; the oldest goes first."""

    def __init__(self, *, most: int = 32 * REMEMBERED, longest: int = 1 << 16) -> None:
        """Remember nothing yet.

        Args:
            most: how many facts.
            longest: bytes of a fact that is remembered.
        """
        self._most = most
        self._longest = longest
        self._facts: dict[tuple[str, int], Entry] = {}

    def note(self, run: Iterable[Entry]) -> None:
        """Remember facts."""
        for entry in run:
            if len(entry.body) <= self._longest:
                self._facts.pop((entry.company_id, entry.position), None)
                self._facts[entry.company_id, entry.position] = entry
        while len(self._facts) > self._most:
            del self._facts[next(iter(self._facts))]

    def of(self, company_id: str) -> Callable[[int], Entry | None]:
        """Return what tells a company's fact at a position."""
        return lambda position: self._facts.get((company_id, position))
