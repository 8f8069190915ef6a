"""Keeps a table of its own, exact from a company's first fact on, with SQLite. How to run it: README.md.

Effect and position are one transaction. So it may be killed at any moment, hear a fact twice, or miss some: it always
knows where it stands, and asks for what is missing. When the log's epoch changes, because an older state of the log was
restored, it forgets everything and reads the log from the first fact.
"""

import asyncio
import json
import os
import sqlite3
from typing import Any
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.errors import TimeoutError as NothingArrived

URL = os.environ["EXAMPLE_REPLAY_NATS_URL"]
COMPANY = os.environ["DEMO_COMPANY_ID"]
NAME = urlsplit(URL).username or ""  # our account, its user and the consumer have one name

TABLES = """
CREATE TABLE IF NOT EXISTS position (at INTEGER NOT NULL);
INSERT INTO position SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM position);
CREATE TABLE IF NOT EXISTS log (epoch TEXT);
INSERT INTO log SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM log);
CREATE TABLE IF NOT EXISTS leads (id TEXT PRIMARY KEY, name TEXT, status TEXT, facts INTEGER NOT NULL);
"""
COUNT = """
INSERT INTO leads VALUES (:id, :name, :status, 1)
ON CONFLICT (id) DO UPDATE SET name = :name, status = :status, facts = facts + 1
"""


class Table:
    """What we make of the facts."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)
        self._database.executescript(TABLES)

    @property
    def position(self) -> int:
        """The last fact whose effect is in the table."""
        (position,) = self._database.execute("SELECT at FROM position").fetchone()
        return int(position)

    @property
    def epoch(self) -> str | None:
        """The log's epoch that the position is of; None before the log was asked for the first time."""
        (epoch,) = self._database.execute("SELECT epoch FROM log").fetchone()
        return None if epoch is None else str(epoch)

    def begin(self, epoch: str) -> None:
        """Forget everything: what was applied may be of a log that no longer exists."""
        with self._database:
            self._database.execute("DELETE FROM leads")
            self._database.execute("UPDATE position SET at = 0")
            self._database.execute("UPDATE log SET epoch = ?", (epoch,))

    def apply(self, fact: dict[str, Any]) -> None:
        """Apply the next fact: all of it or nothing."""
        with self._database:
            self._database.execute("UPDATE position SET at = ?", (fact["feedposition"],))
            if lead := fact["data"].get("lead"):
                self._database.execute(COUNT, lead)
        print(json.dumps({"position": fact["feedposition"], "type": fact["type"]}), flush=True)


async def catch_up(client: Client, table: Table) -> None:
    """Apply what is missing: from the first fact on, if need be, and if the log's epoch is another one."""
    while True:
        question = json.dumps({"after": table.position}).encode()
        answer = json.loads((await client.request(f"rpc.leads.changes.{COMPANY}", question, timeout=10)).data)
        if "error" in answer:
            raise Error(answer["error"])
        if answer["epoch"] != table.epoch:
            table.begin(answer["epoch"])
            continue
        for fact in answer["data"]:
            table.apply(fact)
        if table.position >= answer["position"]:
            return


async def take(message: Msg, client: Client, table: Table) -> None:
    """Apply a fact of ours from the stream: the next one, a repeat, one after a gap, or one of another epoch."""
    try:
        fact = json.loads(message.data)
        is_ours = fact["companyid"] == COMPANY
        is_of_another_epoch = fact.get("feedepoch") not in {None, table.epoch}
        if is_ours and (is_of_another_epoch or fact["feedposition"] > table.position + 1):
            await catch_up(client, table)
        elif is_ours and fact["feedposition"] == table.position + 1:
            table.apply(fact)
    except (ValueError, KeyError, TypeError):
        await message.term()  # never; should it be one of ours, the next one shows the gap
    except Error:
        await message.nak(delay=1)  # later: nobody answers
    else:
        await message.ack()  # done


async def main() -> None:
    table = Table(os.environ.get("REPLAY_DATABASE", "replay.db"))
    # A client that stops reconnecting stays deaf while everything else goes on.
    client = await nats.connect(URL, max_reconnect_attempts=-1)
    pull = await client.jetstream(prefix="leadwire").pull_subscribe_bind(NAME, "CRM")
    must_ask = True
    while True:
        try:
            if must_ask:
                await catch_up(client, table)
                must_ask = False
            (message,) = await pull.fetch(1, timeout=5)
            await take(message, client, table)
        except NothingArrived:
            must_ask = True  # the last fact may have come in the second before a change of the epoch was noticed
        except Error:
            await asyncio.sleep(1)  # NATS or the leads service is away, or our consumer not yet made


if __name__ == "__main__":
    asyncio.run(main())
