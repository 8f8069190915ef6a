"""What a channel missed is fetched from the stream, and comes before anything newer."""

import os
import signal

from hypothesis import given
from hypothesis import strategies as st

from contracts import streams
from contracts.push import Push
from gateway.tail import Tail, Verdict
from support.waiting import until


class Listener:
    """A listener behind a tail, and the stream that it can be filled from."""

    def __init__(self, baseline, stored):
        self.tail = Tail(baseline)
        self.stored = stored
        self.heard = []

    def take(self, sequence):
        verdict = self.tail.judge(sequence, sequence - 1)
        if verdict is Verdict.GIVE:
            self.heard.append(sequence)
        elif verdict is Verdict.HOLD:
            self.tail.held.append(sequence)
            self.tail.filling = True

    def fill(self, until_sequence):
        for sequence in self.stored:
            if self.tail.sequence < sequence <= until_sequence:
                self.tail.fill(sequence)
                self.heard.append(sequence)
        for held in self.tail.release():
            self.take(held)


@given(st.integers(0, 5), st.lists(st.booleans(), max_size=30))
def test_whatever_gets_lost_everything_is_given_once_and_in_order(baseline, arrives):
    stored = list(range(baseline + 1, baseline + 1 + len(arrives)))
    listener = Listener(baseline, stored)
    for sequence, came in zip(stored, arrives, strict=True):
        if came:
            listener.take(sequence)
        if listener.tail.filling and sequence % 2:  # a fill lasts for a while, and sees what was stored meanwhile
            listener.fill(sequence)

    listener.tail.filling = True  # the look-up after a reconnect
    listener.fill(baseline + len(arrives))

    assert listener.heard == stored


def test_a_stream_that_begins_anew_is_heard_from_its_beginning():
    tail = Tail(7)
    tail.fill(9)

    tail.restart()

    assert tail.judge(1, 0) is Verdict.GIVE


def push(number, channel="private-news"):
    return Push(app_id="4242", channel=channel, event=str(number), data="{}", key=f"event-{number}")


async def test_what_was_stored_while_the_gateway_was_cut_off_is_delivered_in_order(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as client, gateway.connect() as excluded:
        await client.join("private-news")
        await excluded.join("private-news")
        await gateway.trigger("private-news", "before")
        assert (await client.event())[0] == (await excluded.event())[0] == "before"

        os.kill(gateway.pid, signal.SIGSTOP)  # it cannot reconnect before everything is stored
        nats.kill()
        nats.start()
        async with nats.client("notifier") as notifier:
            for number in range(5):
                missed = push(number)
                headers = {**missed.headers, "Except-Socket": excluded.socket_id} if number == 2 else missed.headers
                await notifier.jetstream().publish(missed.subject, missed.body, headers=headers)
        os.kill(gateway.pid, signal.SIGCONT)

        assert [(await client.event())[0] for _ in range(5)] == ["0", "1", "2", "3", "4"]
        assert [(await excluded.event())[0] for _ in range(4)] == ["0", "1", "3", "4"]
        await gateway.trigger("private-news", "after")
        for who in (client, excluded):
            assert (await who.event())[0] == "after"
            await who.hears_nothing()
    assert await gateway.metric("gateway_filled_total") == 5


async def test_a_hole_is_filled_before_what_comes_after_it(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as client, nats.client() as operator:
        await client.join("private-news")
        js = operator.jetstream()
        config = (await js.stream_info(streams.PUSH)).config
        republish, config.republish = config.republish, None
        await js.update_stream(config)  # stored, but not handed on: as if it were lost on the way
        await js.publish(push(1).subject, push(1).body, headers=push(1).headers)
        config.republish = republish
        await js.update_stream(config)

        await js.publish(push(2).subject, push(2).body, headers=push(2).headers)

        assert [(await client.event())[0] for _ in range(2)] == ["1", "2"]
        await client.hears_nothing()


async def test_a_channel_that_came_and_went_while_nats_was_away_stops_nothing(new_gateway, nats):
    gateway = new_gateway(nats, linger_seconds="0.05")
    async with gateway.connect() as client:
        await client.join("private-news")
        nats.kill()
        async with gateway.connect() as first, gateway.connect() as second:
            await first.subscribe("private-first")
            await first.hears_nothing()
            await second.subscribe("private-second")
            await second.hears_nothing()

        async def only_one_is_left():
            return await gateway.metric("gateway_connections") == 1

        await until(only_one_is_left)
        nats.start()

        await client.join("private-third")
        await until(lambda: _triggers(gateway))
        assert (await client.event())[0] == "back"


async def _triggers(gateway):
    return (await gateway.trigger("private-third", "back")).is_success


async def test_a_channel_left_twice_while_nats_is_away_is_given_up_once(new_gateway, nats):
    gateway = new_gateway(nats, linger_seconds="0")
    async with gateway.connect() as client, gateway.connect() as newcomer:
        await client.join("news")
        nats.kill()
        await newcomer.subscribe("fresh")  # the bus waits for its confirmation
        await newcomer.hears_nothing()
        for _ in range(2):
            await client.send("pusher:unsubscribe", data={"channel": "news"})
            await client.hears_nothing()
            await client.join("news")
        await client.send("pusher:unsubscribe", data={"channel": "news"})
        await client.hears_nothing()
        nats.start()

        assert (await newcomer.event())[1] == "fresh"
        await client.join("news")
        await newcomer.join("news")
        assert gateway.exit_code is None
