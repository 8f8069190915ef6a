"""The process: its settings, its apps file, its health, the web screen."""

import gzip
import json
import os
import socket
import subprocess
import sys

import httpx
import pytest

from gateway import apps
from gateway.apps import AppsFileError
from support.gateways import APP

GOOD = {"id": "1", "key": "k", "secret": "s"}


def run(*arguments, **settings):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environment |= {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"apps_file": "x"}, "GATEWAY_NATS_URL"),
        ({"nats_url": "nats://x"}, "GATEWAY_APPS_FILE"),
        ({"nats_url": "nats://x", "apps_file": "x", "port": "http"}, "GATEWAY_PORT"),
        ({"nats_url": "nats://x", "apps_file": "x", "web_dir": "/nowhere"}, "GATEWAY_WEB_DIR"),
        ({"nats_url": "nats://x", "apps_file": "/nowhere.json"}, "GATEWAY_APPS_FILE: /nowhere.json"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(settings, named):
    ended = run("serve", **settings)

    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert named in ended.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["serve", "--workers", "0"], ["serve", "--workers", "many"], ["serve", "--dance"]]
)
def test_arguments_that_make_no_sense_are_answered_with_the_usage(arguments):
    ended = run(*arguments)

    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: python -m gateway")


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--workers", "2"]])
def test_a_wrong_apps_file_or_a_taken_port_stop_the_start(tmp_path, arguments):
    path = tmp_path / "apps.json"
    path.write_text(json.dumps([GOOD]))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(*arguments, nats_url="nats://x", apps_file=str(path), port=port)
    assert ended.returncode == 2
    assert "GATEWAY_PORT" in ended.stderr
    assert ended.stderr.count("\n") == 1

    path.write_text("[]")
    ended = run(*arguments, nats_url="nats://x", apps_file=str(path))
    assert ended.returncode == 2
    assert "no app in it" in ended.stderr


def test_a_certificate_that_is_none_stops_the_start(tmp_path):
    path = tmp_path / "apps.json"
    path.write_text(json.dumps([GOOD]))

    ended = run("serve", nats_url="nats://x", apps_file=str(path), tls_cert=str(path))

    assert ended.returncode == 2
    assert "GATEWAY_TLS_CERT" in ended.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Invalid JSON"),
        ("{}", "array"),
        ("[]", "no app in it"),
        ([GOOD, {"id": "2", "key": "x"}], "app 1, key 'secret'"),
        ([GOOD | {"id": "app-id"}], "app 0, key 'id'"),
        ([GOOD | {"key": "a/b"}], "app 0, key 'key'"),
        ([GOOD | {"enabled": "perhaps"}], "app 0, key 'enabled'"),
        ([GOOD | {"maxConnections": -2}], "app 0, key 'maxConnections'"),
        ([GOOD | {"secrett": "x"}], "app 0, key 'secrett': unknown key"),
        ([GOOD | {"webhooks": [{"url": "nowhere"}]}], "app 0, key 'webhooks'"),
        ([GOOD | {"webhooks": [{"url": "http://a/", "event_types": ["lunch"]}]}], "app 0, key 'webhooks'"),
        (
            [GOOD | {"webhooks": [{"url": "http://a/", "eventTypes": []}]}],
            "app 0, key 'webhooks': unknown key 'eventTypes'",
        ),
        ([GOOD, GOOD | {"key": "other"}], "app 1, key 'id': same as app 0"),
        ([GOOD, GOOD | {"id": "2"}], "app 1, key 'key': same as app 0"),
        ([7], "app 0"),
    ],
)
def test_the_offending_app_and_key_are_named(tmp_path, content, message):
    path = tmp_path / "apps.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))

    with pytest.raises(AppsFileError) as error:
        apps.load(path)

    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_of_soketi_works(tmp_path):
    path = tmp_path / "apps.json"
    app = {"id": 7, "key": "app-key", "secret": "app-secret", "maxConnections": -1, "enableClientMessages": False}
    path.write_text(
        json.dumps([app | {"webhooks": [], "maxClientEventsPerSecond": -1}, GOOD | {"enableClientMessages": True}])
    )

    tenants = apps.load(path)
    loaded, good = tenants.by_id("7"), tenants.by_id(GOOD["id"])

    assert (loaded.key, loaded.secret, loaded.enabled, loaded.max_connections) == ("app-key", "app-secret", True, None)
    assert (loaded.client_events, loaded.client_events_per_second) == (False, None)
    assert (good.client_events, good.client_events_per_second) == (True, 10)
    assert "app-secret" not in repr(loaded)


