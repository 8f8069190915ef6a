"""Node.js processes with an official client library in them, which print what they hear."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[1] / "node"


class Listener:
    """A Node.js process with a client library in it, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def said(self, *what: str, within: float = 60) -> dict[str, Any]:
        """Read on until it says something of one of these kinds; return that line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(within):
            while True:
                line = await self._process.stdout.readline()
                assert line, "the client ended"
                said: dict[str, Any] = json.loads(line)
                if said["what"] in what:
                    return said

    def tell(self, command: Any) -> None:
        """Give it a line to read."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")


@asynccontextmanager
async def running(node: str, script: str, *arguments: str) -> AsyncIterator[Listener]:
    """Run a script of `tests/node`."""
    process = await asyncio.create_subprocess_exec(
        node, SCRIPTS / script, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Listener(process)
    finally:
        process.kill()
        await process.communicate()


async def answer(node: str, script: str, configuration: Mapping[str, Any]) -> Any:
    """Run a script of `tests/node` to its end; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        node, SCRIPTS / script, json.dumps(configuration), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return json.loads(output)
