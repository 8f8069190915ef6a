"""How many listen to a channel, over all gateways; the numbers are those of the conformance checklist."""

import json
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from gateway import tally
from gateway.cluster.records import Record
from gateway.cluster.roster import Roster
from gateway.cluster.watch import Watch
from gateway.pusher.app import App, Webhook, WebhookEvent
from gateway.tally import Tally
from support.gateways import APP, COUNTING_APP, MISS, SUCCEEDED
from support.waiting import until

COUNT = "pusher_internal:subscription_count"


async def count(client):
    event, _, data = await client.event()
    assert event == COUNT
    return json.loads(data)["subscription_count"]


async def reads_until(client, number):
    """Read counts until it is this one; nothing else comes."""
    while await count(client) != number:
        pass


async def test_065_everyone_hears_the_count_of_all_gateways(gateways):
    channel = f"news-{uuid4()}"
    async with gateways[0].connect(COUNTING_APP) as first, gateways[1].connect(COUNTING_APP) as second:
        await first.join(channel)
        assert await count(first) == 1
        await second.join(channel)

        assert [await count(first), await count(second)] == [2, 2]
        await second.send("pusher:unsubscribe", data={"channel": channel})
        assert await count(first) == 1
        await second.hears_nothing()


async def test_065_the_count_follows_the_cached_frame(gateway):
    channel = f"cache-{uuid4()}"
    async with gateway.connect(COUNTING_APP) as client:
        await client.send("pusher:subscribe", data={"channel": channel})

        assert [(await client.frame())["event"] for _ in range(3)] == [SUCCEEDED, MISS, COUNT]


@pytest.mark.parametrize(("app", "channel"), [(COUNTING_APP, "presence-"), (APP, "news-"), (APP, "presence-")])
async def test_066_no_count_on_presence_channels_and_where_it_is_off(gateways, app, channel):
    channel += str(uuid4())
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateway.connect(app)) for gateway in gateways]
        for client in clients:
            await (client.enter(channel, "7") if channel.startswith("presence") else client.join(channel))

        for gateway in gateways:  # by the time that this one has its count, the others would have theirs
            counted = await stack.enter_async_context(gateway.connect(COUNTING_APP))
            other = f"news-{uuid4()}"
            await counted.join(other)
            assert await count(counted) == 1
        for client in clients:
            await client.hears_nothing()


async def test_the_count_is_right_again_after_a_gateway_died(new_gateway, nats):
    left, right = (new_gateway(nats, lease_seconds="3") for _ in range(2))
    async with left.connect(COUNTING_APP) as first, right.connect(COUNTING_APP) as second:
        await first.join("news")
        await second.join("news")
        await reads_until(first, 2)

        right.kill()

        await reads_until(first, 1)


async def test_many_who_join_at_once_end_with_the_right_count(gateways):
    channel = f"news-{uuid4()}"
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gateways[number % 2].connect(COUNTING_APP)) for number in range(60)]
        for client in clients:
            await client.send("pusher:subscribe", data={"channel": channel})

        for client in clients:
            assert (await client.frame())["event"] == SUCCEEDED
            await reads_until(client, 60)


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def time(self):
        return self.now

    def call_later(self, delay, callback):
        timer = Timer(self.now + delay, callback)
        self.timers.append(timer)
        return timer

    def advance(self, seconds):
        end = self.now + seconds
        while due := sorted((timer for timer in self.timers if timer.at <= end), key=lambda timer: timer.at):
            self.timers.remove(due[0])
            self.now = max(self.now, due[0].at)
            due[0].callback()
        self.now = end


class Timer:
    def __init__(self, at, callback):
        self.at = at
        self.callback = callback

    def cancel(self):
        self.callback = lambda: None


