"""Signing in, events to a user, and sending users away; the numbers are the checklist's."""

import json
import os
import signal

import pytest

from contracts.push import CONTROL_HEADER
from support.gateways import (
    CLOSED_APP,
    EASY_APP,
    NO_USERS_APP,
    OTHER_APP,
    SIGNED_IN,
    SUCCEEDED,
    channel_auth,
    user_auth,
)

USER = "#server-to-user-"


async def error(client, *, code=None):
    """Read an error that closes nothing; return its message."""
    frame = await client.frame()
    assert frame["event"] == "pusher:error"
    assert frame["data"]["code"] == code
    return frame["data"]["message"]


async def refused(client, channel, status):
    frame = await client.frame()
    assert (frame["event"], frame["channel"]) == ("pusher:subscription_error", channel)
    assert json.loads(frame["data"])["status"] == status
    await error(client)


@pytest.mark.parametrize(
    "user_data",
    [
        '{"id":"u1","user_info":{"name":"Ada"},"watchlist":["u2"]}',
        '{"id": "u1", "user_info": {"name": "Zo\\u00eb"}}',
        '{"id":"é/ #","x":[1,{}]}',
        json.dumps({"id": "u" * 128}),
    ],
)
async def test_081_082_user_data_comes_back_as_it_was_sent(gateway, user_data):
    async with gateway.connect() as client:
        await client.ask_to_sign_in(user_data)

        frame = await client.frame()
        assert set(frame) == {"event", "data"}
        assert frame["event"] == SIGNED_IN
        assert json.loads(frame["data"]) == {"user_data": user_data}


@pytest.mark.parametrize(
    "user_data",
    ["{", "[]", "null", "{}", '{"id":""}', '{"id":7}', '{"id":null}', '{"id":["u1"]}', json.dumps({"id": "u" * 129})],
)
async def test_083_no_sign_in_without_an_id(gateway, user_data):
    async with gateway.connect() as client:
        await client.ask_to_sign_in(user_data)

        assert "id" in await error(client)
        await client.subscribe(f"{USER}u1")
        await refused(client, f"{USER}u1", 403)


async def test_083_forged_user_data_signs_nobody_in(gateway):
    async with gateway.connect() as client, gateway.connect(OTHER_APP) as other:
        honest, forged = '{"id":"u1"}', '{"id":"u2"}'
        for auth in (
            user_auth(client.socket_id, honest),
            user_auth(other.socket_id, forged),
            user_auth(client.socket_id, forged, OTHER_APP),
            channel_auth(client.socket_id, forged),
            user_auth(client.socket_id, forged).upper(),
            "",
        ):
            await client.ask_to_sign_in(forged, auth=auth)
            assert "signature" in await error(client)
        for data in ({}, {"auth": "x"}, {"auth": 1, "user_data": forged}, {"auth": "x", "user_data": {"id": "u2"}}, 7):
            await client.send("pusher:signin", data=data)
            await error(client)

        await client.sign_in("u1")


async def test_an_app_may_have_no_users(gateway):
    async with gateway.connect(NO_USERS_APP) as client:
        await client.ask_to_sign_in('{"id":"u1"}')

        assert "not enabled" in await error(client)


async def test_084_nobody_becomes_another_but_may_sign_in_again(gateway):
    async with gateway.connect() as client:
        await client.sign_in("again-1")

        await client.ask_to_sign_in('{"id":"again-2"}')
        assert "another user" in await error(client)
        await client.sign_in("again-1")

        await gateway.trigger([f"{USER}again-2", f"{USER}again-1"], "hello")
        assert await client.event() == ("hello", f"{USER}again-1", "{}")
        await client.hears_nothing()


async def test_085_086_a_users_channel_is_for_this_user_alone(gateway):
    async with gateway.connect() as client:
        await client.subscribe(f"{USER}u1")
        await refused(client, f"{USER}u1", 403)
        await client.sign_in("u1")
        for other in (f"{USER}u2", f"{USER}u11", f"{USER}U1"):
            await client.subscribe(other)
            await refused(client, other, 403)
        for invalid in (USER, "#u1", "#server-to-useru1"):
            await client.subscribe(invalid)
            await refused(client, invalid, 400)

        for _ in range(2):  # pusher-js asks again when it signs in again
            await client.send("pusher:subscribe", data={"auth": "", "channel": f"{USER}u1"})
            assert await client.frame() == {"event": SUCCEEDED, "channel": f"{USER}u1", "data": "{}"}


