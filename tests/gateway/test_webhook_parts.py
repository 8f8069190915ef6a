"""The parts of webhooks that need no server: what is told, in which order, and how long it is tried."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pusher.app import App, Webhook, WebhookEvent
from gateway.webhooks.client import is_public
from gateway.webhooks.events import Event, client_event
from gateway.webhooks.lane import Lane
from gateway.webhooks.request import MAX_BYTES, MAX_EVENTS, REQUEST_HEADER, Unreadable, finish, halve, read
from gateway.webhooks.retry import Retry
from support.endpoints import signature

MISS = Event(WebhookEvent.CACHE_MISS, "cache-a")
CHANNELS = ("a", "private-b", "presence-c")
EVENTS = st.lists(
    st.builds(Event, st.sampled_from(WebhookEvent), st.sampled_from(CHANNELS), st.fixed_dictionaries({"n": st.text()}))
)


def app(*webhooks, **fields):
    return App(id="1", key="k", secret="gwsecret0001", webhooks=webhooks, **fields)


class TestRequests:
    def test_131_the_vector_of_the_specification(self):
        (request,) = finish(
            app(Webhook(url="http://a/")), [Event(WebhookEvent.CHANNEL_OCCUPIED, "private-orders")], 1700000000000
        )

        expected = b'{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"private-orders"}]}'
        assert request.body == expected
        assert request.headers == {
            "Content-Type": "application/json",
            "X-Pusher-Key": "k",
            "X-Pusher-Signature": "b0e2fe224022d926bc78943c174bab7c641d76b443e22ed3d89081576fe57f28",
        }

    @given(EVENTS, st.booleans(), st.frozensets(st.sampled_from(WebhookEvent)), st.sampled_from(["", "pr", "private"]))
    def test_139_140_an_endpoint_gets_what_it_wants_in_order(self, events, batch, kinds, prefix):
        webhook = Webhook(url="http://a/", event_types=kinds, prefix=prefix)

        requests = finish(app(webhook, batch_webhooks=batch), events, 5)

        told = [json.loads(request.body)["events"] for request in requests]
        wanted = [event for event in events if event.name in kinds and event.channel.startswith(prefix)]
        assert [one for some in told for one in some] == [
            {"name": event.name, "channel": event.channel, **event.fields} for event in wanted
        ]
        assert all(len(some) == 1 for some in told) or batch
        for request in requests:
            assert request.headers["X-Pusher-Signature"] == signature("gwsecret0001", request.body)

    @given(st.lists(st.integers(1, 2 * MAX_BYTES), max_size=12))
    def test_a_batch_is_bounded(self, sizes):
        events = [Event(WebhookEvent.CLIENT_EVENT, "a", {"data": "x" * size}) for size in sizes]

        for request in finish(app(Webhook(url="http://a/")), events, 5):
            assert len(request.body) <= MAX_BYTES + 100 or len(json.loads(request.body)["events"]) == 1

    def test_a_batch_has_at_most_a_hundred_events(self):
        requests = finish(app(Webhook(url="http://a/")), [MISS] * 250, 5)

        assert [len(json.loads(request.body)["events"]) for request in requests] == [MAX_EVENTS, MAX_EVENTS, 50]

    @given(st.lists(st.sampled_from(["a", "private-encrypted-x", "private-encrypted-cache-y", "private-b"])))
    def test_an_event_of_an_encrypted_channel_has_a_request_of_its_own(self, names):
        events = [Event(WebhookEvent.CHANNEL_OCCUPIED, name) for name in names]

        requests = finish(app(Webhook(url="http://a/")), events, 5)

        told = [[event["channel"] for event in json.loads(request.body)["events"]] for request in requests]
        assert [channel for some in told for channel in some] == names
        assert all(len(some) == 1 for some in told if any("-encrypted-" in channel for channel in some))
        assert len(told) <= 2 * sum("-encrypted-" in name for name in names) + 1

    @given(EVENTS, st.dictionaries(st.text("abc", min_size=1), st.text(), max_size=2))
    def test_halves_tell_the_same_in_order_and_are_signed(self, events, headers):
        owner = app(Webhook(url="http://a/", headers=headers))
        for request in finish(owner, events, 5):
            halves = halve(owner, request)

            told = json.loads(request.body)["events"]
            if halves is None:
                assert len(told) == 1
                continue
            parts = [json.loads(half.body) for half in halves]
            assert [event for part in parts for event in part["events"]] == told
            assert all(part["events"] and part["time_ms"] == 5 for part in parts)
            for half in halves:
                signed = request.headers | {"X-Pusher-Signature": signature("gwsecret0001", half.body)}
                assert (half.url, half.headers) == (request.url, signed)

    @given(st.text(), st.dictionaries(st.text(), st.text()))
    def test_what_is_stored_is_read_again(self, text, headers):
        webhook = Webhook(url=f"http://a/{text}", headers=headers)
        (request,) = finish(app(webhook), [Event(WebhookEvent.CLIENT_EVENT, "a", {"data": text})], 5)

        again, contents = read(request.stored_headers, request.body)

        assert again == request
        assert (contents.time_ms, contents.channels, contents.kinds) == (5, frozenset("a"), ("client_event",))
        assert request.stored_headers[REQUEST_HEADER].isascii()

    @pytest.mark.parametrize("reserved", ["content-type", "X-PUSHER-KEY", "x-pusher-signature", "Host"])
    def test_headers_of_an_app_do_not_override_ours(self, reserved):
        (request,) = finish(app(Webhook(url="http://a/", headers={reserved: "forged"})), [MISS], 5)

        assert "forged" not in request.headers.values()

    @pytest.mark.parametrize(("headers", "body"), [(None, b"{}"), ({REQUEST_HEADER: "{}"}, b"{}"), ({}, b"x")])
    def test_what_is_not_ours_is_not_sent(self, headers, body):
        with pytest.raises(Unreadable):
            read(headers, body)

    def test_136_only_a_presence_channels_client_event_names_the_user(self):
        frame = {"event": "client-a", "channel": "presence-a", "data": "{}"}

        assert "user_id" not in client_event(json.dumps(frame).encode(), "1.1").fields
        assert client_event(json.dumps(frame | {"user_id": "7"}).encode(), "1.1").fields["user_id"] == "7"


class TestLane:
    @given(st.data())
    def test_requests_of_a_channel_follow_each_other_and_nobody_waits_without_need(self, data):
        width = data.draw(st.integers(1, 4))
        lane = Lane(width)
        asked = data.draw(st.lists(st.frozensets(st.sampled_from("abcd"), min_size=1), max_size=20))
        waiting, under_way, begun = [], [], []
        coming = list(enumerate(asked))
        while coming or waiting or under_way:
            if coming and (not under_way or data.draw(st.booleans())):
                item = coming.pop(0)
                lane.join(*item)
                waiting.append(item)
            else:
                lane.end(under_way.pop(data.draw(st.integers(0, len(under_way) - 1))))
            while (turn := lane.start()) is not None:
                busy = frozenset().union(*(other.channels for other in under_way))
                assert not turn.channels & busy
                earlier = [channels for number, channels in waiting if number < turn.item]
                assert not any(turn.channels & channels for channels in earlier)
                waiting.remove((turn.item, turn.channels))
                under_way.append(turn)
                begun.append(turn.item)
            assert len(under_way) <= width
            assert len(lane) == len(waiting) + len(under_way)
            assert under_way or not waiting

        assert sorted(begun) == list(range(len(asked)))


class TestRetry:
    @given(st.floats(0.01, 10), st.lists(st.floats(0, 1), min_size=30, max_size=30))
    def test_138_delays_grow_until_the_window_is_over(self, first, chances):
        retry = Retry(first=first, window=290)
        age, delays = 0.0, []
        for attempt, chance in enumerate(chances, 1):
            delay = retry.delay(attempt, age=age, chance=chance)
            if delay is None:
                break
            delays.append(delay)
            age += delay

        assert delay is None
        assert delays == sorted(set(delays))
        assert age <= 290 + 1e-6

    def test_138_with_the_defaults_the_last_attempt_is_just_before_five_minutes_are_over(self):
        age, attempts = 0.0, 1
        while (delay := Retry(first=1, window=290).delay(attempts, age=age, chance=0.5)) is not None:
            age += delay
            attempts += 1

        assert age == pytest.approx(290)
        assert attempts == 12

    def test_138_a_message_that_was_delivered_countless_times_is_no_error(self):
        assert Retry(first=1, window=290).delay(10**9, age=0, chance=1) is None


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert is_public(address) is public
