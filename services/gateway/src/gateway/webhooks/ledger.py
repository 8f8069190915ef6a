"""What is true of channels, what was told of them, and therefore what is to be told now.

Arrivals are told at once, departures when they are still true after a while, so that a page that is loaded again causes
nothing. Per channel the order is causal: occupied, then members; members gone, then vacated.
"""

from collections.abc import Callable, Set
from typing import Final, TypeAlias

from gateway.cluster.records import OVER, Record
from gateway.cluster.roster import Change, Joined, Roster
from gateway.pusher import channels
from gateway.pusher.app import App, WebhookEvent
from gateway.pusher.channels import Kind
from gateway.webhooks import announced, events
from gateway.webhooks.announced import Story
from gateway.webhooks.events import Event

MANY: Final = 100  # listeners; above it their number is told now and then
PAUSE: Final = 5.0  # seconds between two such numbers

OCCUPANCY: Final = (WebhookEvent.CHANNEL_OCCUPIED, WebhookEvent.CHANNEL_VACATED)
MEMBERS: Final = (WebhookEvent.MEMBER_ADDED, WebhookEvent.MEMBER_REMOVED)
KINDS: Final = (*OCCUPANCY, *MEMBERS, WebhookEvent.SUBSCRIPTION_COUNT)

Place: TypeAlias = tuple[str, str]
"""App id and channel."""


class _Channel:
    """One channel: `told…` is what was told, the rest is true."""

    __slots__ = (
        "count_after", "leaving", "members", "presence", "roster", "told_count", "told_members", "told_occupied",
        "touched", "vacant_at",
    )  # fmt: skip

    def __init__(self, roster: Roster, *, presence: bool) -> None:
        self.roster = roster
        self.presence = presence
        self.members: set[str] = set()
        self.touched: dict[str, None] = {}
        """Members to look at, in order."""
        self.leaving: dict[str, float] = {}
        """Member who left → when to tell."""
        self.vacant_at: float | None = None
        """When to tell that nobody is left."""
        self.count_after = 0.0
        """When a large number may be told again."""
        self.told_occupied = False
        self.told_count = 0
        self.told_members: set[str] = set()

    @property
    def occupied(self) -> bool:
        return bool(self.members) if self.presence else self.roster.count > 0

    @property
    def over(self) -> bool:
        """Whether there is nothing left to tell, now or when a node returns."""
        return self.roster.empty and not (self.told_occupied or self.told_count or self.told_members)


class Ledger:
    """All channels of the apps that want to hear of them. Times are seconds of one monotonic clock."""

    def __init__(self, living: Set[str], app: Callable[[str], App | None], *, hold: float) -> None:
        """Know nothing yet. First load what was told and take the records that stand, then begin.

        Args:
            living: the nodes whose records count; call `node_changed` after each change of it.
            app: id → app.
            hold: seconds after which a departure counts.
        """
        self._living = living
        self._app = app
        self._hold = hold
        self._earliest = 0.0
        self._begun = False
        self._channels: dict[Place, _Channel] = {}
        self._changed: dict[Place, None] = {}
        self._later: dict[Place, float] = {}

    def __len__(self) -> int:
        """Return the number of channels of which there is something to remember."""
        return len(self._channels)

    def load(self, record: announced.Record) -> None:
        """Take a record of what was told."""
        channel = self._channel((record.app_id, record.channel))
        if record.user_id is None:
            channel.told_occupied, channel.told_count = record.occupied, record.count
        else:
            channel.told_members.add(record.user_id)
            channel.touched[record.user_id] = None

    def begin(self, earliest: float) -> None:
        """Everything that stands was taken.

        Args:
            earliest: when a departure may first be told: nodes may still be on their way back.
        """
        self._begun = True
        self._earliest = earliest
        for place, channel in self._channels.items():
            channel.roster.finish(lambda _node, _member: True)
            self._changed[place] = None

    def take(self, record: Record) -> None:
        """Take a record of the gateways."""
        if channels.kind_of(record.topic) is Kind.USER:
            return
        place = (record.app_id, record.topic)
        channel = self._channel(place)
        changes = channel.roster.apply(record)
        if changes is not None:
            self._note(place, channel, changes)

    def node_changed(self, node: str) -> None:
        """Count a node's records again, or no more."""
        for place, channel in self._channels.items():
            if channel.roster.knows(node):
                self._note(place, channel, channel.roster.node_changed(node))

    def forget(self, node: str) -> None:
        """Forget the records of a node that has been gone for long."""
        for place, channel in self._channels.items():
            if channel.roster.knows(node):
                channel.roster.forget(node)
                self._changed[place] = None

    def next_look(self) -> float | None:
        """Return when to ask for stories again; None: when something changes."""
        return 0.0 if self._changed else min(self._later.values(), default=None)

    def stories(self, now: float, limit: int) -> list[Story]:
        """Return what is to be told now, in order: about so many stories; they count as told."""
        for place in [place for place, due in self._later.items() if due <= now]:
            del self._later[place]
            self._changed[place] = None
        told: list[Story] = []
        while self._changed and len(told) < limit:
            place = next(iter(self._changed))
            del self._changed[place]
            told += self._look(place, self._channels[place], now)
        return told

    def _channel(self, place: Place) -> _Channel:
        channel = self._channels.get(place)
        if channel is None:
            presence = channels.kind_of(place[1]).presence
            channel = self._channels[place] = _Channel(Roster(self._living), presence=presence)
            if not self._begun:
                channel.roster.begin()
        return channel

    def _note(self, place: Place, channel: _Channel, changes: list[Change]) -> None:
        for change in changes:
            (channel.members.add if isinstance(change, Joined) else channel.members.discard)(change.user_id)
            channel.touched[change.user_id] = None
        self._changed[place] = None

    def _look(self, place: Place, channel: _Channel, now: float) -> list[Story]:
        """Tell what is due of a channel, and remember when to look again."""
        self._later.pop(place, None)
        app = self._app(place[0])
        if app is None or channel.over:
            del self._channels[place]
            return []
        told = _Telling(place, channel, now, max(now + self._hold, self._earliest))
        if app.notifies(*OCCUPANCY):
            told.arrival()
        if app.subscription_counting and app.notifies(WebhookEvent.SUBSCRIPTION_COUNT):
            told.count()
        if app.notifies(*MEMBERS):
            told.members()
        if app.notifies(*OCCUPANCY):
            told.departure()
        if told.later:
            self._later[place] = min(told.later)
        elif channel.over:
            del self._channels[place]
        return told.stories