async def test_085_the_order_of_answers_is_the_order_of_what_was_asked(gateway):
    async with gateway.connect() as client:
        await client.ask_to_sign_in('{"id":"hasty"}')
        await client.subscribe(f"{USER}hasty")

        assert [(await client.frame())["event"] for _ in range(2)] == [SIGNED_IN, SUCCEEDED]


async def test_087_each_connection_of_the_user_and_nobody_else_hears_an_event_once(gateways):
    here, there = gateways
    async with here.connect() as first, there.connect() as second, there.connect() as other:
        for client, user in ((first, "u1"), (second, "u1"), (other, "u2")):
            await client.sign_in(user)
        await first.subscribe(f"{USER}u1")
        await first.frame()

        assert (await here.trigger(f"{USER}u1", "hello", '"x"')).text == "{}"

        for client in (first, second):
            assert await client.event() == ("hello", f"{USER}u1", '"x"')
        for client in (first, second, other):
            await client.hears_nothing()


async def test_087_an_excluded_socket_and_other_apps_hear_nothing(gateways):
    here, there = gateways
    async with here.connect() as author, there.connect() as other_tab, here.connect(OTHER_APP) as stranger:
        for client in (author, other_tab, stranger):
            await client.sign_in("excluding")

        await there.trigger(f"{USER}excluding", "hello", socket_id=author.socket_id)

        assert (await other_tab.event())[0] == "hello"
        for client in (author, stranger):
            await client.hears_nothing()


async def test_088_a_trigger_right_after_sign_in_is_delivered_once(gateways):
    here, there = gateways
    for number in range(20):
        async with here.connect() as client:
            await client.sign_in(f"prompt-{number}")
            await there.trigger(f"{USER}prompt-{number}", "hello")
            await client.subscribe(f"{USER}prompt-{number}")

            heard = sorted([(await client.frame())["event"] for _ in range(2)])
            assert heard == ["hello", SUCCEEDED]
            await client.hears_nothing()


async def test_unsubscribing_from_the_own_channel_stops_nothing_and_a_lost_connection_hears_nothing(gateway):
    async with gateway.connect() as client:
        await client.sign_in("steady")
        await client.subscribe(f"{USER}steady")
        await client.frame()
        await client.send("pusher:unsubscribe", data={"channel": f"{USER}steady"})

        await gateway.trigger(f"{USER}steady", "hello")
        assert (await client.event())[0] == "hello"

    assert (await gateway.trigger(f"{USER}steady", "gone")).text == "{}"


async def test_client_events_do_not_go_to_users(gateway):
    async with gateway.connect() as client:
        await client.sign_in("u1")
        await client.send("client-x", channel=f"{USER}u1", data={})

        await error(client)
        await client.hears_nothing()


def terminate_path(user, app_id="4242"):
    return f"/apps/{app_id}/users/{user}/terminate_connections"


async def sent_away(client):
    """Read to the end of a terminated connection."""
    frame = await client.frame()
    assert (frame["event"], frame["data"]["code"]) == ("pusher:error", 4009)
    assert (await client.closing())[0] == 4009
    return True


async def test_089_terminate_closes_every_signed_in_connection_and_no_other(gateways):
    here, there = gateways
    async with (
        here.connect() as first,
        there.connect() as second,
        there.connect() as other,
        there.connect(OTHER_APP) as stranger,
    ):
        for client, user in ((first, "bad"), (second, "bad"), (other, "good"), (stranger, "bad")):
            await client.sign_in(user)
        await second.join("news")

        answer = await here.post(terminate_path("bad"))

        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "{}", "application/json")
        assert await sent_away(first)
        assert await sent_away(second)
        for client in (other, stranger):
            await client.hears_nothing()


async def test_089_a_user_who_comes_back_is_not_sent_away_by_the_old_order(gateway):
    async with gateway.connect() as client:
        await client.sign_in("back")
        await gateway.trigger(f"{USER}back", "last")
        assert (await gateway.post(terminate_path("back"))).text == "{}"
        assert (await client.event())[0] == "last"
        assert await sent_away(client)

    async with gateway.connect() as client:
        await client.sign_in("back")
        await gateway.trigger(f"{USER}back", "first")
        assert (await client.event())[0] == "first"


