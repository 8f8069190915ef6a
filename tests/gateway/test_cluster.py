"""Several gateways' shares in what all know, in one process on a real NATS."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from contracts.streams import STATE
from gateway.cluster import records, sweeper
from gateway.cluster.cluster import Cluster
from gateway.cluster.desired import Desired
from gateway.cluster.roster import Joined, Left
from gateway.cluster.sweeper import Sweeper
from runtime import direct
from support.waiting import until

TOPIC = "#server-to-user-7"


class Notes:
    """A watcher that keeps what it was told."""

    def __init__(self):
        self.changes = []

    def changed(self, changes):
        self.changes += changes


@asynccontextmanager
async def running(nats, name, connections=None, lease=5.0):
    cluster = Cluster(nats.url("gateway"), name, connections=lambda: connections or {}, lease=lease)
    task = asyncio.create_task(cluster.run())
    try:
        await until(lambda: cluster.healthy)
        yield cluster
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def standing(nats, node):
    """Return the subjects on which records of a node stand."""
    async with nats.client() as operator:
        found = [
            message for pattern in records.of_node(node) async for message in direct.read(operator, STATE, pattern)
        ]
    return {message.headers[direct.STREAM_SUBJECT] for message in found if message.data}


async def test_all_count_the_connections_of_all(nats):
    async with running(nats, "n1", {"4242": 3}) as one, running(nats, "n2", {"4242": 4, "1": 1}) as two:
        await until(lambda: one.connections("4242") == two.connections("4242") == 7)
        assert (one.connections("1"), one.connections("2")) == (1, 0)
        assert one.living == two.living == {"n1", "n2"}

    async with running(nats, "n3") as three:
        assert three.connections("4242") == 0
        assert three.living == {"n3"}


async def test_a_watcher_is_told_of_everyone_who_enters_and_leaves_any_topic(nats):
    notes = Notes()
    async with running(nats, "n1") as one, running(nats, "n2") as two:
        one.enter("4242", TOPIC, "7")
        watch = two.watch("4242", TOPIC, notes)
        await until(lambda: watch.ready and watch.roster.members == {"7": None})
        before = list(notes.changes)
        two.enter("4242", TOPIC, "8", '"x"')
        await until(lambda: watch.roster.members == {"7": None, "8": '"x"'})
        one.leave("4242", TOPIC, "7")
        await until(lambda: "7" not in watch.roster.members)

        assert before in ([], [Joined("7", None)])
        assert notes.changes == [*before, Joined("8", '"x"'), Left("7")]

        two.unwatch(watch, notes)
        again = two.watch("4242", TOPIC, notes)
        await until(lambda: again.ready)
        assert again.roster.members == {"8": '"x"'}


async def test_a_second_watcher_shares_the_roster(nats):
    async with running(nats, "n1") as one:
        first, second = Notes(), Notes()
        watch = one.watch("1", "x", first)
        await until(lambda: watch.ready)
        assert one.watch("1", "x", second) is watch
        one.unwatch(watch, first)
        one.enter("1", "x", "7")

        await until(lambda: second.changes == [Joined("7", None)])
        assert first.changes == []


async def test_who_ends_is_gone_at_once_and_leaves_nothing_behind(nats):
    async with running(nats, "n2", lease=300.0) as two:
        async with running(nats, "n1", lease=300.0) as one:
            for user in "abc":
                one.enter("1", "x", user)
            one.tell_count("1", "x", 3)
            watch = two.watch("1", "x", Notes())
            await until(lambda: len(watch.roster) == 3 and watch.roster.count == 3)
            assert len(await standing(nats, "n1")) == 5

        await until(lambda: two.living == {"n2"})
        assert (len(watch.roster), watch.roster.count) == (0, 0)
        assert await standing(nats, "n1") == set()


async def dead(nats, name):
    """Leave the records of a node that was killed."""
    desired = Desired()
    desired.put(records.process(name), b"{}")
    desired.put(records.member("1", "x", name, "7"), records.member_body("7", None))
    desired.put(records.count("1", "x", name), records.count_body(1))
    async with nats.client("gateway") as client:
        for wish in desired.take(9):
            headers = {records.VERSION_HEADER: str(wish.version)}
            await client.jetstream().publish(wish.subject, wish.body, headers=headers)


async def test_a_node_that_never_comes_back_is_swept_away_and_nobody_else(nats, monkeypatch):
    monkeypatch.setattr(sweeper, "ROUNDS", 0.05)
    monkeypatch.setattr(sweeper, "GRACE", 1)
    await dead(nats, "n9")
    async with running(nats, "n1") as one, running(nats, "n2") as two:
        one.enter("1", "x", "1")
        two.enter("1", "x", "2")
        await until(lambda: len(one.watch("1", "x", Notes()).roster) == 2)

        async def swept():
            return not await standing(nats, "n9")

        await until(swept)
        assert [len(await standing(nats, name)) for name in ("n1", "n2")] == [2, 2]


async def test_a_node_that_came_back_in_the_last_moment_is_not_swept_away(nats):
    await dead(nats, "n9")
    one = Sweeper("n1", 1.0, {"n1"})
    async with nats.client("gateway") as client:
        await one.sweep(client, 0.0)
        assert len(await standing(nats, "n9")) == 3
        await client.jetstream().publish(records.lease("n9"), records.lease_body({}))
        await one.sweep(client, 1e6)
        assert len(await standing(nats, "n9")) == 3

        await client.jetstream().publish(records.lease("n9"), records.OVER)
        await one.sweep(client, 1e6)
        assert await standing(nats, "n9") == set()


async def test_records_that_are_missing_in_the_stream_or_too_much_are_put_right_after_a_reconnect(nats):
    async with running(nats, "n1", lease=300.0) as one:
        one.enter("1", "x", "7")
        wanted = records.member("1", "x", "n1", "7")
        alien = records.member("1", "x", "n1", "8")

        async def stands():
            return await standing(nats, "n1") == {wanted, records.process("n1")}

        await until(stands)
        async with nats.client() as operator:
            await operator.jetstream().purge_stream(STATE, subject=wanted)
            await operator.jetstream().publish(alien, b"{}", headers={records.VERSION_HEADER: "1"})
        assert not await stands()

        nats.kill()
        nats.start()

        await until(stands)


async def test_while_no_lease_can_be_stored_nobody_is_taken_for_dead(nats):
    notes = Notes()
    async with running(nats, "n1", lease=2.0) as one, running(nats, "n2", lease=2.0) as two:
        watch = two.watch("1", "x", notes)
        one.enter("1", "x", "7")
        await until(lambda: watch.ready and watch.roster.members == {"7": None})
        notes.changes.clear()
        async with nats.client() as operator:
            await operator.jetstream().delete_stream(STATE)
        await asyncio.sleep(6)  # three leases: nothing can be waited for, because nothing may happen
        await asyncio.to_thread(nats.ensure_streams)

        async with running(nats, "n3", lease=2.0) as three:
            again = three.watch("1", "x", Notes())
            await until(lambda: again.roster.members == {"7": None})
        assert watch.roster.members == {"7": None}
        assert notes.changes == []


async def test_a_topic_with_more_members_than_nats_gives_at_once_is_complete(nats):
    async with running(nats, "n1") as one, running(nats, "n2") as two:
        for number in range(1100):
            one.enter("1", "x", str(number))
        await until(lambda: len(one.watch("1", "x", Notes()).roster) == 1100)

        watch = two.watch("1", "x", Notes())
        await until(lambda: watch.ready)

        assert len(watch.roster) == 1100
