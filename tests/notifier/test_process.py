"""The process as an operator meets it: commands, settings, migrations, probes."""

import os
import subprocess
import sys
from collections.abc import Mapping

import httpx
import psycopg
import pytest

from contracts.tokens import PrivateKey
from support.databases import Database
from support.notifiers import World

KEY = PrivateKey.generate()
COMPLETE = {
    "NOTIFIER_DATABASE_URL": "postgresql://notifier_app:secret-word@127.0.0.1:1/notifier",
    "NOTIFIER_WRITER_DATABASE_URL": "postgresql://notifier_writer:secret-word@127.0.0.1:1/notifier",
    "NOTIFIER_JWT_PUBLIC_KEY": KEY.public.pem,
    "NOTIFIER_NATS_URL": "nats://notifier:secret-word@127.0.0.1:1",
    "NOTIFIER_PUSHER_APP_ID": "4242",
}


def run(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "notifier", *arguments],
        env={**others, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("missing", sorted(COMPLETE))
def test_a_missing_variable_is_named_on_one_line(missing: str) -> None:
    done = run("serve", environment={name: value for name, value in COMPLETE.items() if name != missing})

    assert done.returncode == 2
    assert done.stderr == f"notifier: {missing}: Field required\n"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NOTIFIER_PORT", "http"),
        ("NOTIFIER_PUSHER_APP_ID", "app"),
        ("NOTIFIER_LOG_LEVEL", "LOUD"),
        ("NOTIFIER_JWT_PUBLIC_KEY", "secret-word"),
        ("NOTIFIER_JWT_PUBLIC_KEY", KEY.pem),
        ("NOTIFIER_JWT_OTHER_PUBLIC_KEY", "secret-word"),
        ("NOTIFIER_POOL_SIZE", "0"),
    ],
)
def test_a_malformed_variable_is_named_on_one_line_without_secrets(variable: str, value: str) -> None:
    done = run("serve", environment={**COMPLETE, variable: value})

    assert done.returncode == 2
    assert done.stderr.startswith(f"notifier: {variable}: ")
    assert done.stderr.count("\n") == 1
    assert "secret-word" not in done.stderr
    assert "BEGIN" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("start",), ("serve", "now"), ("dead",), ("dead", "retry"), ("dead", "drop", "first")]
)
def test_anything_else_is_answered_with_the_usage(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, environment=COMPLETE)

    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m notifier serve|migrate|wait|")


def test_migrating_again_changes_nothing(notifier_database: Database) -> None:
    environment = {"NOTIFIER_DATABASE_URL": notifier_database.url("notifier_owner")}

    for _ in range(2):
        assert run("migrate", environment=environment).returncode == 0


def test_each_role_may_do_what_it_must_and_nothing_else(notifier_database: Database) -> None:
    refused = {
        "notifier_writer": (
            "UPDATE notifications SET read_at = now()",
            "INSERT INTO muted VALUES (gen_random_uuid(), gen_random_uuid(), 'message')",
            "DROP TABLE cursors",
            "CREATE TABLE mine ()",
        ),
        "notifier_app": (
            "SELECT FROM cursors",
            "SELECT FROM outbox",
            "SELECT FROM passed_over",
            "DELETE FROM notifications",
            "UPDATE notifications SET body = '{}'",
            "INSERT INTO inboxes VALUES (gen_random_uuid(), gen_random_uuid(), 0, 0, 0)",
            "DROP TABLE notifications",
            "CREATE TABLE mine ()",
        ),
    }
    for role, statements in refused.items():
        with psycopg.connect(notifier_database.url(role), autocommit=True) as connection:
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


async def test_probes_answer(world: World) -> None:
    notifier = await world.running_notifier()
    async with httpx.AsyncClient(base_url=notifier.admin_url) as http:
        live, ready, metrics = [await http.get(path) for path in ("/livez", "/readyz", "/metrics")]

    assert live.json() == {"status": "alive"}
    assert ready.json()["status"] == "ready"
    assert set(ready.json()["checks"].values()) == {"ok"}
    assert ready.json()["checks"].keys() >= {
        "database",
        "facts",
        "progress",
        "nats",
        "stream PUSH",
        "stream DEAD",
        "consumer notifier of CRM",
        "storage",
        "inbox",
        "accepting",
    }
    assert "notifier_lag_messages 0.0" in metrics.text