async def test_089_an_app_may_let_them_come_back(gateway):
    async with gateway.connect(EASY_APP) as client:
        await client.sign_in("bad")
        assert (await gateway.post(terminate_path("bad", EASY_APP["id"]), app=EASY_APP)).text == "{}"

        assert (await client.closing())[0] == 4200


async def test_089_terminating_a_user_who_is_nowhere(gateway):
    assert (await gateway.post(terminate_path("nobody"))).text == "{}"
    assert (await gateway.post(terminate_path("x" * 129))).status_code == 400
    assert (await gateway.post(terminate_path(""))).status_code == 400


async def test_089_a_gateway_that_was_cut_off_sends_the_user_away_when_it_catches_up(new_gateway, nats):
    here, there = new_gateway(nats), new_gateway(nats)
    async with here.connect() as near, there.connect() as far:
        for client in (near, far):
            await client.sign_in("bad")
        os.kill(there.pid, signal.SIGSTOP)
        nats.kill()
        nats.start()
        try:
            while (await here.post(terminate_path("bad"))).status_code == 503:
                assert near.socket.close_code is None
            assert await sent_away(near)
        finally:
            os.kill(there.pid, signal.SIGCONT)

        assert await sent_away(far)


async def test_without_nats_nobody_is_told_that_the_user_was_sent_away(new_gateway, nats):
    gateway = new_gateway(nats)
    async with gateway.connect() as client:
        await client.sign_in("bad")
        nats.kill()
        answer = await gateway.post(terminate_path("bad"))
        nats.start()

        assert answer.status_code == 503
        await client.hears_nothing()


async def test_an_order_of_a_newer_version_reaches_no_client(gateway, nats_server):
    async with gateway.connect() as client, nats_server.client("notifier") as notifier:
        await client.sign_in("u1")

        subject = "push.4242.=23server-to-user-u1"
        await notifier.jetstream().publish(subject, b"x", headers={CONTROL_HEADER: "dance"})
        await gateway.trigger(f"{USER}u1", "hello")

        assert (await client.event())[0] == "hello"


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ("auth0|x", "auth0%7Cx"),
        ("u 1@x", "u%201@x"),
        ("a/b", "a%2Fb"),
        ("é", "%C3%A9"),
        ("100%", "100%25"),
    ],
)
async def test_102_ids_are_percent_encoded_and_signed_either_way(gateway, user, sent):
    for signed in (user, sent):
        async with gateway.connect() as client:
            await client.sign_in(user)

            answer = await gateway.post(terminate_path(sent), signed_path=terminate_path(signed))

            assert answer.text == "{}"
            assert await sent_away(client)


async def test_127_the_path_of_the_python_sdk_names_no_app(gateway):
    async with gateway.connect() as ours, gateway.connect(OTHER_APP) as theirs:
        for client in (ours, theirs):
            await client.sign_in("bad/x")

        path = "/users/bad%2Fx/terminate_connections"
        assert (await gateway.post(path, app=OTHER_APP | {"secret": "wrong"})).status_code == 401
        assert (await gateway.post(path, app=OTHER_APP | {"key": "wrong"})).status_code == 401
        assert (await gateway.post(path, app=OTHER_APP)).text == "{}"

        assert await sent_away(theirs)
        await ours.hears_nothing()


async def test_nobody_terminates_users_of_another_app(gateway):
    async with gateway.connect() as client:
        await client.sign_in("bad")

        assert (await gateway.post(terminate_path("bad"), app=OTHER_APP)).status_code == 401
        assert (await gateway.post(terminate_path("bad", "4343"), app=OTHER_APP)).text == "{}"

        await client.hears_nothing()


async def test_090_a_connection_that_shows_nothing_is_closed(gateway):
    async with (
        gateway.connect(CLOSED_APP) as idle,
        gateway.connect(CLOSED_APP) as public,
        gateway.connect(CLOSED_APP) as failed,
        gateway.connect(CLOSED_APP) as signed_in,
        gateway.connect(CLOSED_APP) as private,
    ):
        await public.join("news")
        await failed.subscribe("private-x", auth="x")
        await failed.ask_to_sign_in('{"id":"u1"}', auth="x")
        await signed_in.sign_in("u1")
        await private.join("private-x")
        await private.send("pusher:unsubscribe", data={"channel": "private-x"})

        for client in (idle, public, failed):
            assert await client.closing() == (4009, "Connection not authorized within timeout")
        for client in (signed_in, private):
            await client.hears_nothing()