async def test_health_and_metrics(gateway):
    async with httpx.AsyncClient(base_url=gateway.admin_url()) as http, gateway.connect() as client:
        await client.join("news")
        assert (await http.get("/livez")).status_code == 200
        streams = ("stream PUSH", "stream STATE", "stream WEBHOOKS", "consumer sender of WEBHOOKS")
        checks = ("nats", *streams, "storage", "lease", "accepting")
        assert (await http.get("/readyz")).json() == {"status": "ready", "checks": dict.fromkeys(checks, "ok")}
        assert await gateway.metric("gateway_connections") >= 1
        assert await gateway.metric("gateway_subscriptions") >= 1
        before = await gateway.metric("gateway_deliveries_total")
        await gateway.trigger("news")
        await client.event()
        assert await gateway.metric("gateway_deliveries_total") == before + 1


async def test_without_a_screen_its_paths_do_not_exist(gateway):
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        for path in ("/", "/config.json", "/leads"):
            answer = await http.get(path, headers={"Accept": "text/html"})
            assert (answer.status_code, answer.text) == (404, "Not Found\n")


API = "https://api.example.org/v1"
INBOX = "https://inbox.example.org"
SCRIPT = "export default 1; " * 100


class TestScreen:
    """The built web screen, by a gateway of its own."""

    @pytest.fixture
    async def http(self, new_gateway, nats, tmp_path):
        (tmp_path / "index.html").write_text("<!doctype html><title>Leadwire</title>")
        (tmp_path / "assets").mkdir()
        (tmp_path / "assets/index-4f2a.js").write_text("1")
        (tmp_path / "assets/page-7c1d.js").write_text(SCRIPT)
        (tmp_path / "assets/page-7c1d.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
        (tmp_path / "favicon.svg").write_text("<svg/>")
        self.gateway = new_gateway(nats, web_dir=str(tmp_path), web_api_url=API, web_notifier_url=INBOX)
        async with httpx.AsyncClient(base_url=self.gateway.url) as http:
            yield http

    async def test_everything_a_browser_asks_for(self, http):
        page = {"Accept": "text/html,application/xhtml+xml"}
        for path in ("/", "/leads", "/leads/7?x=1", "/index.html"):
            answer = await http.get(path, headers=page)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["x-content-type-options"] == "nosniff"
            policy = answer.headers["content-security-policy"]
            assert f"ws://127.0.0.1:{self.gateway.port}" in policy
            assert " https://api.example.org https://inbox.example.org;" in policy
            assert "frame-ancestors 'none'" in policy

        script = await http.get("/assets/index-4f2a.js")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert script.headers["content-type"].startswith("text/javascript")
        assert (await http.get("/favicon.svg")).headers["content-type"] == "image/svg+xml"
        unchanged = await http.get("/assets/index-4f2a.js", headers={"If-None-Match": script.headers["etag"]})
        assert unchanged.status_code == 304

        packed = await http.get("/assets/page-7c1d.js", headers={"Accept-Encoding": "gzip, br"})
        plain = await http.get("/assets/page-7c1d.js", headers={"Accept-Encoding": "identity"})
        assert packed.text == plain.text == SCRIPT
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(SCRIPT)
        assert packed.headers["content-type"].startswith("text/javascript")
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"

        for path in ("/missing.js", "/assets/missing-1.js", "/apps/4242/nothing"):
            assert (await http.get(path, headers=page)).status_code == 404, path
        for path in ("/metrics", "/%6detrics", "//metrics", "/x/..;/METRICS", "/livez/", "/readyz%2f", "/metrics;a=b"):
            assert (await http.get(self.gateway.url + path, headers=page)).status_code == 404, path
        assert "root:" not in (await http.get("/..%2f..%2f..%2f..%2fetc%2fpasswd", headers=page)).text
        assert (await http.get("/leads", headers={"Accept": "application/json"})).status_code == 404
        assert (await http.post("/leads")).status_code == 405

        config = await http.get("/config.json")
        assert config.json() == {"apiUrl": API, "notifierUrl": INBOX, "appKey": APP["key"]}
        assert config.headers["cache-control"] == "no-store"

        async with self.gateway.connect() as client:
            await client.join("news")
            await self.gateway.trigger("news", "hello")
            assert (await client.event())[0] == "hello"
