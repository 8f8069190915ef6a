"""Who comes back hears what it missed, once and in order, then goes on live."""

import asyncio
import json
from functools import partial
from itertools import count

import pytest

from contracts import streams
from contracts.push import Push
from support.gateways import MISS, OTHER_APP, SUCCEEDED, channel_auth
from support.resuming import POSITION, hear, join, opting_in, outcome, place, resume
from support.waiting import until

CHANNEL = "private-news"
keys = count()


@pytest.fixture
def pair(new_gateway, nats):
    return new_gateway(nats, check_seconds="0.2"), new_gateway(nats, check_seconds="0.2")


async def store(client, name, channel=CHANNEL, except_socket=None, app="4242"):
    push = Push(app_id=app, channel=channel, event=name, data="{}", key=f"{next(keys)}", except_socket=except_socket)
    return (await client.jetstream().publish(push.subject, push.body, headers=push.headers)).seq


async def test_positions_follow_the_events_and_lead_back_to_them(pair, nats):
    here, there = pair
    async with nats.client() as backend:
        async with here.connect() as client:
            heard, first = await join(client, CHANNEL)
            assert heard == []
            assert first | {"epoch": "", "offset": 0} == {
                "channel": CHANNEL, "epoch": "", "offset": 0, "resumed": False, "replayed": 0,
            }  # fmt: skip
            sequence = await store(backend, "1")
            assert await hear(client, 1) == (
                ["1"], {"channel": CHANNEL, "epoch": first["epoch"], "offset": sequence},
            )  # fmt: skip

        await store(backend, "2")
        await store(backend, "elsewhere", "private-other")
        last = await store(backend, "3")

        async with there.connect() as client:
            heard, position = await join(client, CHANNEL, epoch=first["epoch"], offset=sequence)
            assert heard == ["2", "3"]
            assert position == {
                "channel": CHANNEL, "epoch": first["epoch"], "offset": last, "resumed": True, "replayed": 2,
            }  # fmt: skip
            await store(backend, "4")
            assert (await hear(client, 1))[0] == ["4"]
            await client.hears_nothing()


async def test_a_client_that_does_not_opt_in_hears_plain_pusher(gateway):
    channel = "private-mixed"
    async with gateway.connect() as plain, gateway.connect() as opted_in:
        await plain.join(channel)
        await join(opted_in, channel)
        for name in ("a", "b"):
            await gateway.trigger(channel, name)

        for name in ("a", "b"):
            assert await plain.socket.recv() == f'{{"event":"{name}","channel":"{channel}","data":"{{}}"}}'
        assert (await hear(opted_in, 2))[0] == ["a", "b"]
        await plain.hears_nothing()


async def test_public_channels_cannot_opt_in(gateway):
    async with gateway.connect() as client:
        await client.subscribe("news-without-positions", channel_data=opting_in())
        assert (await client.frame())["event"] == SUCCEEDED
        await gateway.trigger("news-without-positions", "x")
        assert (await client.event())[0] == "x"
        await client.hears_nothing()


async def test_ones_own_events_stay_excluded_in_a_replay_and_when_one_is_back(pair, nats):
    here, there = pair
    async with nats.client() as backend, here.connect() as author:
        _, position = await join(author, CHANNEL)
        await store(backend, "own, live", except_socket=author.socket_id)
        told = json.loads((await author.frame())["data"])
        assert told["offset"] > position["offset"]  # it is told how far it is all the same
        await store(backend, "own, missed", except_socket=author.socket_id)
        await store(backend, "theirs", except_socket="1.1")

        async with there.connect() as back:
            await store(backend, "own, already back", except_socket=back.socket_id)
            member = {**place(position), "except": [author.socket_id]}
            assert (await join(back, CHANNEL, **member))[0] == ["theirs"]


