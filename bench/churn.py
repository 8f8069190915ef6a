"""The clients of soak.py: each lives for a few seconds, then another takes its place.

usage: churn.py CLIENTS PORT...      Runs until a line comes; then closes everybody and prints counts as JSON.
"""

import asyncio
import json
import random
import sys
from collections import Counter

import uvloop

from clients import Client, connect

LIFE = (0.5, 12.0)  # seconds
PAUSE = (0.05, 0.4)  # seconds between two things a client does
MEMBERS = 60  # users, so that one user often has several connections
APPEARANCES = 20  # presence channels


async def live(port: int, counts: Counter[str]) -> None:
    """Be one client, from connecting to leaving."""
    lost = asyncio.Event()

    def on_frame(_client: Client, payload: bytes) -> None:
        counts["refusals" if payload.startswith(b'{"event":"pusher:error"') else "frames heard"] += 1

    client = await connect(port, on_frame, lambda _client: lost.set())
    counts["connections"] += 1
    loop = asyncio.get_running_loop()
    end = loop.time() + random.uniform(*LIFE)
    joined: list[str] = []
    while loop.time() < end and not lost.is_set():
        act(client, joined, counts)
        await asyncio.sleep(random.uniform(*PAUSE))
    if lost.is_set():
        counts["lost"] += 1
    elif random.random() < 0.5:
        client.transport.abort()
    else:
        client.transport.write(b"\x88\x82\0\0\0\0\x03\xe8")  # a close frame, 1000
        await lost.wait()


def act(client: Client, joined: list[str], counts: Counter[str]) -> None:
    """Subscribe, unsubscribe or send something."""
    dice = random.random()
    if dice < 0.2 and joined:
        client.send("pusher:unsubscribe", data={"channel": joined.pop(random.randrange(len(joined)))})
        counts["unsubscriptions"] += 1
    elif dice < 0.4 and (private := [name for name in joined if name.startswith("pr")]):
        client.send("client-typing", channel=random.choice(private), data={"at": random.random()})
        counts["client events"] += 1
    elif len(joined) < 8:
        name = random.choice(
            [
                f"news-{random.randrange(200)}",
                f"private-{random.randrange(1000)}",
                f"private-once-{random.randrange(1 << 60)}",
                f"presence-{random.randrange(APPEARANCES)}",
            ]
        )
        if name in joined:
            return
        user = {"user_id": str(random.randrange(MEMBERS)), "user_info": {"name": "x" * 40}}
        client.subscribe(name, json.dumps(user) if name.startswith("presence-") else None)
        joined.append(name)
        counts["subscriptions"] += 1


async def main() -> None:
    count, *ports = map(int, sys.argv[1:])
    counts: Counter[str] = Counter()

    async def place(number: int) -> None:
        await asyncio.sleep(random.uniform(0, 10))
        while True:
            await live(ports[number % len(ports)], counts)

    places = [asyncio.create_task(place(number)) for number in range(count)]
    line = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    done, _ = await asyncio.wait([*places, line], return_when=asyncio.FIRST_COMPLETED)
    for task in places:
        if task in done:
            task.result()  # a client that cannot connect ends everything
        task.cancel()
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
