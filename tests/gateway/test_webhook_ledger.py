"""What is told of channels, for any history of nodes, listeners and leaders (items 132 to 135 and 142)."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cluster.records import Record
from gateway.pusher.app import App, Webhook, WebhookEvent
from gateway.webhooks import announced
from gateway.webhooks.ledger import Ledger

HOLD = 3.0
ALL = App(id="1", key="k", secret="s", webhooks=(Webhook(url="http://a/"),), subscription_counting=True)
PLACES = ("news", "presence-room")
OCCUPIED, VACATED = WebhookEvent.CHANNEL_OCCUPIED, WebhookEvent.CHANNEL_VACATED
ADDED, REMOVED = WebhookEvent.MEMBER_ADDED, WebhookEvent.MEMBER_REMOVED
COUNT = WebhookEvent.SUBSCRIPTION_COUNT


class World:
    """Nodes and their records, and one leader after the other."""

    def __init__(self, app=ALL):
        self.app = app
        self.living = {"n1", "n2"}
        self.standing = {}
        self.versions = 0
        self.now = 0.0
        self.records = {}
        self.told = []
        self.lead()

    def lead(self):
        """A new leader begins with what stands and what was told."""
        self.ledger = Ledger(self.living, {"1": self.app}.get, hold=HOLD)
        for subject, body in self.records.items():
            record = announced.parse(subject, body)
            if record is not None:
                self.ledger.load(record)
        for record in self.standing.values():
            self.ledger.take(record)
        self.ledger.begin(self.now + HOLD)

    def put(self, node, place, *, count=0, user=""):
        self.versions += 1
        over = not count and user.startswith("-")
        user = user.removeprefix("-")
        over = over or (not user and not count)
        record = Record(
            app_id="1", topic=place, node=node, member=user, version=self.versions, sequence=self.versions,
            over=over, user_id=user, count=count,
        )  # fmt: skip
        if over:
            self.standing.pop((node, place, user), None)
        else:
            self.standing[node, place, user] = record
        self.ledger.take(record)

    def flip(self, node):
        self.living ^= {node}
        self.ledger.node_changed(node)

    def look(self, seconds=0.0):
        self.now += seconds
        while stories := self.ledger.stories(self.now, 3):
            for story in stories:
                self.records[story.subject] = story.body
                self.told.append((self.now, story.event))

    def settle(self):
        self.look()
        while (due := self.ledger.next_look()) is not None:
            assert due > self.now
            self.look(due - self.now)

    def occupied(self, place):
        return any(
            node in self.living and (user if place.startswith("presence-") else record.count)
            for (node, where, user), record in self.standing.items()
            if where == place
        )

    def members(self, place):
        return {user for node, where, user in self.standing if where == place and user and node in self.living}


NODES = st.sampled_from(["n1", "n2"])
STEPS = st.one_of(
    st.tuples(st.just("count"), NODES, st.integers(0, 3)),
    st.tuples(st.just("member"), NODES, st.sampled_from(["a", "b", "-a", "-b"])),
    st.tuples(st.just("flip"), NODES),
    st.tuples(st.just("look"), st.floats(0, 4)),
    st.tuples(st.just("lead")),
)


def history(steps):
    """Return a world in which all that happened, and everything due was told."""
    world = World()
    for step in steps:
        match step:
            case ("count", node, number):
                world.put(node, "news", count=number)
            case ("member", node, user):
                world.put(node, "presence-room", user=user)
            case ("flip", node):
                world.flip(node)
            case ("look", seconds):
                world.look(seconds)
            case _:
                world.lead()
    world.settle()
    return world


def alternates(names, first, second, *, ends_with_first):
    return names == [first, second] * (len(names) // 2) + [first] * bool(ends_with_first)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_132_133_135_for_any_history_what_is_told_alternates_and_ends_with_the_truth(steps):
    world = history(steps)

    for place in PLACES:
        told = [event for _, event in world.told if event.channel == place]
        occupancy = [event.name for event in told if event.name in {OCCUPIED, VACATED}]
        assert alternates(occupancy, OCCUPIED, VACATED, ends_with_first=world.occupied(place))
        for user in "ab":
            stays = [event.name for event in told if event.fields.get("user_id") == user]
            assert alternates(stays, ADDED, REMOVED, ends_with_first=user in world.members(place))


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_for_any_history_members_are_told_within_the_occupancy_of_their_channel(steps):
    present, inside = set(), False
    for _, event in history(steps).told:
        if event.channel != "presence-room":
            continue
        if event.name in {OCCUPIED, VACATED}:
            assert not present
            inside = event.name is OCCUPIED
        else:
            assert inside
            present ^= {event.fields["user_id"]}


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_142_for_any_history_each_count_is_another_one_and_the_last_is_true(steps):
    world = history(steps)

    counts = [0, *(event.fields["subscription_count"] for _, event in world.told if event.name is COUNT)]
    assert all(before != after for before, after in pairwise(counts))
    assert counts[-1] == sum(record.count for (node, *_), record in world.standing.items() if node in world.living)


def test_134_who_returns_before_the_hold_is_over_was_never_gone():
    world = World()
    world.put("n1", "news", count=1)
    world.look(10)
    world.put("n1", "news", count=0)
    world.look()
    world.look(HOLD - 0.1)
    world.put("n2", "news", count=1)
    world.settle()

    assert [event.name for _, event in world.told if event.name is not COUNT] == [OCCUPIED]


def test_133_the_hold_begins_again_with_each_departure():
    world = World()
    for _ in range(2):
        world.put("n1", "news", count=1)
        world.look(10)
        world.put("n1", "news", count=0)
        world.look()
        left = world.now
        world.look(HOLD - 0.1)
    world.settle()

    (vacated,) = [at for at, event in world.told if event.name is VACATED]
    assert vacated == left + HOLD


def test_142_above_a_hundred_at_most_every_five_seconds_and_the_last_one_is_right():
    world = World()
    for number in range(90, 150):
        world.put("n1", "news", count=number)
        world.look(0.3)
    world.settle()

    told = [(at, event.fields["subscription_count"]) for at, event in world.told if event.name is COUNT]
    assert [number for _, number in told[:11]] == list(range(90, 101))
    many = [at for at, number in told if number > 100]
    assert all(after - before >= 5 for before, after in pairwise(many))
    assert told[-1][1] == 149


def test_nothing_stays_in_memory_of_what_is_over():
    world = World()
    world.put("n1", "news", count=1)
    world.put("n2", "presence-room", user="a")
    world.settle()
    world.put("n1", "news", count=0)
    world.flip("n2")
    world.settle()
    assert len(world.ledger) == 1  # the node may return

    world.ledger.forget("n2")
    world.settle()

    assert len(world.ledger) == 0
    assert not any(world.records.values())


def test_an_app_that_wants_nothing_of_it_is_told_nothing():
    world = World(App(id="1", key="k", secret="s", webhooks=(), subscription_counting=True))
    world.put("n1", "news", count=1)
    world.put("n1", "presence-room", user="a")
    world.settle()

    assert world.told == []


def test_channels_of_users_are_never_told():
    world = World()
    world.put("n1", "#server-to-user-a", user="a")
    world.settle()

    assert world.told == []
    assert world.ledger.next_look() is None