async def test_client_events_are_not_replayed_and_change_no_position(gateway, nats_server):
    channel = "private-chat"
    async with nats_server.client() as backend, gateway.connect() as client, gateway.connect() as friend:
        _, position = await join(client, channel)
        await friend.join(channel)
        await friend.send("client-typing", channel=channel, data="{}")
        assert (await client.event())[0] == "client-typing"
        await client.hears_nothing()
        await store(backend, "kept", channel)

        async with gateway.connect() as back:
            assert (await join(back, channel, **place(position)))[0] == ["kept"]


async def test_a_resumed_cache_channel_gets_what_it_missed_instead_of_the_greeting(gateway, nats_server):
    channel = "private-cache-resumed"
    async with nats_server.client() as backend:
        async with gateway.connect() as client:
            assert (await join(client, channel))[0] == [MISS]
        await store(backend, "1", channel)
        async with gateway.connect() as client:
            heard, position = await join(client, channel)
            assert heard == ["1"]
        for name in ("2", "3"):
            await store(backend, name, channel)

        async with gateway.connect() as client:
            assert (await join(client, channel, **place(position)))[0] == ["2", "3"]
        async with gateway.connect() as client:
            assert (await join(client, channel, **place(position) | {"epoch": "another"}))[0] == ["3"]


async def test_who_comes_back_to_a_presence_channel_gets_its_members_then_what_it_missed(pair, nats):
    here, there = pair
    channel = "presence-desk"

    def member(user_id, **entry):
        return json.dumps({"user_id": user_id, "leadwire": entry})

    async def enter(client, user_id, **entry):
        await client.subscribe(channel, channel_data=member(user_id, **entry))
        frame = await client.frame()
        assert frame["event"] == SUCCEEDED
        heard, position = await outcome(client, channel)
        return json.loads(frame["data"])["presence"]["ids"], heard, position

    async with nats.client() as backend, there.connect() as witness:
        assert (await enter(witness, "1"))[:2] == (["1"], [])
        async with here.connect() as client:
            ids, heard, position = await enter(client, "2")
            assert (sorted(ids), heard) == (["1", "2"], [])
            assert (await witness.frame())["event"] == "pusher_internal:member_added"
        assert (await witness.frame())["event"] == "pusher_internal:member_removed"
        await store(backend, "missed", channel)
        assert (await hear(witness, 1))[0] == ["missed"]

        async with there.connect() as client:
            ids, heard, again = await enter(client, "2", **place(position))
            assert (sorted(ids), heard, again["resumed"]) == (["1", "2"], ["missed"], True)
            assert (await witness.frame())["event"] == "pusher_internal:member_added"
            await witness.hears_nothing()
            await client.hears_nothing()


async def test_who_was_further_than_the_other_gateway_hears_nothing_twice(pair, nats):
    here, there = pair
    async with nats.client() as backend, there.connect() as waiting:
        await join(waiting, CHANNEL)  # that gateway's channel stays at the number of now
        for name in ("a", "b"):
            await store(backend, name, "private-other")
        async with here.connect() as client:
            _, position = await join(client, CHANNEL)

        async with there.connect() as client:
            heard, again = await join(client, CHANNEL, **place(position))
            assert (heard, again["resumed"]) == ([], True)
            assert again["offset"] >= position["offset"]
            await store(backend, "c")
            assert (await hear(client, 1))[0] == ["c"]


async def test_nothing_can_be_resumed_when_the_position_is_not_of_this_stream(gateway, nats_server):
    channel = "private-strange"
    async with nats_server.client() as backend, gateway.connect() as client:
        _, position = await join(client, channel)
        await store(backend, "missed", channel)
        for member in (
            place(position) | {"epoch": "0-0"},
            place(position) | {"offset": position["offset"] + 1_000_000},
            place(position) | {"offset": (1 << 63) - 1},
            {"epoch": position["epoch"]},
            {"offset": position["offset"]},
        ):
            async with gateway.connect() as back:
                heard, again = await join(back, channel, **member)
                assert (heard, again["resumed"], again["replayed"]) == ([], False, 0)


