"""The parts of the command line that need no process."""

import json
import os
import re
from pathlib import Path

import pytest

from leadwire import credentials, demo
from leadwire.accounts import Account
from leadwire.ports import LOOPBACK, is_free, reserve
from leadwire.processes import last_lines
from leadwire.state import AlreadyRunning, StateDirectory

STRANGER = Account("stranger", uid=os.geteuid() + 12345, gid=os.getegid() + 12345)


def test_credentials_are_made_once_and_kept(tmp_path: Path) -> None:
    first = credentials.load(tmp_path / "credentials.json")

    assert credentials.load(tmp_path / "credentials.json") == first
    assert credentials.Credentials() != first


def test_a_user_that_is_new_in_a_release_gets_a_password_too(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    first = credentials.load(file)
    kept = {user: password for user, password in first.nats.items() if user not in credentials.EXAMPLES}
    file.write_text(json.dumps({**json.loads(file.read_text()), "nats": kept}))

    second = credentials.load(file)

    assert second.nats.items() >= kept.items()
    assert second.nats.keys() == first.nats.keys()
    assert credentials.load(file) == second


def test_nats_passwords_are_what_its_configuration_reads_as_text() -> None:
    variables = credentials.Credentials().nats_environment

    assert variables.keys() >= {"NATS_LEADS_API_PASSWORD", "NATS_OPERATOR_PASSWORD"}
    assert all(re.fullmatch(r"[a-z][a-z0-9]+", password) for password in variables.values())


def test_secrets_are_not_shown_when_credentials_are_printed() -> None:
    made = credentials.Credentials()

    assert made.jwt_private_key not in repr(made)


def test_the_demo_leads_are_the_same_every_time_and_all_different() -> None:
    leads = list(demo.leads(["seller"]))

    assert leads == list(demo.leads(["seller"]))
    assert len({lead["email"] for lead in leads}) == len({lead["phone"] for lead in leads}) == demo.LEADS
    assert sum(message is not None for message in demo.messages(["seller"])) > 10
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+\d+@mail\.example", lead["email"]) for lead in leads)
    assert {lead["status"] for lead in leads} == {"new", "contacted", "qualified", "won", "lost"}


def test_a_reserved_port_is_free_for_a_server_and_given_to_nobody_else() -> None:
    first = reserve()
    second = reserve(preferred=first.port)
    assert is_free(LOOPBACK, first.port)
    assert second.port != first.port

    first.release()
    third = reserve(preferred=first.port)
    assert third.port == first.port
    for reservation in (second, third):
        reservation.release()


def test_a_closed_directory_on_the_way_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "closed/inner"
    inner.mkdir(parents=True)
    inner.chmod(0o755)
    (tmp_path / "closed").chmod(0o700)

    assert not STRANGER.can_enter(inner)
    assert STRANGER.can_enter(Path("/"))


def test_one_stack_has_one_supervisor(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    assert state.supervisor() is None

    with state.locked():
        assert state.supervisor() == os.getpid()
        with pytest.raises(AlreadyRunning), StateDirectory(tmp_path).locked():
            pass
    assert state.supervisor() is None


def test_the_environment_file_quotes_for_the_shell(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    state.write_environment({"PASSWORD": "it's $HOME; `id`"})

    assert state.environment.read_text() == "PASSWORD='it'\"'\"'s $HOME; `id`'\n"


def test_the_end_of_a_log_is_read_without_reading_all_of_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))

    assert last_lines(log, 2) == ["line 9998", "line 9999"]
    assert last_lines(log, 3, window=12)[-1] == "line 9999"
    assert last_lines(tmp_path / "none", 2) == []
