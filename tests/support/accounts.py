"""NATS accounts as an attacker and as an all-seeing observer find them."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats as nats_py
from nats.aio.client import Client
from nats.aio.msg import Msg

from leadwire import paths
from runtime import broker
from runtime.broker import barrier
from support.servers import NatsServer

ACK_FORMATS = {"acks of v1": "", "acks of v2": "\nfeature_flags { js_ack_fc_v2: true }\n"}
"""Name → what is added to nats.conf. nats-server 2.14 introduced v2; a later version makes it the default."""
ACCOUNTS = ("LEADWIRE", "leads-api", "leads-relay", "notifier", "gateway", "migrate", "example-node", "example-replay")

_PASSWORD = "p-of-observers"


def configuration(directory: Path, *, addition: str = "", observed: bool = False) -> Path:
    """Write nats.conf with something added; `observed`: each account gets a user without any restriction."""
    text = paths.NATS_CONFIG.read_text()
    if observed:
        for account in ACCOUNTS:
            user = f"{{ user: observer-{account}, password: {_PASSWORD} }}, "
            text, found = re.subn(
                rf"(\n  {account} \{{\n(?:(?!\n  \}}).)*?users: \[)", rf"\1{user}", text, flags=re.DOTALL
            )
            assert found == 1, account
    path = directory / "nats.conf"
    path.write_text(text + addition)
    return path


@dataclass(frozen=True)
class Heard:
    """One message as a client received it."""

    subject: str
    reply: str
    body: bytes


@dataclass
class Account:
    """A connection that hears everything in an account, and may publish anything there."""

    client: Client
    heard: list[Heard] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def subjects(self) -> set[str]:
        return {message.subject for message in self.heard}

    def has(self, text: str) -> bool:
        return any(text.encode() in message.body for message in self.heard)

    async def publish(self, subject: str, body: bytes = b"", *, reply: str = "", headers: Any = None) -> None:
        await self.client.publish(subject, body, reply=reply, headers=headers)
        await barrier(self.client)

    def delivered(self) -> list[Heard]:
        """Return what a consumer delivered: its subject is the one it is stored on, wherever it was delivered."""
        return [message for message in self.heard if message.reply.startswith("$JS.ACK")]


async def settled(accounts: Mapping[str, Account]) -> None:
    """Return when everything that the server has sent is received."""
    for account in accounts.values():
        await barrier(account.client)


@asynccontextmanager
async def observed(server: NatsServer, names: Iterable[str] = ACCOUNTS) -> AsyncIterator[dict[str, Account]]:
    """Connect to each account of a server with observers."""
    accounts: dict[str, Account] = {}
    async with AsyncExitStack() as stack:
        for name in names:
            accounts[name] = await stack.enter_async_context(_account(server, name))
        await settled(accounts)
        yield accounts


@asynccontextmanager
async def _account(server: NatsServer, name: str) -> AsyncIterator[Account]:
    refused: list[str] = []

    async def on_error(error: Exception) -> None:
        refused.append(str(error).lower())

    url = f"nats://observer-{name}:{_PASSWORD}@{server.host}:{server.port}"
    client = await nats_py.connect(url, inbox_prefix=f"_INBOX_{name}".encode(), error_cb=on_error)
    account = Account(client, refused=refused)

    async def hear(message: Msg) -> None:
        account.heard.append(Heard(message.subject, message.reply, message.data))

    try:
        await client.subscribe(">", cb=hear)
        yield account
    finally:
        await broker.close(client)
