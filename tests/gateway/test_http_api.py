"""`POST /apps/{id}/events`: signatures and rules, with a clock that stands still; the numbers are the checklist's."""

import hashlib
import hmac
import json
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.push import Push
from gateway.api import events
from gateway.api.auth import Authenticator
from gateway.api.channels import Channels
from gateway.api.rates import Rates
from gateway.main import serve
from gateway.pusher import signature
from gateway.pusher.allowance import Allowance
from gateway.pusher.app import App, Apps
from gateway.pusher.census import Audience, Question
from gateway.pusher.refusals import Unauthorised, Unavailable
from gateway.pusher.signature import SignedRequest
from gateway.reads import Stored
from support.gateways import APP, DISABLED_APP, OTHER_APP, signed_query

NOW = 1_700_000_000
APPS = [
    App(id=app["id"], key=app["key"], secret=app["secret"], enabled=app.get("enabled", True))
    for app in (APP, OTHER_APP, DISABLED_APP)
]
OURS = APPS[0]
SMALL = {"id": "4848", "key": "gwkey0048", "secret": "gwsecret0048"}
LIMITED = App(
    **SMALL,
    max_channel_name=12,
    max_event_name=5,
    max_event_bytes=4,
    max_channels_per_event=2,
    max_batch=3,
    backend_events_per_second=4,
    read_requests_per_second=2,
)
PATH = "/apps/4242/events"
BODY = b'{"name":"order.paid","channels":["private-orders"],"data":"{\\"id\\":1}"}'
VECTOR = (
    "auth_key=gwkey0001&auth_timestamp=1700000000&auth_version=1.0&body_md5=466da081f720a8b16bb02012736b3283"
    "&auth_signature=3a9a02d1f4e8e6020937a31d41d2a7680644ed05364ca618f1bcfe2d2d96288b"
)


class Memory:
    """A store that keeps what it is given, or refuses."""

    def __init__(self):
        self.pushes: list[Push] = []
        self.refusal = None

    async def store(self, pushes):
        if self.refusal:
            raise self.refusal
        self.pushes.extend(pushes)


class Known:
    """What all gateways know together, without gateways; it notes what it is asked."""

    def __init__(self):
        self.audiences = {}
        self.stored = None
        self.refusal = None
        self.asked = []

    async def ask(self, app_id, question):
        if self.refusal:
            raise self.refusal
        self.asked.append((app_id, question))
        return {
            name: audience
            for name, audience in self.audiences.items()
            if (question.names is None or name in question.names) and name.startswith(question.prefix)
        }

    async def last(self, app_id, channel):
        self.asked.append((app_id, channel))
        return self.stored


@pytest.fixture
def store():
    return Memory()


@pytest.fixture
def known():
    return Known()


@pytest.fixture
def clock():
    """Seconds, and whoever sets them."""
    return [0.0]


@pytest.fixture
def api(store, known, clock):
    ids = iter(range(1000))
    auth = Authenticator(Apps([*APPS, LIMITED]), now=lambda: NOW)
    rates = Rates(lambda: clock[0])
    reading = Channels(auth, rates, known, {"4242": 7}.__getitem__, cache_seconds=1800, now=lambda: NOW)
    routes = events.routes(auth, rates, store, known, new_id=lambda: f"id-{next(ids)}")
    app = serve.build({"/apps": [routes, reading.routes()]}, new_id=lambda: "correlation-1")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


def signed(body, path=PATH, app=APP, now=NOW, **extra):
    return f"{path}?{signed_query('POST', path, body, app, now, **extra)}"


async def post(api, body, **options):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await api.post(signed(content, **options), content=content)


def event(**changes):
    fields = {"name": "event", "channels": ["news"], "data": "{}"} | changes
    return {name: value for name, value in fields.items() if value is not ...}


