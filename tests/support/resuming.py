"""A client that resumes, made from the documentation."""

import json
from typing import Any

from support.gateways import SUCCEEDED, Client

POSITION = "leadwire:position"


def opting_in(**member: Any) -> str:
    """Return `channel_data` that opts in."""
    return json.dumps({"leadwire": member})


async def resume(client: Client, channel: str, **member: Any) -> None:
    """Ask for a channel, with what was signed for us."""
    await client.subscribe(channel, channel_data=opting_in(**member))


async def join(client: Client, channel: str, **member: Any) -> tuple[list[str], dict[str, Any]]:
    """Subscribe, and read on to the position that says how it went; return the events' names before it, and it."""
    await resume(client, channel, **member)
    frame = await client.frame()
    assert (frame["event"], frame["channel"]) == (SUCCEEDED, channel), frame
    return await outcome(client, channel)


async def outcome(client: Client, channel: str) -> tuple[list[str], dict[str, Any]]:
    """Read on to the position that says how a subscription went."""
    heard, position = [], await client.frame()
    while position["event"] != POSITION or "resumed" not in json.loads(position["data"]):
        if position["event"] != POSITION:
            heard.append(position["event"])
        position = await client.frame()
    assert position["channel"] == channel
    return heard, json.loads(position["data"])


async def hear(client: Client, count: int) -> tuple[list[str], dict[str, Any]]:
    """Read events and their positions until so many came, and the position after them; return names and position."""
    heard: list[str] = []
    position: dict[str, Any] = {}
    while len(heard) < count or not position:
        frame = await client.frame()
        if frame["event"] == POSITION:
            position = json.loads(frame["data"])
        else:
            position = {}
            heard.append(frame["event"])
    return heard, position


def place(position: dict[str, Any]) -> dict[str, Any]:
    """Return what a client remembers of a position."""
    return {"epoch": position["epoch"], "offset": position["offset"]}
