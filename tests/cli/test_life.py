"""Starting, stopping, and being killed: nothing is left behind, nothing is lost."""

import os
import signal
import socket
import subprocess
from typing import Any

import httpx
import pytest

from leadwire.ports import is_free
from support.waiting import until_sync

pytestmark = pytest.mark.system

BARE = ("--no-web", "--no-demo")


def test_down_leaves_nothing_running_and_a_second_up_keeps_the_data(leadwire: Any) -> None:
    first = leadwire.up("--detach", "--no-web")
    assert first.returncode == 0, first.stdout + first.stderr
    environment = leadwire.environment()
    figures = stats_of(environment)

    down = leadwire.run("down")
    assert down.returncode == 0
    assert leadwire.living() == []
    assert all(is_free("127.0.0.1", port) for port in leadwire.ports.values())
    assert leadwire.run("status").returncode == 3
    assert leadwire.run("down").returncode == 0

    second = leadwire.up("--detach", "--no-web")
    assert second.returncode == 0, second.stdout + second.stderr
    assert leadwire.environment() == environment
    assert stats_of(environment) == figures
    assert figures["data"]["total"] == 200


def stats_of(environment: dict[str, str]) -> dict[str, Any]:
    """Return what `GET /stats` answers to the demo user."""
    login = {"email": environment["DEMO_EMAIL"], "password": environment["DEMO_PASSWORD"]}
    token = httpx.post(f"{environment['LEADS_URL']}/auth/login", json=login).json()["access_token"]
    answer = httpx.get(f"{environment['LEADS_URL']}/stats", headers={"Authorization": f"Bearer {token}"})
    figures: dict[str, Any] = answer.json()
    return figures


def test_after_a_killed_supervisor_up_stops_what_is_left_and_starts_anew(leadwire: Any) -> None:
    assert leadwire.up("--detach", *BARE).returncode == 0
    os.kill(leadwire.state.supervisor(), signal.SIGKILL)
    until_sync(lambda: leadwire.state.supervisor() is None)
    left = {process.pid for process in leadwire.living()}
    assert leadwire.run("status").returncode == 3

    again = leadwire.up("--detach", *BARE)

    assert again.returncode == 0, again.stdout + again.stderr
    assert "An earlier run was killed" in again.stdout
    assert left
    assert not left & {process.pid for process in leadwire.living()}
    assert leadwire.run("status").returncode == 0


def test_down_after_a_killed_supervisor_stops_what_is_left_and_nothing_else(leadwire: Any) -> None:
    assert leadwire.up("--detach", *BARE).returncode == 0
    os.kill(leadwire.state.supervisor(), signal.SIGKILL)
    until_sync(lambda: leadwire.state.supervisor() is None)
    with subprocess.Popen(["sleep", "300"]) as bystander:
        assert leadwire.run("down").returncode == 0

        assert leadwire.living() == []
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("name", ["gateway", "leads", "notifier"])
def test_a_taken_port_is_named_before_anything_is_started(leadwire: Any, name: str) -> None:
    with socket.create_server(("127.0.0.1", leadwire.ports[name])):
        up = leadwire.up("--detach", *BARE)

    assert up.returncode == 1
    assert f"Port {leadwire.ports[name]} (for {name}) is taken by process {os.getpid()}" in up.stderr
    assert f"--{name}-port" in up.stderr
    assert leadwire.living() == []
    assert not leadwire.state.postgres.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_in_the_foreground(leadwire: Any, number: signal.Signals) -> None:
    with subprocess.Popen(leadwire.up_command(*BARE), stdout=subprocess.PIPE, text=True) as up:
        until_sync(lambda: (state := leadwire.state.snapshot()) and state.ready, within=120, why="it is up")
        up.send_signal(number)
        output, _ = up.communicate(timeout=120)

    assert up.returncode == 0
    assert output.rstrip().endswith("Stopped.")
    assert leadwire.living() == []


def test_an_interrupted_start_leaves_nothing_and_can_be_repeated(leadwire: Any) -> None:
    with subprocess.Popen(leadwire.up_command("--detach", *BARE), stdout=subprocess.DEVNULL) as up:
        until_sync((leadwire.state.logs / "postgres.log").exists, within=120)
        up.send_signal(signal.SIGINT)
        assert up.wait(120) == 130
    assert leadwire.living() == []

    assert leadwire.up("--detach", *BARE).returncode == 0


def test_fresh_starts_with_other_data_and_other_secrets(leadwire: Any) -> None:
    assert leadwire.up("--detach", *BARE).returncode == 0
    before = leadwire.environment()
    assert leadwire.run("down").returncode == 0

    assert leadwire.up("--detach", "--fresh", *BARE).returncode == 0

    assert leadwire.environment()["DEMO_COMPANY_ID"] != before["DEMO_COMPANY_ID"]