async def test_a_position_that_the_stream_has_forgotten_cannot_be_resumed(pair, nats):
    here, _ = pair
    async with nats.client() as backend:
        async with here.connect() as client:
            _, position = await join(client, CHANNEL)
        await store(backend, "1")
        keep = await store(backend, "2")
        await backend.jetstream().purge_stream(streams.PUSH, seq=keep)

        async with here.connect() as client:
            heard, again = await join(client, CHANNEL, **place(position))
            assert (heard, again["resumed"]) == ([], False)
        async with here.connect() as client:
            heard, again = await join(client, CHANNEL, **place(position) | {"offset": keep - 1})
            assert (heard, again["resumed"]) == (["2"], True)


async def test_more_than_the_bound_is_not_replayed(new_gateway, nats):
    gateway = new_gateway(nats, max_replay_events="3")
    async with nats.client() as backend:
        async with gateway.connect() as client:
            _, start = await join(client, CHANNEL)
        offsets = [await store(backend, str(number)) for number in range(5)]

        async with gateway.connect() as client:
            heard, again = await join(client, CHANNEL, **place(start))
            assert (heard, again["resumed"], again["replayed"]) == ([], False, 0)
        async with gateway.connect() as client:
            heard, again = await join(client, CHANNEL, **place(start) | {"offset": offsets[1]})
            assert (heard, again["resumed"], again["replayed"]) == (["2", "3", "4"], True, 3)


async def test_a_long_replay_is_written_as_the_client_takes_it(new_gateway, nats):
    gateway = new_gateway(nats, max_buffer_bytes="65536")
    async with nats.client() as backend:
        async with gateway.connect() as client:
            _, position = await join(client, CHANNEL)
        large = json.dumps({"event": "large", "channel": CHANNEL, "data": "x" * 10_000}).encode()
        for _ in range(150):
            await backend.jetstream().publish("push.4242.private-news", large)

        async with gateway.connect() as client:
            heard, again = await join(client, CHANNEL, **place(position))
            assert (len(heard), again["resumed"], again["replayed"]) == (150, True, 150)
    assert await gateway.metric("gateway_slow_consumers_total") == 0


async def test_many_who_come_back_at_once_share_one_look_into_the_stream(pair, nats):
    here, there = pair
    async with nats.client() as backend:
        async with here.connect() as client:
            _, position = await join(client, CHANNEL)
        names = [str(number) for number in range(50)]
        offsets = [await store(backend, name) for name in names]
        asked = []
        spy = await backend.subscribe("$JS.API.DIRECT.GET.PUSH", cb=partial(_note, asked))

        async def come_back(number):
            offset = offsets[number] if number >= 0 else position["offset"]
            async with there.connect() as client:
                heard, again = await join(client, CHANNEL, **place(position) | {"offset": offset})
                assert (heard, again["resumed"]) == (names[number + 1 :], True)

        await asyncio.gather(*(come_back(number % 40 - 1) for number in range(200)))
        await spy.unsubscribe()
    assert len(asked) < 60


async def _note(asked, message):
    asked.append(json.loads(message.data))


async def test_nothing_of_another_channel_or_app_is_ever_replayed(gateway, nats_server):
    channel = "private-mine"
    async with nats_server.client() as backend, gateway.connect() as client:
        _, position = await join(client, channel)
        for other in ("private-theirs", "private-mine2", "private-min"):
            await store(backend, "secret", other)
        await store(backend, "secret", channel, app=OTHER_APP["id"])
        await store(backend, "mine", channel)
        async with gateway.connect() as back:
            assert (await join(back, channel, epoch=position["epoch"], offset=0))[0][-1:] == ["mine"]
        async with gateway.connect() as back:
            heard, _ = await join(back, channel, **place(position))
            assert heard == ["mine"]