class _Telling:
    """One look at a channel."""

    def __init__(self, place: Place, channel: _Channel, now: float, held: float) -> None:
        """Begin to look.

        Args:
            place: of the channel.
            channel: what is true and what was told.
            now: the present.
            held: when a departure that is noticed now may be told.
        """
        self._app_id, self._name = place
        self._channel = channel
        self._now = now
        self._held = held
        self.stories: list[Story] = []
        self.later: list[float] = []
        """When to look again."""

    def arrival(self) -> None:
        channel = self._channel
        if channel.occupied:
            channel.vacant_at = None
            if not channel.told_occupied:
                channel.told_occupied = True
                self._tell(Event(WebhookEvent.CHANNEL_OCCUPIED, self._name))

    def departure(self) -> None:
        """Tell that the channel is vacant, when its members are gone."""
        channel = self._channel
        if channel.occupied or not channel.told_occupied:
            return
        if channel.vacant_at is None:
            channel.vacant_at = self._held
        due = max(channel.vacant_at, *channel.leaving.values(), 0.0)
        if due > self._now:
            self.later.append(due)
            return
        channel.told_occupied, channel.vacant_at = False, None
        self._tell(Event(WebhookEvent.CHANNEL_VACATED, self._name))

    def count(self) -> None:
        channel, number = self._channel, self._channel.roster.count
        if channel.presence or number == channel.told_count:
            return
        if number > MANY:
            if self._now < channel.count_after:
                self.later.append(channel.count_after)
                return
            channel.count_after = self._now + PAUSE
        channel.told_count = number
        self._tell(events.subscription_count(self._name, number))

    def members(self) -> None:
        channel = self._channel
        for user_id in channel.touched:
            if user_id not in channel.members:
                if user_id in channel.told_members:
                    channel.leaving.setdefault(user_id, self._held)
                continue
            channel.leaving.pop(user_id, None)
            if user_id not in channel.told_members:
                channel.told_members.add(user_id)
                self._tell_member(WebhookEvent.MEMBER_ADDED, user_id, announced.member_body(user_id))
        channel.touched.clear()
        for user_id in [user_id for user_id, due in channel.leaving.items() if due <= self._now]:
            del channel.leaving[user_id]
            channel.told_members.remove(user_id)
            self._tell_member(WebhookEvent.MEMBER_REMOVED, user_id, OVER)
        self.later += channel.leaving.values()

    def _tell(self, event: Event) -> None:
        body = announced.channel_body(occupied=self._channel.told_occupied, count=self._channel.told_count)
        self.stories.append(Story(self._app_id, event, announced.channel_subject(self._app_id, self._name), body))

    def _tell_member(self, name: WebhookEvent, user_id: str, body: bytes) -> None:
        subject = announced.member_subject(self._app_id, self._name, user_id)
        self.stories.append(Story(self._app_id, events.member(name, self._name, user_id), subject, body))