class Room:
    """Both the room and what all gateways know; what one says comes back at once."""

    app_id, channel = "1", "news"

    def __init__(self):
        self.clock = Clock()
        self.listeners = 0
        self.sent = []
        self.told = []
        self.tally = Tally(self, self, self.clock, aloud=True)

    def publish(self, frame):
        self.sent.append((self.clock.now, json.loads(json.loads(frame[frame.index(b"{") :])["data"])))

    def watch(self, app_id, topic, watcher):
        self.watched = Watch(app_id, topic, Roster({"here", "there"}))
        self.watched.watchers[watcher] = None
        self.watched.ready = True
        return self.watched

    def unwatch(self, watch, watcher):
        del watch.watchers[watcher]

    def has_told_count(self, watch):
        return bool(self.told)

    def tell_count(self, app_id, topic, number, node="here"):
        self.told.append(number)
        version = len(self.told)
        record = {"app_id": "1", "topic": "news", "member": "", "version": version, "sequence": version}
        changes = self.watched.roster.apply(Record(**record, node=node, over=not number, count=number))
        self.watched.tell(changes)

    def become(self, number):
        while self.listeners != number:
            self.listeners += 1 if number > self.listeners else -1
            self.tally.touch()

    @property
    def counts(self):
        return [data["subscription_count"] for _, data in self.sent]


def test_067_above_a_hundred_at_most_one_frame_in_five_seconds_and_the_last_is_right():
    room = Room()
    room.become(101)
    room.clock.advance(1)
    assert room.counts == [101]

    for number in range(102, 152):
        room.become(number)
        room.clock.advance(0.02)
    room.clock.advance(60)

    assert room.counts == [101, 151]
    times = [time for time, _ in room.sent]
    assert times[1] - times[0] >= 5


def test_067_up_to_a_hundred_each_change_is_told():
    room = Room()
    for number in (1, 2, 99, 100, 99):
        room.become(number)
        room.clock.advance(0.1)

    assert room.counts == [1, 2, 99, 100, 99]


def test_a_burst_is_told_to_the_others_once():
    room = Room()
    for number in (5, 3, 9):
        room.become(number)
    room.clock.advance(0.1)

    assert room.told == [9]


def test_a_newcomer_hears_the_count_even_if_it_is_the_old_one():
    room = Room()
    room.become(2)
    room.clock.advance(1)
    room.become(1)
    room.become(2)
    room.clock.advance(1)

    assert room.counts == [2, 2]


def test_other_gateways_are_counted_and_news_without_news_is_not_told():
    room = Room()
    room.become(1)
    room.clock.advance(1)
    for number in (4, 4):
        room.tell_count("1", "news", number, node="there")
        room.clock.advance(1)

    assert room.counts == [1, 5]


def test_a_closed_tally_says_nothing_more():
    room = Room()
    room.become(1)
    room.tally.close()
    room.clock.advance(10)

    assert room.told == [0]
    assert room.sent == []


@pytest.mark.parametrize(
    ("channel", "app", "expected"),
    [
        ("news", {}, False),
        ("news", {"subscription_counting": True}, True),
        ("presence-x", {"subscription_counting": True}, False),
        ("#server-to-user-1", {"subscription_counting": True}, False),
        ("presence-x", {"webhooks": [WebhookEvent.CHANNEL_VACATED]}, True),
        ("news", {"webhooks": [WebhookEvent.SUBSCRIPTION_COUNT]}, True),
        ("news", {"webhooks": [WebhookEvent.CLIENT_EVENT]}, False),
        ("#server-to-user-1", {"webhooks": [WebhookEvent.CHANNEL_OCCUPIED]}, False),
    ],
)
def test_only_those_who_want_to_know_are_counted(channel, app, expected):
    events = frozenset(app.pop("webhooks", ()))
    webhooks = (Webhook(url="http://x", event_types=events),) if events else ()
    room = Room()
    room.channel = channel

    found = tally.for_hall(room, room, room.clock, App(id="1", key="k", secret="s", webhooks=webhooks, **app))

    assert (found is not None) == expected
    assert tally.for_hall(room, room, room.clock, None) is None


async def test_a_count_goes_when_everybody_has_left(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect(COUNTING_APP) as client:
        await client.join("news")
        assert await count(client) == 1
        assert await gateway.metric("gateway_records") == 2  # the count, and that this gateway lived

    async def gone():
        return await gateway.metric("gateway_records") == 1

    await until(gone)
