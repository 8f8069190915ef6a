"""Every frame that the gateway makes. Clients for iOS, Java and .NET are stricter than pusher-js."""

import inspect
import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.pusher import frames
from support.gateways import checked

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_text = st.none() | st.sampled_from(["null", "1", '{"name":"Zoë"}', "[]", '"x"'])

MADE = {
    "established": st.builds(frames.established, text, st.integers(1, 600)),
    "error": st.builds(frames.error, st.none() | st.integers(4000, 4302), text),
    "subscription_succeeded": st.builds(frames.subscription_succeeded, text),
    "signin_success": st.builds(frames.signin_success, text),
    "presence_succeeded": st.builds(frames.presence_succeeded, text, st.dictionaries(text, json_text, max_size=3)),
    "member_added": st.builds(frames.member_added, text, text, json_text),
    "member_removed": st.builds(frames.member_removed, text, text),
    "subscription_count": st.builds(frames.subscription_count, text, st.integers(0, 10**6)),
    "client_event": st.builds(frames.client_event, text, text, text, st.none() | text),
    "watchlist_events": st.builds(
        frames.watchlist_events, offline=st.lists(text, max_size=3), online=st.lists(text, max_size=3)
    ),
    "cache_miss": st.builds(frames.cache_miss, text),
    "subscription_error": st.builds(frames.subscription_error, text, text, st.integers(400, 501), text),
    "position": st.builds(frames.position, text, text, st.integers(0, 2**63), resumed=st.booleans()),
}


def test_all_kinds_of_frames_are_looked_at():
    made_here = inspect.getmembers(frames, inspect.isfunction)
    assert {name for name, made in made_here if made.__module__ == frames.__name__ and name[0] != "_"} == set(MADE)


@given(st.one_of(*MADE.values()) | st.sampled_from([frames.PING, frames.PONG]))
def test_153_154_data_is_a_string_except_in_an_error_and_no_key_is_null(frame):
    assert json.dumps(checked(frame.decode()))
