"""What `./leadwire up --detach` has brought up, seen from outside."""

import contextlib
import os
import signal
import stat
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from leadwire import demo
from support import privacy
from support.waiting import until_sync

pytestmark = pytest.mark.system

PROCESSES = ["postgres", "nats", "api", "relay", "worker", "notifier", "gateway"]
VARIABLES = {
    *("LEADS_URL", "NOTIFIER_URL", "GATEWAY_URL", "NATS_URL", "DATABASE_URL"),
    *("PUSHER_APP_ID", "PUSHER_APP_KEY", "PUSHER_APP_SECRET", "DEMO_EMAIL", "DEMO_PASSWORD", "DEMO_COMPANY_ID"),
}


@contextlib.contextmanager
def logged_in(environment: dict[str, str], email: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=environment["LEADS_URL"]) as api:
        login = api.post("/auth/login", json={"email": email, "password": environment["DEMO_PASSWORD"]})
        api.headers["Authorization"] = f"Bearer {login.raise_for_status().json()['access_token']}"
        yield api


def test_status_shows_every_process_ready(running: Any) -> None:
    status = running.run("status")

    assert status.returncode == 0
    rows = [line.split() for line in status.stdout.splitlines()[1:-1]]
    assert [row[0] for row in rows] == PROCESSES
    assert {row[-1] for row in rows} == {"ready"}


def test_the_environment_file_is_private_and_complete(running: Any) -> None:
    environment = running.environment()

    assert stat.S_IMODE(running.state.environment.stat().st_mode) == 0o600
    assert environment.keys() >= VARIABLES
    assert environment["LEADS_URL"] == f"http://127.0.0.1:{running.ports['leads']}"
    for name in ("LEADS", "NOTIFIER", "GATEWAY", "RELAY", "WORKER"):
        assert httpx.get(f"{environment[f'{name}_ADMIN_URL']}/readyz").status_code == 200, name
    with psycopg.connect(environment["DATABASE_URL"]) as database:
        assert database.execute(
            "SELECT current_database(), rolsuper FROM pg_roles WHERE rolname = user"
        ).fetchone() == (
            "leads",
            True,
        )


def test_secrets_are_for_their_owner_alone(running: Any) -> None:
    private = [path for path in running.home.iterdir() if path.suffix == ".json" or path.name == "logs"]

    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in private} == {0}


def test_no_password_is_on_a_command_line_or_in_a_log(running: Any) -> None:
    environment = running.environment()
    secrets = [environment[name] for name in ("PUSHER_APP_SECRET", "DEMO_PASSWORD")]
    secrets += [environment[name].split(":")[2].split("@")[0] for name in ("NATS_URL", "DATABASE_URL")]

    said = [" ".join(process.cmdline()) for process in running.living()]
    said += [log.read_text(errors="replace") for log in running.state.logs.glob("*.log")]
    assert not [text for text in said if any(secret in text for secret in secrets)]


def test_the_demo_company_has_its_leads_and_the_other_company_sees_none(running: Any) -> None:
    environment = running.environment()
    with logged_in(environment, environment["DEMO_EMAIL"]) as api:
        assert api.get("/auth/me").json()["data"]["company_id"] == environment["DEMO_COMPANY_ID"]
        assert api.get("/stats").json()["data"]["total"] == 200
        assert len(api.get("/users").json()["data"]) == 5

    with logged_in(environment, environment["OTHER_EMAIL"]) as other:
        assert other.get("/leads").json()["data"] == []


def test_the_demo_leads_went_through_the_log_and_nats(running: Any) -> None:
    with psycopg.connect(running.environment()["DATABASE_URL"]) as database:
        messages = sum(message is not None for message in demo.messages(["somebody"]))
        assert database.execute("SELECT count(*) FROM events").fetchone() == (200 + messages,)
        until_sync(
            lambda: database.execute("SELECT count(*) FROM outbox").fetchone() == (0,), why="all facts are published"
        )


def test_the_facts_are_published_once_more_when_asked(running: Any) -> None:
    done = running.run("reseed", "--all", "--company", running.environment()["DEMO_COMPANY_ID"])

    assert done.returncode == 0, done.stderr
    assert "facts published once more, generation 1" in done.stderr


def test_no_log_of_any_process_says_who_or_what_the_demo_is_about(running: Any) -> None:
    environment = running.environment()
    with logged_in(environment, environment["DEMO_EMAIL"]) as api:
        lead = api.get("/leads", params={"q": "silva"}).json()["data"][0]
        assert api.get("/leads", params={"q": lead["email"]}).json()["data"] != []
        assert api.post("/leads", json={"name": lead["name"], "email": lead["email"]}).status_code == 409
        assert api.post("/leads", json={"name": lead["name"], "email": f"{lead['email']}@"}).status_code == 422
        assert api.get(f"/leads/{lead['email']}").status_code == 404
    refused = httpx.post(f"{environment['LEADS_URL']}/auth/login", json={"email": demo.USERS[1][1], "password": "no"})
    assert refused.status_code == 401
    with psycopg.connect(environment["DATABASE_URL"]) as database:
        leads = database.execute("SELECT name, email, phone FROM leads").fetchall()
        users = database.execute("SELECT name, email FROM users").fetchall()
    words = {word for row in (*leads, *users) for word in row if word}
    words |= {message["body"] for message in demo.messages(["somebody"]) if message is not None}

    assert len(words) > 500
    assert privacy.findings(running.state.logs.glob("*.log"), sorted(words)) == []


def test_the_gateway_serves_the_screen(running: Any) -> None:
    page = httpx.get(running.environment()["GATEWAY_URL"])

    assert page.status_code == 200
    assert '<div id="app">' in page.text


def test_a_second_up_says_that_it_runs_already(running: Any) -> None:
    before = {process.pid for process in running.living()}
    again = running.up("--detach")

    assert again.returncode == 0
    assert "running already" in again.stdout
    assert running.environment()["GATEWAY_URL"] in again.stdout
    assert before <= {process.pid for process in running.living()}


@pytest.mark.parametrize("name", ["relay", "worker", "notifier", "gateway", "api", "nats", "postgres"])
def test_a_killed_process_is_started_again(running: Any, name: str) -> None:
    before = running.process(name)
    os.kill(before.pid, signal.SIGKILL)

    until_sync(lambda: running.process(name).restarts == before.restarts + 1)
    until_sync(lambda: running.run("status").returncode == 0, within=120, why="all is ready again")
    assert running.process(name).pid != before.pid
    assert f"{name} ended with exit code -9" in (running.state.logs / "supervisor.log").read_text()


def test_logs_shows_the_end_of_one_process_or_of_all(running: Any) -> None:
    one = running.run("logs", "api", "-n", "3")
    every = running.run("logs", "-n", "1")

    assert len(one.stdout.splitlines()) == 3
    assert {line.split()[0] for line in every.stdout.splitlines()} >= set(PROCESSES)
    assert running.run("logs", "nobody").returncode == 1