async def test_an_unsigned_or_forged_member_opens_nothing(gateway, nats_server):
    channel = "private-forged"
    async with gateway.connect() as client, gateway.connect() as forger:
        _, position = await join(client, channel)
        data = opting_in(**place(position))
        for auth in (
            channel_auth(forger.socket_id, channel),  # signed without it
            channel_auth(forger.socket_id, channel, channel_data=opting_in()),  # signed with another
            channel_auth(client.socket_id, channel, channel_data=data),  # signed for another socket
        ):
            await forger.subscribe(channel, auth=auth, channel_data=data)
            assert (await forger.frame())["event"] == "pusher:subscription_error"
            assert (await forger.frame())["event"] == "pusher:error"


async def test_a_malformed_member_fails_as_malformed_channel_data_does(gateway):
    async with gateway.connect() as client:
        for member in ([], "x", {"offset": "1"}, {"offset": -1}, {"epoch": 5}, {"except": ["nobody"]}):
            await client.subscribe("private-malformed", channel_data=json.dumps({"leadwire": member}))
            error = await client.frame()
            assert error["event"] == "pusher:subscription_error"
            assert json.loads(error["data"])["status"] == 400
            assert (await client.frame())["event"] == "pusher:error"
        await join(client, "private-malformed")


async def test_under_fire_everything_comes_once_and_in_order_whenever_one_comes_back(pair, nats):
    here, there = pair
    names = [str(number) for number in range(400)]

    async def fire(backend):
        for name in names:
            await store(backend, name)

    async with nats.client() as backend, there.connect() as other:
        await join(other, CHANNEL)
        async with here.connect() as client:
            _, position = await join(client, CHANNEL)
        heard: list[str] = []
        firing = asyncio.create_task(fire(backend))
        gateways = (here, there)
        for number in range(1000):
            if len(heard) == len(names):
                break
            async with gateways[number % 2].connect() as client:
                replayed, position = await join(client, CHANNEL, **place(position))
                assert position["resumed"]
                heard += replayed
                if len(heard) < len(names):
                    live, position = await hear(client, 1)
                    heard += live
        await firing
    assert heard == names


async def test_a_lost_end_is_found_by_the_regular_look(new_gateway, nats):
    gateway = new_gateway(nats, check_seconds="0.2")
    async with gateway.connect() as client, gateway.connect() as plain, nats.client() as operator:
        await join(client, CHANNEL)
        await plain.join(CHANNEL)
        await _without_republish(operator, lambda: store(operator, "lost on its way"))

        heard, _ = await hear(client, 1)
        assert heard == ["lost on its way"]
        assert (await plain.event())[0] == "lost on its way"
        await store(operator, "next")
        assert (await hear(client, 1))[0] == ["next"]
        assert (await plain.event())[0] == "next"


async def _without_republish(operator, work):
    """Store without handing on: as if it were lost on the way."""
    js = operator.jetstream()
    config = (await js.stream_info(streams.PUSH)).config
    republish, config.republish = config.republish, None
    await js.update_stream(config)
    await work()
    config.republish = republish
    await js.update_stream(config)


async def test_a_stream_made_anew_is_noticed_while_nats_stays(pair, nats):
    async with nats.client() as operator, pair[0].connect() as client, pair[1].connect() as plain:
        _, position = await join(client, CHANNEL)
        await plain.join(CHANNEL)
        for number in range(5):
            await store(operator, str(number))
        assert (await hear(client, 5))[0] == [await _name(plain) for _ in range(5)]
        js = operator.jetstream()
        config = (await js.stream_info(streams.PUSH)).config
        await js.delete_stream(streams.PUSH)
        await js.add_stream(config)
        await store(operator, "first of the new one")

        heard, told = [], position
        while told["epoch"] == position["epoch"] or not heard:
            frame = await client.frame()
            if frame["event"] == POSITION:
                told = json.loads(frame["data"])
            else:
                heard.append(frame["event"])
        assert heard == ["first of the new one"]
        assert await _name(plain) == "first of the new one"
        async with pair[1].connect() as back:
            heard, again = await join(back, CHANNEL, **place(position))
            assert (heard, again["resumed"]) == ([], False)
            assert again["epoch"] != position["epoch"]