def refused(answer, status):
    """Whether an answer is a refusal as SDKs expect it (item 129)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.endswith("\n")
    assert answer.text.count("\n") == 1
    return True


async def test_097_104_the_vector_of_the_specification(api, store):
    answer = await api.post(f"{PATH}?{VECTOR}", content=BODY)

    assert (answer.status_code, answer.content) == (200, b"{}")
    assert answer.headers["content-type"] == "application/json"
    assert [push.body for push in store.pushes] == [
        b'{"event":"order.paid","channel":"private-orders","data":"{\\"id\\":1}"}'
    ]


def verify(method, path, query, body, **options):
    """Check a whole request, as the API does in two steps."""
    signature.verify(SignedRequest(method, path, query), OURS, now=NOW, **options)
    signature.verify_body(query, body)


@given(
    st.integers(0, len(VECTOR) - 1), st.integers(0, len(BODY) - 1), st.characters(min_codepoint=33, max_codepoint=126)
)
def test_097_any_change_of_query_body_path_or_method_is_refused(in_query, in_body, character):
    def changed(text, place):
        return None if text[place] == character else text[:place] + character + text[place + 1 :]

    query = changed(VECTOR, in_query)
    body = changed(BODY.decode(), in_body)
    tries = [("PUT", PATH, VECTOR, BODY), ("POST", "/apps/4242/event", VECTOR, BODY)]
    # The case of keys and of the body's checksum is not part of what is compared.
    if query is not None and query.lower() != VECTOR.lower() and character not in "&#%":
        tries.append(("POST", PATH, query, BODY))
    if body is not None:
        tries.append(("POST", PATH, VECTOR, body.encode()))
    for request in tries:
        with pytest.raises(Unauthorised):
            verify(*request)


@pytest.mark.parametrize(
    ("body_md5", "expected"),
    [
        pytest.param("", "f504a29cf33a78e42bb2cdf19670c3760159fa115f0c7b3635ae3c2ff0d8b07e", id="097-get"),
        pytest.param(
            "&body_md5=d41d8cd98f00b204e9800998ecf8427e",
            "b9bb0da79b8883859ad171b81d743d413d943adf08bce9cd43f84b262bb62caa",
            id="099-get-of-the-python-sdk",
        ),
    ],
)
def test_097_099_vectors_of_get(body_md5, expected):
    query = (
        f"auth_key=gwkey0001&auth_timestamp={NOW}&auth_version=1.0{body_md5}&filter_by_prefix=presence-&info=user_count"
    )
    verify("GET", "/apps/4242/channels", f"{query}&auth_signature={expected}", b"")


@pytest.mark.parametrize("seconds", [-599, 0, 599])
async def test_098_a_clock_that_is_599_seconds_off_is_accepted(api, seconds):
    assert (await post(api, event(), now=NOW + seconds)).status_code == 200


@pytest.mark.parametrize("seconds", [-600, 600, 100_000])
async def test_098_a_clock_that_is_600_seconds_off_is_refused(api, seconds):
    refused(await post(api, event(), now=NOW + seconds), 401)


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "٣", "9" * 400])
async def test_098_a_time_that_is_none_is_refused(api, timestamp):
    body = json.dumps(event()).encode()
    refused(await api.post(signed(body, auth_timestamp=timestamp), content=body), 401)


async def test_100_a_body_needs_its_checksum(api):
    without = signed(b"")
    refused(await api.post(without, content=b'{"name":"x"}'), 401)
    refused(await api.post(signed(b"other"), content=b'{"name":"x"}'), 401)


def sign(path, pairs):
    """Return the signature of already ordered pairs, as an SDK would make it."""
    query = "&".join(f"{key}={value}" for key, value in pairs)
    return hmac.new(b"gwsecret0001", f"GET\n{path}\n{query}".encode(), hashlib.sha256).hexdigest()


AUTH = [("auth_key", "gwkey0001"), ("auth_timestamp", str(NOW)), ("auth_version", "1.0")]


@pytest.mark.parametrize(
    ("signed_path", "signed_pairs", "sent_path", "sent_query"),
    [
        pytest.param("/a", [*AUTH, ("b", "x y")], "/a", "b=x%20y", id="101-percent-encoded"),
        pytest.param("/a", [*AUTH, ("b", "x+y")], "/a", "b=x+y", id="101-a-plus-is-a-plus"),
        pytest.param("/a", [*AUTH, ("b", "x y")], "/a", "b=x+y", id="101-or-a-space"),
        pytest.param("/a", [*AUTH, ("b", "1")], "/a", "B=1", id="101-upper-case-key"),
        pytest.param("/u/auth0|x", AUTH, "/u/auth0%7Cx", "", id="102-path-signed-decoded"),
        pytest.param("/u/a%7Cb", AUTH, "/u/a%7Cb", "", id="102-path-signed-encoded"),
        pytest.param("/a", AUTH, "/realtime/a", "", id="102-prefix-not-signed"),
        pytest.param("/realtime/a", AUTH, "/a", "", id="prefix-signed-and-removed-by-a-proxy"),
        pytest.param("/realtime/a", AUTH, "/realtime/a", "", id="prefix-signed-and-kept"),
        pytest.param("/a", [*AUTH, ("info", "a,b")], "/a", "info%5B0%5D=a&info%5B1%5D=b", id="101-arrays-of-php"),
        pytest.param("/a", [*AUTH, ("k[]", "b"), ("k[]", "a")], "/a", "k[]=b&k[]=a", id="101-arrays-of-ruby"),
    ],
)
def test_101_102_sdks_sign_in_their_own_ways(signed_path, signed_pairs, sent_path, sent_query):
    auth = "&".join(f"{key}={quote(value)}" for key, value in reversed(AUTH))
    query = "&".join(filter(None, [sent_query, auth, f"auth_signature={sign(signed_path, signed_pairs)}"]))

    verify("GET", sent_path, query, b"", path_prefix="/realtime")


@given(st.binary(max_size=60), st.text(max_size=60), st.text(max_size=80))
def test_no_request_at_all_passes_by_chance(body, path, query):
    with pytest.raises(Unauthorised):
        verify("POST", f"/{path}", query, body)


async def test_103_unknown_foreign_and_disabled_apps(api, store):
    refused(await post(api, event(), path="/apps/999/events"), 404)
    refused(await post(api, event(), app=OTHER_APP), 401)
    refused(await post(api, event(), path="/apps/4444/events", app=DISABLED_APP), 403)
    refused(await post(api, event(), path="/apps/4444/events"), 401)
    assert not store.pushes


@pytest.mark.parametrize("data", ['{"a": 1}', "", "é/\\u00e9", " ", "not json", '"'])
async def test_105_109_data_is_passed_through_as_the_same_string(api, store, data):
    assert (await post(api, event(data=data))).content == b"{}"

    (push,) = store.pushes
    assert json.loads(push.body) == {"event": "event", "channel": "news", "data": data}


async def test_105_other_data_is_serialised_compactly(api, store):
    await post(api, event(data={"a": [1, "é"]}))

    assert store.pushes[0].data == '{"a":[1,"é"]}'


async def test_106_any_event_name(api, store):
    await post(api, event(name="App\\Events\\Shipped"))

    assert json.loads(store.pushes[0].body)["event"] == "App\\Events\\Shipped"


@pytest.mark.parametrize("name", [..., None, 7, "", "x" * 201, "pusher:x", "pusher_internal:member_added", ["x"]])
async def test_107_bad_names(api, store, name):
    assert refused(await post(api, event(name=name)), 400)
    assert not store.pushes


async def test_107_a_name_of_200_characters(api):
    assert (await post(api, event(name="é" * 200))).status_code == 200


async def test_108_data_of_10240_bytes_and_one_more(api, store):
    assert (await post(api, event(data="é" * 5120))).status_code == 200
    refused(await post(api, event(data="é" * 5120 + "x")), 413)
    assert len(store.pushes) == 1


@pytest.mark.parametrize("data", [..., None])
async def test_109_data_is_required(api, data):
    assert refused(await post(api, event(data=data)), 400)


@pytest.mark.parametrize("fields", [{"channel": "news"}, {"channels": "news"}, {"channels": ["news"], "channel": "x"}])
async def test_110_a_single_channel(api, store, fields):
    await post(api, event(channels=...) | fields)

    assert [push.channel for push in store.pushes] == ["news"]


async def test_111_one_hundred_channels(api, store):
    assert (await post(api, event(channels=[f"c{number}" for number in range(100)]))).status_code == 200
    assert len(store.pushes) == 100


@pytest.mark.parametrize(
    "channels",
    [[f"c{n}" for n in range(101)], [], ["news", "a b"], ["news", 7], ..., None, {}, "", ["#x"], ["x" * 201]],
)
async def test_111_bad_channels_deliver_nothing(api, store, channels):
    assert refused(await post(api, event(channels=channels)), 400)
    assert not store.pushes


async def test_112_a_channel_listed_twice_gets_one_event(api, store):
    await post(api, event(channels=["b", "a", "b"]))

    assert [push.channel for push in store.pushes] == ["b", "a"]


@pytest.mark.parametrize("socket_id", ["", "1", "1.2.3", "1.2 ", "x.y", 12, "1.2\n", "٣.٣"])
async def test_114_a_malformed_socket_id(api, socket_id):
    assert refused(await post(api, event(socket_id=socket_id)), 400)


@pytest.mark.parametrize("socket_id", ["1234.5678", None])
async def test_113_114_the_excluded_socket_travels_with_the_push(api, store, socket_id):
    await post(api, event(socket_id=socket_id))

    assert store.pushes[0].headers.get("Except-Socket") == socket_id


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"{}", b"[" * 100_000])
async def test_a_body_that_is_no_event(api, body):
    assert refused(await post(api, body), 400)


async def test_130_unpaired_surrogates(api, store):
    assert refused(await post(api, b'{"name":"x","channels":["a"],"data":"\\ud83d"}'), 400)
    assert not store.pushes


async def test_data_nested_too_deeply(api, store):
    deep = b"[" * 400 + b"]" * 400

    assert refused(await post(api, b'{"name":"x","channels":["a"],"data":%s}' % deep), 400)
    assert not store.pushes


async def test_a_body_is_not_read_before_the_signature_was_checked(api):
    read = []

    async def body():
        for _ in range(1000):
            read.append(1)
            yield b" " * 1024

    target = signed(b"whatever", app=APP | {"secret": "guessed"})
    assert refused(await api.post(target, content=body()), 401)
    assert read == []


async def test_a_body_over_one_mebibyte(api):
    assert refused(await post(api, b" " * (1024 * 1024 + 1)), 413)


async def test_fields_may_come_from_the_query(api, store):
    body = b'{"data":"{}"}'
    path = "/apps/4242/events"
    query = signed_query("POST", path, body, APP, NOW, **{"channels[]": "news", "name": "event"})

    assert (await api.post(f"{path}?{query}", content=body)).content == b"{}"
    assert store.pushes[0].channel == "news"


async def test_what_this_version_does_not_do_is_refused_clearly(api):
    assert refused(await api.get("/apps/4242/nothing"), 404)
    assert refused(await api.get(PATH), 405)
    assert refused(await api.get("/nowhere"), 404)


async def test_the_message_id_is_new_for_each_request_or_made_of_the_app_and_its_key(api, store):
    body = json.dumps(event()).encode()
    for key in (None, None, "k"):
        headers = {} if key is None else {"Idempotency-Key": key}
        await api.post(signed(body), content=body, headers=headers)

    ids = [push.headers["Nats-Msg-Id"] for push in store.pushes]
    assert ids == ["id-0:news", "id-1:news", "http:4242:k:news"]


@pytest.mark.parametrize("key", ["", "x" * 256, "é".encode()])
async def test_a_malformed_idempotency_key(api, key):
    body = json.dumps(event()).encode()
    assert refused(await api.post(signed(body), content=body, headers=[("Idempotency-Key", key)]), 400)


async def test_status_503_when_the_event_was_not_stored(api, store):
    store.refusal = Unavailable("The message broker is not reachable; try again")

    assert refused(await post(api, event()), 503)


async def test_the_correlation_id_travels_with_the_push(api, store):
    await post(api, event())

    assert store.pushes[0].headers["Correlation-Id"] == "correlation-1"


BATCH = "/apps/4242/batch_events"


def entry(number, **changes):
    fields = {"name": f"event-{number}", "channel": "news", "data": str(number)} | changes
    return {name: value for name, value in fields.items() if value is not ...}


async def test_116_a_batch_of_ten_is_stored_in_order(api, store):
    batch = [entry(number, channel=f"c{number % 2}", socket_id="1.2") for number in range(10)]

    answer = await post(api, {"batch": batch}, path=BATCH)

    assert (answer.status_code, answer.content) == (200, b"{}")
    assert [(push.channel, push.data) for push in store.pushes] == [
        (f"c{number % 2}", str(number)) for number in range(10)
    ]
    assert {push.headers["Except-Socket"] for push in store.pushes} == {"1.2"}
    assert len({push.headers["Nats-Msg-Id"] for push in store.pushes}) == 10


@pytest.mark.parametrize("batch", [[entry(number) for number in range(11)], [], ..., None, {}, "x", [7], [[]], [None]])
async def test_116_a_batch_of_the_wrong_size_or_kind_stores_nothing(api, store, batch):
    assert refused(await post(api, {} if batch is ... else {"batch": batch}, path=BATCH), 400)
    assert not store.pushes


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"data": "x" * 10_241}, 413),
        ({"data": ...}, 400),
        ({"name": "pusher:x"}, 400),
        ({"name": ...}, 400),
        ({"channel": "a b"}, 400),
        ({"channel": ...}, 400),
        ({"channel": ["news"]}, 400),
        ({"channel": ..., "channels": ["a", "b"]}, 400),
        ({"socket_id": "x"}, 400),
        ({"info": "bogus"}, 400),
    ],
)
@pytest.mark.parametrize("place", [0, 2])
async def test_117_one_bad_entry_and_nothing_is_stored(api, store, changes, status, place):
    batch = [entry(number) for number in range(3)]
    batch[place] = entry(place, **changes)

    answer = await post(api, {"batch": batch}, path=BATCH)

    assert refused(answer, status)
    assert status != 413 or answer.text.startswith("The data content of this event exceeds")
    assert not store.pushes


async def test_a_batch_needs_a_signature_like_everything_else(api, store):
    body = json.dumps({"batch": [entry(1)]}).encode()

    assert refused(await api.post(f"{BATCH}?{signed_query('POST', PATH, body, APP, NOW)}", content=body), 401)
    assert not store.pushes


async def test_a_repeated_batch_has_the_same_message_ids_and_none_of_a_single_event(api, store):
    for path, body in ((BATCH, {"batch": [entry(0), entry(1)]}), (PATH, event()), (BATCH, {"batch": [entry(0)]})):
        content = json.dumps(body).encode()
        await api.post(signed(content, path), content=content, headers={"Idempotency-Key": "k"})

    ids = [push.headers["Nats-Msg-Id"] for push in store.pushes]
    assert ids == [f"{key}http:4242:k:news" for key in ("batch:0:", "batch:1:", "", "batch:0:")]


async def test_status_503_when_a_batch_was_not_stored(api, store):
    store.refusal = Unavailable("The message broker is not reachable; try again")

    assert refused(await post(api, {"batch": [entry(1)]}, path=BATCH), 503)


LIMITED_PATH = "/apps/4848/events"


async def test_an_app_has_limits_of_its_own(api, store):
    fits = event(name="12345", channels=["x" * 12, "b"], data="1234")
    assert (await post(api, fits, path=LIMITED_PATH, app=SMALL)).status_code == 200
    for status, changes in (
        (400, {"name": "123456"}),
        (400, {"channels": ["x" * 13]}),
        (400, {"channels": ["a", "b", "c"]}),
        (413, {"data": "12345"}),
    ):
        assert refused(await post(api, event(**fits | changes), path=LIMITED_PATH, app=SMALL), status)
    assert len(store.pushes) == 2

    batch = [entry(0, name="e")] * 4
    assert refused(await post(api, {"batch": batch}, path="/apps/4848/batch_events", app=SMALL), 400)


async def test_an_app_may_send_so_many_events_a_second(api, store, clock):
    small = {"path": LIMITED_PATH, "app": SMALL}
    short = event(name="e", data="")
    assert [(await post(api, short, **small)).status_code for _ in range(5)] == [200, 200, 200, 200, 429]

    answer = await post(api, short, **small)
    assert refused(answer, 429)
    assert answer.headers["retry-after"] == "1"
    assert (await post(api, event())).status_code == 200  # another app

    clock[0] += 0.5
    batch = {"batch": [entry(0, name="e", data="")] * 3}
    assert refused(await post(api, batch, path="/apps/4848/batch_events", app=SMALL), 429)
    clock[0] += 0.25
    assert (await post(api, batch, path="/apps/4848/batch_events", app=SMALL)).status_code == 200
    assert refused(await post(api, short, **small), 429)
    assert len(store.pushes) == 8


@pytest.mark.parametrize("rate", [1, 3, 10])
def test_a_batch_larger_than_the_rate_is_paid_back_afterwards(rate):
    allowance = Allowance(rate, 0.0)

    assert allowance.take(0.0, 10)
    paid = 11 / rate - 1
    assert not allowance.take(paid - 0.01)
    assert allowance.pause() == 1
    assert allowance.take(paid + 0.01)


def test_where_nothing_is_allowed_nobody_is_told_to_come_back_soon():
    allowance = Allowance(0, 0.0)

    assert not allowance.take(1e9)
    assert allowance.pause() == 86_400


async def get(api, path, *, app=APP, **extra):
    return await api.get(f"{path}?{signed_query('GET', path, b'', app, NOW, **extra)}")


CHANNELS = "/apps/4242/channels"


async def test_115_the_answer_to_an_event_tells_about_its_channels(api, known, store):
    known.audiences = {"pub": Audience(3), "other": Audience(9)}
    body = event(channels=["pub", "presence-p", "pub"], info="user_count,subscription_count")

    answer = await post(api, body)

    assert answer.text == (
        '{"channels":{"pub":{"subscription_count":3},"presence-p":{"user_count":0,"subscription_count":0}}}'
    )
    assert known.asked == [("4242", Question(names=("pub", "presence-p"), users=True))]
    assert len(store.pushes) == 2


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ("user_count", '{"channels":{"pub":{},"#server-to-user-1":{}}}'),
        ("subscription_count", '{"channels":{"pub":{"subscription_count":0},"#server-to-user-1":{}}}'),
        ("", "{}"),
        (None, "{}"),
    ],
)
async def test_115_what_a_channel_does_not_have_is_left_out(api, info, expected):
    assert (await post(api, event(channels=["pub", "#server-to-user-1"], info=info))).text == expected


@pytest.mark.parametrize("info", ["bogus", "cache", 7, ["user_count"]])
async def test_115_unknown_attributes_and_nothing_is_stored(api, store, info):
    assert refused(await post(api, event(info=info)), 400)
    assert not store.pushes


async def test_115_nothing_is_stored_when_nobody_answers(api, known, store):
    known.refusal = Unavailable("The message broker did not answer; try again")

    assert refused(await post(api, event(info="subscription_count")), 503)
    assert not store.pushes
    assert (await post(api, event())).status_code == 200


async def test_118_a_batch_answers_in_line_with_its_events(api, known):
    known.audiences = {"pub": Audience(1)}
    batch = [
        entry(0, channel="pub", info="subscription_count"),
        entry(1, channel="pub"),
        entry(2, channel="presence-p", info="user_count,subscription_count"),
    ]

    answer = await post(api, {"batch": batch}, path=BATCH)

    assert answer.text == '{"batch":[{"subscription_count":1},{},{"user_count":0,"subscription_count":0}]}'
    assert len(known.asked) == 1


async def test_119_120_121_lists_of_channels(api, known):
    assert (await get(api, CHANNELS)).text == '{"channels":{}}'
    known.audiences = {
        "news": Audience(2),
        "presence-a": Audience(3, {"1": None, "2": None}),
        "presence-b": Audience(1, {"1": None}),
    }

    assert (await get(api, CHANNELS)).text == '{"channels":{"news":{},"presence-a":{},"presence-b":{}}}'
    prefixed = await get(api, CHANNELS, filter_by_prefix="presence-", info="user_count")
    assert prefixed.text == '{"channels":{"presence-a":{"user_count":2},"presence-b":{"user_count":1}}}'
    both = await get(api, CHANNELS, filter_by_prefix="presence-b", info="subscription_count,user_count")
    assert both.text == '{"channels":{"presence-b":{"user_count":1,"subscription_count":1}}}'
    counted = await get(api, CHANNELS, filter_by_prefix="n", info="subscription_count")
    assert counted.text == '{"channels":{"news":{"subscription_count":2}}}'
    assert counted.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "query",
    [
        {"info": "user_count"},
        {"info": "user_count", "filter_by_prefix": "presence"},
        {"info": "user_count", "filter_by_prefix": "private-"},
        {"info": "cache"},
        {"info": "bogus"},
    ],
)
async def test_122_124_lists_that_cannot_be(api, known, query):
    assert refused(await get(api, CHANNELS, **query), 400)
    assert not known.asked


async def test_123_a_channel_that_is_nowhere(api):
    assert (await get(api, f"{CHANNELS}/none")).text == '{"occupied":false}'
    asked = await get(api, f"{CHANNELS}/presence-none", info="user_count,subscription_count")
    assert asked.text == '{"occupied":false,"user_count":0,"subscription_count":0}'


async def test_a_channel_that_is_somewhere(api, known):
    known.audiences = {"presence-a": Audience(3, {"1": None, "2": None}), "news": Audience(1)}

    assert (await get(api, f"{CHANNELS}/news")).text == '{"occupied":true}'
    asked = await get(api, f"{CHANNELS}/presence-a", info="subscription_count,user_count")
    assert asked.text == '{"occupied":true,"user_count":2,"subscription_count":3}'


@pytest.mark.parametrize(
    ("name", "info"),
    [
        ("news", "user_count"),
        ("private-news", "user_count"),
        ("news", "bogus"),
        ("news", "cache"),
        ("x-cache-a", "cache"),
        ("a%20b", ""),
        ("%23server-to-user-1", ""),
        ("x" * 201, ""),
    ],
)
async def test_124_125_channels_that_cannot_be_asked_so(api, known, name, info):
    assert refused(await get(api, f"{CHANNELS}/{name}", info=info), 400)
    assert not known.asked


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, "null"),
        (Stored('{"v":"é"}', NOW), '{"data":"{\\"v\\":\\"é\\"}","ttl":1800}'),
        (Stored("x", NOW - 1740.5), '{"data":"x","ttl":59}'),
        (Stored("x", NOW - 1800), "null"),
    ],
)
async def test_125_the_last_event_of_a_cache_channel(api, known, stored, expected):
    known.stored = stored

    for name in ("cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"):
        answer = await get(api, f"{CHANNELS}/{name}", info="cache")
        assert answer.text == f'{{"occupied":false,"cache":{expected}}}'


async def test_126_the_users_of_a_presence_channel(api, known):
    assert (await get(api, f"{CHANNELS}/presence-p/users")).text == '{"users":[]}'
    known.audiences = {"presence-p": Audience(3, {"1": None, "é": None})}

    assert (await get(api, f"{CHANNELS}/presence-p/users", extra="x")).text == '{"users":[{"id":"1"},{"id":"é"}]}'
    for name in ("news", "private-p", "cache-p"):
        assert refused(await get(api, f"{CHANNELS}/{name}/users"), 400)


@pytest.mark.parametrize("path", [CHANNELS, f"{CHANNELS}/news", f"{CHANNELS}/presence-p/users"])
async def test_129_reads_are_refused_with_a_status_and_a_sentence(api, known, path):
    assert refused(await get(api, path, app=OTHER_APP), 401)
    assert refused(await api.get(path), 401)
    assert refused(await get(api, path.replace("4242", "999")), 404)
    assert refused(await api.post(path), 405)
    known.refusal = Unavailable("The message broker is not reachable; try again")
    assert refused(await get(api, path), 503)


async def test_an_app_may_read_so_often_a_second(api, clock):
    path = "/apps/4848/channels"
    statuses = [(await get(api, path, app=SMALL)).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert (await get(api, path, app=SMALL)).headers["retry-after"] == "1"
    clock[0] += 0.5
    assert (await get(api, path, app=SMALL)).status_code == 200


RAW = "/apps/4242/channels/news/events"


async def test_the_api_of_2012_takes_raw_data(api, store):
    body = b'{"a": "\xc3\xa9"} '
    query = signed_query("POST", RAW, body, APP, NOW, name="event", socket_id="1.2", info="bogus", channels="other")

    answer = await api.post(f"{RAW}?{query}", content=body)

    assert (answer.status_code, answer.text) == (202, "{}")
    (push,) = store.pushes
    assert (push.channel, push.event, push.data, push.except_socket) == ("news", "event", '{"a": "é"} ', "1.2")


@pytest.mark.parametrize(
    ("body", "query", "path", "status"),
    [
        (b"\xff", {"name": "event"}, RAW, 400),
        (b"x", {}, RAW, 400),
        (b"x", {"name": "pusher:x"}, RAW, 400),
        (b"x", {"name": "event", "socket_id": "x"}, RAW, 400),
        (b"x" * 10_241, {"name": "event"}, RAW, 413),
        (b"x", {"name": "event"}, "/apps/4242/channels/a%20b/events", 400),
    ],
)
async def test_the_api_of_2012_has_the_same_rules(api, store, body, query, path, status):
    assert refused(
        await api.post(f"{path}?{signed_query('POST', path, body, APP, NOW, **query)}", content=body), status
    )
    assert not store.pushes


async def test_the_api_of_2012_and_reverb_tell_less(api, known):
    known.audiences = {"presence-a": Audience(3, {"1": None, "2": None})}

    assert (await get(api, f"{CHANNELS}/presence-a/stats")).text == '{"occupied":true,"user_count":2}'
    assert (await get(api, f"{CHANNELS}/news/stats")).text == '{"occupied":false}'
    assert (await get(api, "/apps/4242/connections")).text == '{"connections":7}'
    assert refused(await get(api, "/apps/4242/connections", app=OTHER_APP), 401)
