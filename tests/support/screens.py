"""The official JavaScript clients as processes: what they hear, as it arrives."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from leadwire import paths
from leadwire.node import find_node
from support.stack import Company, Stack, User
from support.waiting import until

_SCRIPT = paths.CHECKOUT / "tests" / "node" / "crm-client.mjs"


class Screen:
    """One running client."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what came under that event name, in order."""
        return [line for line in self.heard if line["event"] == name]

    async def hears(self, name: str, count: int = 1, *, within: float = 20) -> dict[str, Any]:
        """Wait for the nth event of that name and return it."""
        await until(lambda: len(self.events(name)) >= count, within=within, why=f"{count} x {name}: {self.heard}")
        return self.events(name)[count - 1]

    async def read(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            self.heard.append(json.loads(line))


@contextlib.asynccontextmanager
async def screen(library: str, stack: Stack, user: User, company: Company) -> AsyncIterator[Screen]:
    """Run a client (`echo` or `pusher`) that is logged in as a user and asks for a company's channel."""
    configuration = {
        "gateway": {"host": stack.topology.gateway.host, "port": stack.topology.gateway.port},
        "api": stack.topology.leads.url,
        "key": stack.topology.credentials.pusher_app_key,
        "token": user.token,
        "company": company.id,
    }
    node = find_node()
    assert node is not None, "./leadwire test installs Node.js"
    process = await asyncio.create_subprocess_exec(
        node.program, str(_SCRIPT), library, json.dumps(configuration), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    client = Screen()
    reading = asyncio.create_task(client.read(process.stdout))
    try:
        yield client
    finally:
        process.kill()
        await process.wait()
        await reading
