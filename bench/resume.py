"""How long until everybody has what they missed, when a gateway is killed.

Two replicas. All clients are on the first one, each on a private channel with resume, and have heard some events. The
first replica is killed with -9; events are published that nobody hears; then all clients come back at once, to the
second replica, with their last positions. The clock runs from that moment until the last client has heard the last
event. Every client must have heard every event exactly once and in order, and then one more, live.

The clients are processes of Python, several hundred handshakes at a time each: on two processors they and the
replica share the time, so the figure is an upper bound.

usage: .venv/bin/python bench/resume.py [--clients 5000] [--channels 100] [--missed 50] [--runs 3]
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

import report
from children import Child
from contracts import streams
from runtime import broker
from servers import Gateway, Nats

BENCH = Path(__file__).parent
BEFORE = 5  # events that everybody hears at first
PATIENCE = 120  # seconds


async def answer(clients: Child) -> dict:
    return json.loads(await asyncio.wait_for(asyncio.to_thread(clients.read), PATIENCE))


async def run(count: int, channels: int, missed: int) -> dict:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as children:
        directory = Path(name)
        nats = Nats(children, directory)
        await nats.start()
        first, second = (Gateway(children, directory, nats) for _ in range(2))
        await first.start()
        await second.start()
        backend = await broker.connect(nats.url("operator"), "bench")
        publisher = first.publisher()
        await publisher.open()
        published = 0

        async def publish(events: int) -> None:
            """Publish on every channel, and wait until all is stored."""
            nonlocal published
            for number in range(published + 1, published + events + 1):
                await publisher.send([(f"private-{channel}", f"{number} {'x' * 200}") for channel in range(channels)])
            published += events
            while (await backend.jetstream().stream_info(streams.PUSH)).state.last_seq < published * channels:
                await asyncio.sleep(0.05)

        clients = Child(sys.executable, str(BENCH / "resuming.py"), str(count), str(channels))
        children.callback(clients.kill)
        clients.say(f"{first.port} 0")
        joining = await answer(clients)
        clients.say(f"0 {BEFORE}")
        await publish(BEFORE)
        await answer(clients)

        first.process.kill()
        clients.say("lost")
        await answer(clients)
        await publish(missed)
        cpu, began = second.process.cpu(), time.monotonic()
        clients.say(f"{second.port} {published}")
        complete = await answer(clients)
        seconds, cpu = time.monotonic() - began, second.process.cpu() - cpu
        clients.say(f"0 {published + 1}")
        await publish(1)
        live = await answer(clients)
        await publisher.close()
        await backend.close()
    assert live["wrong"] == 0, f"{live['wrong']} clients have lost, doubled or disordered events"
    assert complete["resumed"] == count, f"only {complete['resumed']} clients were resumed"
    return {"seconds": seconds, "server_cpu": cpu, "clients_cpu": complete["cpu"], "joining": joining["seconds"]} | {
        key: complete[key] for key in ("p50", "p99")
    }


def text(runs: list[dict], count: int, channels: int, missed: int) -> str:
    columns = {
        "seconds": "until all are complete",
        "p50": "p50 of the clients",
        "p99": "p99",
        "server_cpu": "CPU of the replica",
        "clients_cpu": "CPU of the clients",
        "joining": "first join of all, for comparison",
    }
    rows = [[title, f"{report.spread([run[key] for run in runs])} s"] for key, title in columns.items()]
    total, seconds = count * missed, statistics.median(run["seconds"] for run in runs)
    method = (
        f"{count:,} clients on {channels:,} channels, each missing {missed} events when their gateway is killed; "
        f"medians of {len(runs)} runs (lowest to highest).\nIn every run all {total:,} events arrived, once and "
        f"in order: {total / seconds:,.0f} a second."
    )
    return f"{method}\n\n{report.table(['', 'time'], rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--channels", type=int, default=100)
    parser.add_argument("--missed", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    shape = (options.clients, options.channels, options.missed)
    runs = [uvloop.run(run(*shape)) for _ in range(options.runs)]
    report.write(
        "resume", text(runs, *shape), {"clients": shape[0], "channels": shape[1], "missed": shape[2], "runs": runs}
    )


if __name__ == "__main__":
    main()