async def _name(client):
    return (await client.event())[0]


async def test_while_nats_is_away_resuming_waits_and_then_succeeds(pair, nats):
    here, there = pair
    async with nats.client() as backend, there.connect() as other:
        await join(other, CHANNEL)
        async with here.connect() as client:
            _, position = await join(client, CHANNEL)
        await store(backend, "missed")
        assert (await hear(other, 1))[0] == ["missed"]
    nats.kill()
    async with there.connect() as client:
        await resume(client, CHANNEL, **place(position))
        await client.hears_nothing()
        nats.start()
        assert (await client.frame())["event"] == SUCCEEDED
        heard, again = await outcome(client, CHANNEL)
        assert (heard, again["resumed"]) == (["missed"], True)


async def test_idle_listeners_hear_where_they_are_before_the_stream_forgets(new_gateway, nats):
    gateway = new_gateway(nats, check_seconds="0.1")
    async with nats.client() as operator, gateway.connect() as client:
        js = operator.jetstream()
        config = (await js.stream_info(streams.PUSH)).config
        _, position = await join(client, CHANNEL)
        looks = await operator.subscribe(f"$JS.API.STREAM.INFO.{streams.PUSH}")
        await until(lambda: looks.pending_msgs > 1, why="the gateway has looked at the stream as it was")
        config.max_age, config.duplicate_window = 2.0, 1.0
        await js.update_stream(config)
        number = await store(operator, "elsewhere", "private-other")

        while position["offset"] < number:
            frame = await client.frame()
            assert frame["event"] == POSITION
            position = json.loads(frame["data"])

        async def forgotten():
            return (await js.stream_info(streams.PUSH)).state.messages == 0

        await until(forgotten)
        async with gateway.connect() as back:
            assert (await join(back, CHANNEL, **place(position)))[1]["resumed"]


async def test_a_stream_restored_from_older_data_has_another_epoch_on_all_gateways(new_gateway, nats, tmp_path):
    here, there = new_gateway(nats, check_seconds="0.2"), new_gateway(nats, check_seconds="0.2")
    async with here.connect() as client, there.connect() as other, there.connect() as plain:
        _, first = await join(client, CHANNEL)
        await join(other, CHANNEL)
        await plain.join(CHANNEL)
        async with nats.client() as backend:
            await store(backend, "kept")
        assert (await hear(client, 1))[0] == [await _name(plain)] == ["kept"]
        nats.stop()
        nats.save(tmp_path / "older")
        nats.start()
        async with nats.client() as backend:
            for name in ("lost 1", "lost 2", "lost 3"):
                await store(backend, name)
        heard, told = await hear(client, 3)
        assert heard == [await _name(plain) for _ in range(3)]
        assert told["epoch"] == first["epoch"]

        nats.stop()
        nats.restore(tmp_path / "older")
        nats.start()
        after = await _another_epoch(client, first)
        assert after["offset"] < told["offset"]
        assert await _another_epoch(other, first) == after

        async with nats.client() as backend:
            await store(backend, "new")  # under a number that was used before
        assert (await hear(client, 1))[0] == [await _name(plain)] == ["new"]
        await plain.hears_nothing()
        for gateway in (here, there):
            async with gateway.connect() as back:
                heard, again = await join(back, CHANNEL, **place(told))
                assert (heard, again["resumed"], again["epoch"]) == ([], False, after["epoch"])
            async with gateway.connect() as back:
                heard, again = await join(back, CHANNEL, **place(after))
                assert (heard, again["resumed"]) == (["new"], True)


async def _another_epoch(client, than):
    """Read on to a position of another epoch; it must say that nobody knows what was lost."""
    position = than
    while position["epoch"] == than["epoch"]:
        frame = await client.frame()
        if frame["event"] == POSITION:
            position = json.loads(frame["data"])
    assert not position["resumed"]
    return position
