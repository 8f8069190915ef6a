"""What an operator does with a whole stack: a backup under load, restored elsewhere; the runbook's commands."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from leadwire import paths
from support.runbook import blocks
from support.waiting import until_sync

pytestmark = pytest.mark.system

RUN = ("sh", "run")
# What a service does in the background, and what only says how far a reader of the old streams was. What earlier epochs
# share with the present one is new, because a restore begins an epoch.
OTHERS = {
    "leads": {"alembic_version", "outbox", "reseeds", "reseed_companies", "epoch_forks"},
    "notifier": {"alembic_version", "outbox"},
}
FEED = "SELECT feed_position, event_id, type, data, recorded_at FROM events WHERE company_id = %s ORDER BY 1"


def connect(stack: Any, database: str = "leads") -> psycopg.Connection:
    url = stack.environment()["DATABASE_URL"].removesuffix("leads") + database
    return psycopg.connect(url, autocommit=True)


def rows(stack: Any, company_id: str) -> dict[str, list[str]]:
    """Return all that a company has in every table, as text.

    Left out: a cursor's place in a stream; epochs, which a restore changes; revisions of inboxes, which it raises.
    """
    found = {}
    for database, others in OTHERS.items():
        with connect(stack, database) as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND column_name = 'company_id' ORDER BY 1"
            ).fetchall()
            for (table,) in tables:
                if table not in others:
                    content = "(to_jsonb(t) - 'push_sequence' - 'epoch' - 'revision')::text"
                    statement = f"SELECT {content} FROM {table} AS t WHERE company_id = %s ORDER BY 1"
                    every = connection.execute(statement, (company_id,)).fetchall()
                    found[f"{database}.{table}"] = [row for (row,) in every]
    return found


@contextlib.contextmanager
def api(stack: Any, who: str, password: str) -> Iterator[httpx.Client]:
    """The restored stack has the users of the original, and their passwords."""
    with httpx.Client(base_url=stack.environment()["LEADS_URL"], timeout=30) as client:
        answer = client.post("/auth/login", json={"email": who, "password": password}).raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@contextlib.contextmanager
def writing(client: httpx.Client) -> Iterator[None]:
    """Create leads without a pause."""
    stopping, problems = threading.Event(), []

    def write() -> None:
        while not stopping.is_set():
            answer = client.post("/leads", json={"name": "Written meanwhile"})
            if not answer.is_success:
                problems.append(answer.text)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
    assert problems == []


def test_a_backup_taken_under_load_is_the_same_elsewhere(running: Any, leadwire: Any, tmp_path: Path) -> None:
    told = running.environment()
    demo, other = told["DEMO_COMPANY_ID"], told["OTHER_COMPANY_ID"]
    password = told["DEMO_PASSWORD"]
    folder = str(tmp_path / "backup")
    with api(running, told["DEMO_EMAIL"], password) as quiet, api(running, told["OTHER_EMAIL"], password) as busy:
        until_sync(lambda: is_at_rest(running, demo), why="the notifier owes the quiet company nothing")
        expected = rows(running, demo)
        shown = {path: quiet.get(path).raise_for_status().json() for path in ("/leads?limit=100", "/stats", "/users")}
        [epoch] = {answer["meta"].pop("epoch") for answer in shown.values()}
        with writing(busy):
            until_sync(lambda: busy.get("/stats").json()["data"]["total"] > 2)
            done = running.run("backup", folder)
        assert done.returncode == 0, done.stderr
        last = busy.get("/leads").json()["meta"]["position"]
    assert running.run("backup", folder).returncode == 1  # nothing is overwritten

    restored = leadwire.run("restore", folder)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert leadwire.run("restore", folder).returncode == 1
    assert leadwire.up("--detach", "--no-web").returncode == 0

    until_sync(lambda: is_applied(leadwire, other), why="the notifier has caught up")
    until_sync(lambda: is_at_rest(leadwire, demo), why="the notifier owes the quiet company nothing")
    assert rows(leadwire, demo) == expected
    with connect(running) as before, connect(leadwire) as after:
        facts = after.execute(FEED, (other,)).fetchall()
        assert 2 < len(facts) < last
        assert facts == before.execute(FEED, (other,)).fetchall()[: len(facts)]
        positions = after.execute("SELECT position FROM feeds WHERE company_id = %s", (other,)).fetchone()
        assert [fact[0] for fact in facts] == list(range(1, len(facts) + 1))
        assert positions == (len(facts),)
    with api(leadwire, told["DEMO_EMAIL"], password) as client:
        answers = {path: client.get(path).json() for path in shown}
        [epoch_now] = {answer["meta"].pop("epoch") for answer in answers.values()}
        assert answers == shown
        assert epoch_now != epoch
        position = shown["/stats"]["meta"]["position"]
        told = client.get("/changes", params={"after": position, "epoch": epoch, "wait": 60})
        assert (told.status_code, told.json()["code"]) == (httpx.codes.GONE, "epoch_changed")
        created = client.post("/leads", json={"name": "After the restore"}).json()
        assert created["meta"]["position"] == position + 1
    until_sync(lambda: is_applied(leadwire, demo), why="what is new reaches the notifier")


def is_applied(stack: Any, company_id: str) -> bool:
    with connect(stack) as leads, connect(stack, "notifier") as notifier:
        there = leads.execute("SELECT position FROM feeds WHERE company_id = %s", (company_id,)).fetchone()
        seen = notifier.execute("SELECT position FROM cursors WHERE company_id = %s", (company_id,)).fetchone()
        return seen == there


OWED = """
SELECT (SELECT count(*) FROM cursors WHERE company_id = %(company)s AND stats_pushed < stats_due)
    + (SELECT count(*) FROM jobs WHERE company_id = %(company)s AND signalled < position)
    + (SELECT count(*) FROM outbox WHERE company_id = %(company)s)
