"""The clients of resume.py, in a process of their own.

usage: resuming.py CLIENTS CHANNELS

Obeys lines and answers each with a JSON object: "PORT N": connect everybody there, subscribe, and wait until each has
heard event N; with port 0 only wait; "lost": wait until everybody has lost the connection.
"""

import asyncio
import json
import re
import sys
import time

import uvloop

from clients import Client, connect

AT_ONCE = 300  # handshakes under way
PER_ADDRESS = 10_000
_EVENT = re.compile(rb'\{"event":"bench","channel":"[^"]*","data":"(\d+) ')
_POSITION = b'{"event":"leadwire:position"'


class Listener:
    """One user: knows what it has heard and how far it is, whatever becomes of its connection."""

    def __init__(self, number: int, channels: int) -> None:
        self.channel = f"private-{number % channels}"
        self.address = f"127.0.0.{1 + number // PER_ADDRESS}"
        self.heard: list[int] = []
        self.position: dict = {}
        self.resumed = False
        self.joined = False
        self.lost = False
        self.complete_at = 0.0

    async def connect(self, port: int) -> None:
        self.joined = self.lost = False
        client = await connect(port, self._on_frame, self._on_lost, self.address)
        place = {key: self.position[key] for key in ("epoch", "offset") if key in self.position}
        client.subscribe(self.channel, json.dumps({"leadwire": place}))

    def is_complete(self, last: int) -> bool:
        return self.joined and (last == 0 or (bool(self.heard) and self.heard[-1] >= last))

    def _on_frame(self, _client: Client, payload: bytes) -> None:
        event = _EVENT.match(payload)
        if event is not None:
            self.heard.append(int(event[1]))
            self.complete_at = time.monotonic()
        elif payload.startswith(_POSITION):
            self.position = json.loads(json.loads(payload)["data"])
            self.resumed = self.position.get("resumed", self.resumed)
            self.joined = True

    def _on_lost(self, _client: Client) -> None:
        self.lost = True


async def main() -> None:
    count, channels = map(int, sys.argv[1:])
    listeners = [Listener(number, channels) for number in range(count)]
    turn = asyncio.Semaphore(AT_ONCE)

    async def join(listener: Listener, port: int) -> None:
        async with turn:
            await listener.connect(port)

    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        began, cpu = time.monotonic(), time.process_time()
        if line == "lost":
            while not all(listener.lost for listener in listeners):
                await asyncio.sleep(0.02)
            print("{}", flush=True)
            continue
        port, last = map(int, line.split())
        if port:
            async with asyncio.TaskGroup() as tasks:
                for listener in listeners:
                    tasks.create_task(join(listener, port))
        while not all(listener.is_complete(last) for listener in listeners):
            await asyncio.sleep(0.02)
        took = sorted(listener.complete_at - began for listener in listeners)
        answer = {
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
            "resumed": sum(listener.resumed for listener in listeners),
            "wrong": sum(listener.heard != list(range(1, last + 1)) for listener in listeners),
            "p50": took[count // 2],
            "p99": took[count * 99 // 100],
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
