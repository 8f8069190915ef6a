"""Runs the examples as a person does: a program, its environment, what it prints."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from leadwire import node as nodes
from leadwire import paths, web

EXAMPLES = paths.CHECKOUT / "examples"


class Example:
    """A running example, and the positions it told of."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.heard: list[dict[str, Any]] = []

    async def hears(self, position: int, *, within: float = 60) -> None:
        """Read on until it tells of this position."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within):
            while not self.heard or self.heard[-1]["position"] != position:
                line = await self.process.stdout.readline()
                assert line, f"it ended after {self.positions}"
                if line.startswith(b"{"):  # else it is FastStream's log
                    self.heard.append(json.loads(line))

    @property
    def positions(self) -> list[int]:
        return [told["position"] for told in self.heard]


Run = Callable[..., AbstractAsyncContextManager[Example]]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[str, ...]]:
    """Example → its command."""
    logs = tmp_path_factory.mktemp("npm")

    async def prepare() -> str:
        await web.install(EXAMPLES / "node", logs)
        return (await nodes.ensure_node(logs)).program

    with ThreadPoolExecutor(1) as elsewhere:  # here an event loop may be set up
        node = elsewhere.submit(asyncio.run, prepare()).result()
    return {
        "faststream": (sys.executable, str(EXAMPLES / "consumer.py")),
        "node": (node, str(EXAMPLES / "node/consumer.mjs")),
        "replay": (sys.executable, str(EXAMPLES / "replay.py")),
    }


@pytest.fixture
def run(programs: Mapping[str, tuple[str, ...]]) -> Run:
    @asynccontextmanager
    async def running(name: str, url: str, **environment: str) -> AsyncIterator[Example]:
        variables = {**os.environ, f"EXAMPLE_{name.upper()}_NATS_URL": url, **environment}
        process = await asyncio.create_subprocess_exec(
            *programs[name], env=variables, stdout=asyncio.subprocess.PIPE, limit=1 << 20
        )
        try:
            yield Example(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    return running
