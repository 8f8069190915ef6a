"""A leader that dies in the middle of an announcement, and one that does not know that it leads no more."""

import itertools
import time

import pytest
from nats.errors import Error

from contracts import streams
from gateway.pusher.app import App, Webhook, WebhookEvent
from gateway.webhooks import announced
from gateway.webhooks.announced import Record, Story
from gateway.webhooks.events import Event
from gateway.webhooks.journal import Journal
from gateway.webhooks.lease import Taken
from runtime.broker import PublishFailed

pytestmark = pytest.mark.clock

HOOKED = App(id="1", key="k", secret="s", webhooks=(Webhook(url="http://a/"), Webhook(url="http://b/")))
WINDOW = 290


def story(channel, *, occupied=True):
    name = WebhookEvent.CHANNEL_OCCUPIED if occupied else WebhookEvent.CHANNEL_VACATED
    body = announced.channel_body(occupied=occupied, count=0)
    return Story("1", Event(name, channel), announced.channel_subject("1", channel), body)


STORIES = [story("a"), story("b")]
TOLD = [Record("1", "a", occupied=True), Record("1", "b", occupied=True)]


class Dies(Exception):
    """Killed here."""


class Fragile:
    """A connection of a process that is killed when it is about to publish for the nth time."""

    def __init__(self, client, lives):
        self._client = client
        self._lives = lives

    def __getattr__(self, name):
        return getattr(self._client, name)

    def jetstream(self):
        inner = self._client.jetstream()
        fragile = self

        class Stream:
            def __getattr__(self, name):
                return getattr(inner, name)

            async def publish(self, *arguments, **options):
                if not fragile._lives:
                    raise Dies
                fragile._lives -= 1
                return await inner.publish(*arguments, **options)

        return Stream()


@pytest.fixture
async def client(nats):
    async with nats.client("gateway") as client:
        yield client


@pytest.fixture
def new_journal():
    numbers = itertools.count()

    def new(client, now=time.time):
        return Journal(client, {"1": HOOKED}.get, now=now, new_id=lambda: f"id{next(numbers)}")

    return new


async def stored(nats):
    """Return how many requests there are."""
    async with nats.client() as operator:
        return (await operator.jetstream().stream_info(streams.WEBHOOKS)).state.messages


async def test_what_was_told_is_found_again(nats, client, new_journal):
    journal = new_journal(client)
    assert await journal.open(WINDOW) == []
    await journal.announce([*STORIES, story("b", occupied=False)])

    assert await new_journal(client).open(WINDOW) == TOLD[:1]
    assert await stored(nats) == 2


@pytest.mark.parametrize("published", range(1, 7))
async def test_whenever_a_leader_dies_its_successor_tells_all_once(nats, client, new_journal, published):
    dying = new_journal(Fragile(client, published))
    try:
        await dying.open(WINDOW)
        await dying.announce(STORIES)
    except Dies:
        pass

    successor = new_journal(client)
    told = await successor.open(WINDOW)
    await successor.announce([one for one in STORIES if one.event.channel not in {record.channel for record in told}])

    assert await new_journal(client).open(WINDOW) == TOLD
    assert await stored(nats) == 2  # one for each endpoint


async def test_who_leads_no_more_can_neither_announce_nor_note(nats, client, new_journal):
    former, successor = new_journal(client), new_journal(client)
    await former.open(WINDOW)
    await former.announce(STORIES[:1])
    assert await successor.open(WINDOW) == TOLD[:1]

    with pytest.raises(Taken):
        await former.announce(STORIES[1:])
    with pytest.raises((PublishFailed, Error)):
        await former._finish(announced.Announcement("late", 1, [story("a", occupied=False)]))

    assert await new_journal(client).open(WINDOW) == TOLD[:1]


async def test_what_was_begun_long_ago_is_left_to_be_found_anew(nats, client, new_journal):
    dying = new_journal(Fragile(client, 2), now=lambda: time.time() - WINDOW)
    await dying.open(WINDOW)
    with pytest.raises(Dies):
        await dying.announce(STORIES)

    assert await new_journal(client).open(WINDOW) == []
    assert await stored(nats) == 0