"""


def is_at_rest(stack: Any, company_id: str) -> bool:
    """Whether the notifier will change none of a company's rows by itself: figures and job signals are pushed later."""
    if not is_applied(stack, company_id):
        return False
    with connect(stack, "notifier") as notifier:
        return notifier.execute(OWED, {"company": company_id}).fetchone() == (0,)


@pytest.fixture(scope="module")
def folder(running: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup."""
    place = tmp_path_factory.mktemp("backups") / "whole"
    assert running.run("backup", str(place)).returncode == 0
    return place


def test_a_damaged_backup_changes_nothing(running: Any, folder: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(folder, tmp_path / "backup"))
    (damaged / "leads.dump").write_bytes(b"x")
    parts = psycopg.conninfo.conninfo_to_dict(running.environment()["DATABASE_URL"])
    environment = {
        **os.environ,
        **{f"PG{name.upper()}": str(parts[name]) for name in ("host", "port", "password")},
        "PATH": f"{paths.postgres_installation() / 'bin'}:{os.environ['PATH']}",
    }
    for place, said in ((damaged, "damaged: a checksum differs"), (folder, "stop leads-api, leads-relay and notifier")):
        script = ["sh", str(paths.CHECKOUT / "deploy/postgres/restore.sh"), str(place), "--replace"]
        done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)

        assert done.returncode == 1
        assert said in done.stderr
    assert running.run("status").returncode == 0


def test_what_this_release_cannot_read_is_refused(leadwire: Any, folder: Path, tmp_path: Path) -> None:
    newer = Path(shutil.copytree(folder, tmp_path / "backup"))
    rewrite(newer / "manifest.json", '"revision": "0', '"revision": "9')
    refused, empty = leadwire.run("restore", str(newer)), leadwire.run("restore", str(tmp_path))

    assert (refused.returncode, empty.returncode) == (1, 1)
    assert "A newer release made this backup" in refused.stderr
    assert "holds no backup" in empty.stderr
    assert not leadwire.state.credentials.exists()


def rewrite(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.timeout(
    600
)  # some thirty starts of Python, each of which takes seconds where others want the processors, too
def test_every_command_of_the_runbook_that_needs_no_cluster_works(running: Any, tmp_path: Path) -> None:
    (tmp_path / "leadwire").symlink_to(paths.CHECKOUT / "leadwire")
    environment = {
        **os.environ,
        "LEADWIRE_HOME": str(running.home),
        **{f"LEADWIRE_{name.upper()}_PORT": str(port) for name, port in running.ports.items()},
    }
    ran = []
    for block in blocks():
        if block.words == RUN:
            command = ["sh", "-eu", "-c", block.text]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{block}\n{block.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            ran.append(str(block))

    assert len(ran) > 3
    assert json.loads((running.home / "state.json").read_text())["ready"]
