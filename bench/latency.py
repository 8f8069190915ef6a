"""From `POST /leads` to the frame in each of many browsers' sockets, against a running `./leadwire up`.

One process holds the subscribers and sends the leads, so one clock measures both ends. A subscriber is a bare socket
that looks for the lead's name in what arrives: parsing is not what is measured.

Usage: .venv/bin/python bench/latency.py [--subscribers 100] [--rate 50] [--seconds 20]
"""

import argparse
import asyncio
import base64
import json
import os
import re
import shlex
import statistics
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import httpx

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
MARK = re.compile(rb"bench-[0-9a-f]{8}-(\d+)!")


def environment() -> dict[str, str]:
    """Read `.leadwire/env`."""
    lines = (ROOT / ".leadwire" / "env").read_text().splitlines()
    words = (word for line in lines for word in shlex.split(line, comments=True))
    return dict(word.split("=", 1) for word in words if "=" in word)


class Arrivals:
    """When each frame arrived, at all subscribers together."""

    def __init__(self, expected: int) -> None:
        self.seen: list[tuple[int, float]] = []
        self.complete = asyncio.Event()
        self._expected = expected

    def add(self, data: bytes, now: float) -> None:
        self.seen.extend((int(match[1]), now) for match in MARK.finditer(data))
        if len(self.seen) >= self._expected:
            self.complete.set()


class Subscriber(asyncio.Protocol):
    """One socket: WebSocket handshake and subscription by hand, then only timestamps."""

    def __init__(self, host: str, key: str, arrivals: Arrivals) -> None:
        self._request = (
            f"GET /app/{key}?protocol=7&client=bench&version=1 HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
        ).encode()
        self._arrivals = arrivals
        self._seen = b""
        self.socket_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self.subscribed.done():
            self._arrivals.add(data, now)
            return
        self._seen += data
        if not self.socket_id.done() and (found := re.search(rb'socket_id\\":\\"([0-9.]+)', self._seen)):
            self.socket_id.set_result(found[1].decode())
        if b"subscription_succeeded" in self._seen:
            self.subscribed.set_result(None)

    def close(self) -> None:
        self._transport.close()

    def send(self, text: str) -> None:
        """Send one masked text frame (RFC 6455 §5.3; an all-zero mask changes nothing)."""
        body = text.encode()
        length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
        self._transport.write(b"\x81" + length + bytes(4) + body)  # type: ignore[attr-defined]


async def subscribe(env: dict[str, str], api: httpx.AsyncClient, arrivals: Arrivals) -> Subscriber:
    gateway = urlsplit(env["GATEWAY_URL"])
    channel = f"private-company.{env['DEMO_COMPANY_ID']}"
    _, subscriber = await asyncio.get_running_loop().create_connection(
        lambda: Subscriber(gateway.netloc, env["PUSHER_APP_KEY"], arrivals), gateway.hostname, gateway.port
    )
    socket_id = await subscriber.socket_id
    answer = await api.post("/broadcasting/auth", data={"socket_id": socket_id, "channel_name": channel})
    signed = answer.raise_for_status().json()
    subscriber.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel, **signed}}))
    await subscriber.subscribed
    return subscriber


async def measure(subscribers: int, rate: int, seconds: int) -> dict[str, float]:
    env = environment()
    arrivals = Arrivals(rate * seconds * subscribers)
    sent: dict[int, float] = {}
    answered: list[float] = []
    run = uuid.uuid4().hex[:8]
    async with httpx.AsyncClient(base_url=env["LEADS_URL"], timeout=30) as api:
        login = {"email": env["DEMO_EMAIL"], "password": env["DEMO_PASSWORD"]}
        token = (await api.post("/auth/login", json=login)).raise_for_status().json()["access_token"]
        api.headers["Authorization"] = f"Bearer {token}"
        listeners = [await subscribe(env, api, arrivals) for _ in range(subscribers)]
        created = []

        async def create(number: int) -> None:
            sent[number] = time.perf_counter()
            answer = await api.post("/leads", json={"name": f"bench-{run}-{number}!"})
            answered.append(time.perf_counter() - sent[number])
            created.append(answer.raise_for_status().json()["data"]["id"])

        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(rate * seconds):
                await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
                group.create_task(create(number))
        await asyncio.wait_for(arrivals.complete.wait(), 10)
        for listener in listeners:
            listener.close()
        for lead_id in created:
            await api.delete(f"/leads/{lead_id}")
    latencies = [arrived - sent[number] for number, arrived in arrivals.seen]
    return {
        "subscribers": subscribers,
        "leads_per_second": rate,
        "seconds": seconds,
        "frames": len(latencies),
        **{f"frame_{name}_ms": value for name, value in percentiles(latencies).items()},
        **{f"answer_{name}_ms": value for name, value in percentiles(answered).items()},
    }


def percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49] * 1000, 2), "p99": round(cuts[98] * 1000, 2), "max": round(max(values) * 1000, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=100)
    parser.add_argument("--rate", type=int, default=50, help="leads a second")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    result = asyncio.run(measure(options.subscribers, options.rate, options.seconds))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latency.json").write_text(json.dumps(result, indent=2) + "\n")
    print("| from POST sent to | p50 | p99 | max |\n| --- | --- | --- | --- |")
    for label, name in (("its answer", "answer"), (f"the frame at each of {options.subscribers} sockets", "frame")):
        print(f"| {label} | " + " | ".join(f"{result[f'{name}_{cut}_ms']} ms" for cut in ("p50", "p99", "max")) + " |")


if __name__ == "__main__":
    main()
