"""The leads database is brought back to an older state by other means than ours, while processes run or are down.

Positions are used again for other facts. Everybody who knows the old ones is told, and the new facts reach everybody.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from contracts import streams
from support.databases import Database, cloned
from support.log_and_stream import in_the_log, messages, on_the_stream
from support.servers import PostgresServer
from support.stack import Company, Stack
from support.waiting import until
from support.watchers import PAUSE, Watcher, create, watching

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

KEPT = 3
LOST = 4
EVERYTHING = ("api", "relay", "notifier")
NEW = 2 * LOST  # so that what a client knew last is in the log again, as another fact
END_ALL = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"


class Snapshot:
    """An older state of a database in which others work; `swap` brings it back, and the newer one takes its name."""

    def __init__(self, server: PostgresServer, name: str, kept: str) -> None:
        self._server = server
        self._name = name
        self._kept = kept

    def swap(self) -> None:
        with psycopg.connect(self._server.url(), autocommit=True) as session, nobody_in(session, self._name):
            for old, new in ((self._name, "swapped"), (self._kept, self._name), ("swapped", self._kept)):
                rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                session.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))


@contextlib.contextmanager
def nobody_in(session: psycopg.Connection, database: str) -> Iterator[None]:
    """End all sessions of a database, and let nobody connect to what has its name in the end, until then."""
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    session.execute(allow.format(sql.Identifier(database), sql.SQL("false")))
    session.execute(END_ALL, [database])
    yield
    session.execute(allow.format(sql.Identifier(database), sql.SQL("true")))


@contextlib.contextmanager
def snapshot(server: PostgresServer, name: str) -> Iterator[Snapshot]:
    """Copy a database as it is now."""
    kept = f"{name}_kept"
    with contextlib.ExitStack() as stack:
        with psycopg.connect(server.url(), autocommit=True) as session, nobody_in(session, name):
            stack.enter_context(cloned(Database(server, name), kept))
        yield Snapshot(server, name, kept)


def watcher(stack: Stack, api: httpx.AsyncClient, company: Company) -> Watcher:
    async def address() -> str:
        gateway = stack.topology.gateway
        return f"ws://{gateway.host}:{gateway.port}/app/{stack.topology.credentials.pusher_app_key}"

    return Watcher(address, api, company.id)


async def refusal(api: httpx.AsyncClient, after: int, epoch: str) -> httpx.Response:
    """Wait for news, as a client does that misses nothing, until it is told something else."""
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await api.get("/changes", params={"after": after, "epoch": epoch, "wait": 60})
            if answer.status_code == httpx.codes.OK:
                after = max([after, *(entry["position"] for entry in answer.json()["data"])])
            elif not answer.is_server_error:
                return answer
        await asyncio.sleep(PAUSE)


def cursor(server: PostgresServer, stack: Stack, company: Company) -> tuple[Any, ...] | None:
    with psycopg.connect(server.url(database=stack.topology.notifier_database)) as connection:
        statement = "SELECT position, epoch FROM cursors WHERE company_id = %s"
        return connection.execute(statement, [company.id]).fetchone()


@pytest.mark.parametrize("down", [(), ("relay",), ("notifier",), EVERYTHING], ids="-".join)
async def test_everybody_is_told_and_hears_what_is_new(
    stack: Stack, postgres_server: PostgresServer, down: tuple[str, ...]
) -> None:
    known = KEPT + LOST
    async with stack.client() as api, stack.client(company=stack.globex) as elsewhere, asyncio.TaskGroup() as tasks:
        screen, quiet = watcher(stack, api, stack.acme), watcher(stack, elsewhere, stack.globex)
        async with watching([screen, quiet]):
            await until(lambda: screen.connections and quiet.connections)
            await create(elsewhere, "Of a company that loses nothing")
            for number in range(KEPT):
                await create(api, f"Kept {number}")
            await until(lambda: len(screen.heard) == KEPT and quiet.heard)
            with snapshot(postgres_server, stack.topology.leads_database) as older:
                for number in range(LOST):
                    await create(api, f"Lost {number}")
                await until(lambda: len(screen.heard) == known)
                before = (await api.get("/leads")).json()["meta"]
                poller = tasks.create_task(refusal(api, known, before["epoch"]))
                stack.kill(*down)

                await asyncio.to_thread(older.swap)
                if down == EVERYTHING:
                    stack.start(*down)
                positions = [await create(api, f"New {number}") for number in range(NEW)]
                if down != EVERYTHING:
                    stack.start(*down)

                await until(lambda: screen.resets and quiet.resets, why="screens are told to load again")
                told = await poller
                positions.append(await create(api, "After it was noticed"))
                await until(lambda: screen.heard[-1] == positions[-1], why="new facts reach the screen")
                await stack.ready()

                now = (await api.get("/leads", params={"limit": 100})).json()
                assert before["position"] == known
                assert positions == list(range(KEPT + 1, KEPT + 1 + NEW + 1))
                assert now["meta"]["epoch"] != before["epoch"]
                assert (now["meta"]["position"], len(now["data"])) == (positions[-1], positions[-1])
                assert (told.status_code, told.json()["code"]) == (httpx.codes.GONE, "epoch_changed")
                # Before a relay has looked, the log does not go so far as the client; afterwards its epoch differs.
                assert told.json()["epoch"] in {before["epoch"], now["meta"]["epoch"]}
                for reset in (screen.resets[-1], quiet.resets[-1]):
                    assert (reset["reset"], reset["epoch"]) == ("epoch", now["meta"]["epoch"])
                assert screen.heard[known:] == positions
                log = in_the_log(stack, stack.acme)
                assert [position for position, _, _ in log] == list(range(1, positions[-1] + 1))
                assert (await on_the_stream(stack, stack.acme))[known:] == log[KEPT:]
                newest = json.loads((await messages(stack, streams.CRM, f"crm.{stack.acme.id}.>"))[-1])
                assert newest["feedepoch"] == now["meta"]["epoch"]
                assert cursor(postgres_server, stack, stack.acme) == (positions[-1], now["meta"]["epoch"])
    assert not stack.ended()
