"""`leadwire config print`: what each process was told, and by what; secrets masked."""

import asyncio
import json
from typing import Any

from leadwire import running
from leadwire.progress import complain, say
from leadwire.running import Member
from leadwire.state import StateDirectory
from leadwire.status import NOT_RUNNING
from runtime.doctor.configuration import Effective, text


def print_configuration(state: StateDirectory, *, as_json: bool) -> int:
    """Print the configuration of every process of the running stack, and return the exit code."""
    members = running.members(state)
    if not members:
        complain("Leadwire is not running. Elsewhere each process prints its own: python -m leads config api")
        return NOT_RUNNING
    answers = asyncio.run(_ask(members))
    if as_json:
        say(json.dumps(answers, indent=2))
    else:
        pages = (text(answer["process"], [Effective(**it) for it in answer["settings"]]) for answer in answers)
        say("\n\n".join(pages))
    return 0


async def _ask(members: list[Member]) -> list[dict[str, Any]]:
    answers = await asyncio.gather(*(member.ask("config") for member in members))
    return [json.loads(answer) for _code, answer in answers]
