"""A client's own view of a presence channel, checked while it is built: each frame must be a change."""

import json
from typing import Any

from support.gateways import SUCCEEDED, Client
from support.waiting import until

ADDED, REMOVED = "pusher_internal:member_added", "pusher_internal:member_removed"


async def change(client: Client) -> tuple[str, Any]:
    """Return (event, data) of the next frame."""
    event, _, data = await client.event()
    return event, json.loads(data)


async def unsubscribe(client: Client, channel: str) -> None:
    await client.send("pusher:unsubscribe", data={"channel": channel})


class Observer:
    """A member of a channel, and whom it knows of."""

    def __init__(self, client: Client, channel: str, user_id: str) -> None:
        self.client = client
        self.channel = channel
        self.user_id = user_id
        self.members: set[str] = set()

    async def enter(self) -> None:
        """Subscribe; frames of an earlier subscription may still be on their way."""
        await self.client.subscribe(self.channel, channel_data=json.dumps({"user_id": self.user_id}))
        await self.entered()

    async def entered(self) -> None:
        """Read until the snapshot."""
        while (frame := await self.client.frame())["event"] != SUCCEEDED:
            pass
        self.members = set(json.loads(frame["data"])["presence"]["ids"])
        assert self.user_id in self.members

    async def leave(self) -> None:
        """Unsubscribe, and see that it is done."""
        await unsubscribe(self.client, self.channel)
        await self.client.send("pusher:ping", data={})
        while (await self.client.frame())["event"] != "pusher:pong":
            pass

    async def read(self) -> None:
        """Read one change."""
        event, data = await change(self.client)
        if event == ADDED:
            assert data["user_id"] not in self.members, "added twice, or both in the snapshot and in a frame"
            self.members.add(data["user_id"])
        else:
            assert event == REMOVED
            self.members.remove(data["user_id"])

    async def follow(self, until: set[str]) -> None:
        """Read until all of these are there."""
        while not until <= self.members:
            await self.read()

    async def agree(self, truth: set[str]) -> None:
        """Read until exactly these are there, and make sure that nothing more has come."""
        while self.members != truth:
            await self.read()
        await self.client.hears_nothing()


async def view(client: Client, channel: str, user_id: str = "newcomer") -> set[str]:
    """Return whom a newcomer sees besides itself; then it leaves."""
    observer = Observer(client, channel, user_id)
    await observer.enter()
    await observer.leave()
    return observer.members - {user_id}


async def sees(client: Client, channel: str, truth: set[str]) -> None:
    """Wait until a newcomer sees exactly these."""

    async def same() -> bool:
        return await view(client, channel) == truth

    await until(same, why=f"a newcomer sees {truth}")
