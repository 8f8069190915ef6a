"""Hears every fact of every company, in order, with FastStream. How to run it: README.md beside this file."""

import asyncio
import json
import os
from typing import Any
from urllib.parse import urlsplit

from faststream import AckPolicy, FastStream
from faststream.message import StreamMessage
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub

URL = os.environ["EXAMPLE_FASTSTREAM_NATS_URL"]
NAME = urlsplit(URL).username or ""  # our account, its user and the consumer have one name


async def undecoded(message: StreamMessage[Any]) -> bytes:
    """Leave decoding to us: what FastStream cannot decode, it would drop or repeat before we see it."""
    return message.body


# A client that stops reconnecting stays deaf while everything else goes on.
broker = NatsBroker(URL, max_reconnect_attempts=-1, js_options={"prefix": "leadwire"})
# (company, epoch of the log) → the last position of this run; replay.py keeps it with what it writes. In another epoch,
# after an older state of the log was restored, the same position is another fact.
seen: dict[tuple[str, str | None], int] = {}


@broker.subscriber(
    "crm.>",
    durable=NAME,
    stream=JStream("CRM", declare=False),  # it is declared elsewhere, and not ours to change
    pull_sub=PullSub(timeout=1),  # one message after the other; a longer wait stalls after a broker restart
    ack_policy=AckPolicy.MANUAL,  # any other one gives a fact up, or repeats it at once, when we fail
    decoder=undecoded,
)
async def on_fact(message: NatsMessage) -> None:
    try:
        fact = json.loads(message.body)
        feed, position = (fact["companyid"], fact.get("feedepoch")), int(fact["feedposition"])
        if position > seen.get(feed, 0):  # else it came again
            print(json.dumps({"position": position, "type": fact["type"], "subject": fact["subject"]}), flush=True)
            seen[feed] = position
    except (ValueError, KeyError, TypeError):
        await message.reject()  # never: no further attempt teaches us to read it
    except OSError:
        await message.nack(delay=5)  # later: what we write to is away
    else:
        await message.ack()  # done


if __name__ == "__main__":
    asyncio.run(FastStream(broker).run())
