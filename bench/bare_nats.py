"""The least that Python can do with a message from NATS: nats-py, a callback for each channel, and a count.

usage: bare_nats.py URL COUNT CHANNEL      `CHANNEL-0` to `CHANNEL-<COUNT - 1>`

Prints "ready"; then answers a number on standard input with the number of messages so far, once it is reached.
"""

import asyncio
import sys

import uvloop
from nats.aio.msg import Msg

from contracts import subjects
from publishers import APP
from runtime import broker


async def main() -> None:
    url, count, channel = sys.argv[1:]
    received = 0
    changed = asyncio.Event()

    async def callback(_message: Msg) -> None:
        nonlocal received
        received += 1
        if received % 1000 == 0:
            changed.set()

    nats = await broker.connect(url, "gateway")
    for number in range(int(count)):
        await nats.subscribe(subjects.live(APP["id"], f"{channel}-{number}"), cb=callback)
    await broker.barrier(nats, timeout=10)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        while received < int(line):
            changed.clear()
            await changed.wait()
        print(received, flush=True)


if __name__ == "__main__":
    uvloop.run(main())
